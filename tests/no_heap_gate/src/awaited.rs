//! The same on a driver that has to be awaited: logs, loses its power, recovers.
//!
//! Must never be handed more memory than what it lends.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use durability_core::walog::WalOptions;
use durability_core::{EntryId, ReadMode};
use durability_flash::embedded_storage::nor_flash::{ErrorType, NorFlash as _, ReadNorFlash as _};
use durability_flash::{
    AsyncError, AsyncFlashDirectory, AsyncWalReader, AsyncWalWriter, FlashOptions,
};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use crate::RECORDS;
use crate::chip::{Chip, ChipError};

const BUFFER_BYTES: usize = 512;
const OPTIONS: FlashOptions = FlashOptions::new().slot_blocks(4).name_bytes_max(24);

type Directory<'m> = AsyncFlashDirectory<'m, Waiting<'m>, 8>;

/// A driver that is never ready at once.
#[derive(Debug)]
pub(crate) struct Waiting<'c>(&'c mut Chip);

/// Once around the executor.
async fn pending() {
    let mut polled = false;
    poll_fn(|context| {
        if core::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl ErrorType for Waiting<'_> {
    type Error = ChipError;
}

impl ReadNorFlash for Waiting<'_> {
    const READ_SIZE: usize = Chip::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        pending().await;
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Waiting<'_> {
    const WRITE_SIZE: usize = Chip::WRITE_SIZE;
    const ERASE_SIZE: usize = Chip::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        pending().await;
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        pending().await;
        self.0.write(offset, bytes)
    }
}

/// The future's value.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// What the last life left is there, and more is appended, in segments of which the oldest go.
pub(crate) async fn logged(chip: &mut Chip, life: u64) -> Result<(), AsyncError<ChipError>> {
    let mut queue = [0; Directory::queue_bytes(&OPTIONS, BUFFER_BYTES)];
    let mut ahead = [0; Directory::ahead_bytes(&OPTIONS, BUFFER_BYTES)];
    let mut buffer = [0; BUFFER_BYTES];
    let mut dir = Directory::mount(Waiting(chip), OPTIONS, &mut queue, &mut ahead).await?;
    let options = || WalOptions::new().compact_frames(true);
    let mode = ReadMode::BestEffort;
    let mut reader = AsyncWalReader::open(&mut dir, options(), mode, &mut buffer).await?;
    let mut last = None;
    while let Some(entry) = reader.next().await? {
        assert_eq!(entry.payload, entry.id.get().to_le_bytes(), "what was appended");
        last = Some(entry.id.get());
    }
    drop(reader);
    assert_eq!(last, (life > 0).then_some(life * RECORDS), "all that was synced");
    let mut log = AsyncWalWriter::open(&mut dir, options(), &mut buffer).await?;
    for number in life * RECORDS + 1..=(life + 1) * RECORDS {
        assert_eq!(log.append(&number.to_le_bytes()).await?.get(), number, "ids go on");
        if number % 100 == 0 {
            let durable = log.flush_and_sync().await?.through();
            assert_eq!(durable, EntryId::new(number), "what is durable");
            let keep = number.saturating_sub(1000).max(1);
            log.truncate_prefix(EntryId::new(keep).unwrap_or(EntryId::FIRST)).await?;
            while log.prepare_step().await? {}
        }
    }
    assert_eq!(log.in_place().reads, 0, "every read was awaited");
    // As a loss of power does: nothing is closed.
    core::mem::forget(log);
    Ok(())
}
