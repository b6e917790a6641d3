//! sequential-storage 8: its queue, told to drop its oldest page when it is full.

use core::fmt;
use core::marker::PhantomData;

use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, CacheImpl, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::chip::{AsyncChip, BLOCK_BYTES, Chip, ChipError, REGION_BYTES};
use crate::contender::{Failure, Log};
use crate::wait::wait;

const PAGES: usize = REGION_BYTES / BLOCK_BYTES;
const RECORD_BYTES_MAX: usize = 256;

/// What the queue remembers of its pages.
pub(crate) trait Caching {
    const NAME: &'static str;
    type Cache: CacheImpl<()>;

    fn cache() -> Self::Cache;
}

/// The state of every page, and where its items begin and end.
#[derive(Debug)]
pub(crate) struct Cached;

impl Caching for Cached {
    const NAME: &'static str = "sequential-storage 8, queue, cached";
    type Cache = Cache<ArrayPageStates<PAGES>, ArrayPagePointers<PAGES>, Uncached>;

    fn cache() -> Self::Cache {
        Cache::new(ArrayPageStates::new(), ArrayPagePointers::new(), Uncached)
    }
}

/// Nothing.
#[derive(Debug)]
pub(crate) struct Bare;

impl Caching for Bare {
    const NAME: &'static str = "sequential-storage 8, queue, no cache";
    type Cache = Cache<Uncached, Uncached, Uncached>;

    fn cache() -> Self::Cache {
        Cache::new_uncached()
    }
}

/// The queue. It has no buffer: every append is durable, and a sync has nothing to do.
pub(crate) struct Queue<C: Caching> {
    storage: QueueStorage<AsyncChip, C::Cache>,
    caching: PhantomData<C>,
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn failed(error: sequential_storage::Error<ChipError>) -> Failure {
    format!("sequential-storage: {error:?}").into()
}

impl<C: Caching> Queue<C> {
    fn open(chip: &Chip) -> Self {
        let end = u32::try_from(REGION_BYTES).unwrap_or(u32::MAX);
        let config = QueueConfig::new(0..end);
        let storage = QueueStorage::new(AsyncChip(chip.clone()), config, C::cache());
        Self { storage, caching: PhantomData }
    }
}

impl<C: Caching> Log for Queue<C> {
    const NAME: &'static str = C::NAME;

    fn format(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        Ok(Self::open(chip))
    }

    /// There is no mount. What the first push reads is what a mount would.
    fn mount(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        let mut queue = Self::open(chip);
        let mut buffer = [0; RECORD_BYTES_MAX];
        wait(queue.storage.peek(&mut buffer)).map_err(failed)?;
        Ok(queue)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        wait(self.storage.push(record, true)).map_err(failed)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut buffer = [0; RECORD_BYTES_MAX];
        let mut records = wait(self.storage.iter()).map_err(failed)?;
        while let Some(record) = wait(records.next(&mut buffer)).map_err(failed)? {
            each(&record);
        }
        Ok(())
    }
}

impl<C: Caching> fmt::Debug for Queue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}
