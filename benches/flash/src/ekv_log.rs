//! ekv 1: records under ascending keys, a transaction for each sync, with its checksums on.

use core::fmt;

use ekv::flash::{Flash, PageID};
use ekv::{Config, CursorError, Database};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;

use crate::chip::{BLOCK_BYTES, Chip, ChipError, REGION_BYTES};
use crate::contender::{Failure, Log};
use crate::wait::wait;

/// Of the region, what payloads may fill: a tree of sorted runs needs room to be compacted.
const PAYLOAD_BYTES_MAX: usize = REGION_BYTES / 2;
const RECORD_BYTES_MAX: usize = 256;

struct Pages(Chip);

impl Flash for Pages {
    type Error = ChipError;

    fn page_count(&self) -> usize {
        REGION_BYTES / BLOCK_BYTES
    }

    async fn erase(&mut self, page: PageID) -> Result<(), ChipError> {
        let from = page.index() * BLOCK_BYTES;
        self.0.erase_range(from, from + BLOCK_BYTES)
    }

    async fn read(
        &mut self,
        page: PageID,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), ChipError> {
        self.0.read_at(page.index() * BLOCK_BYTES + offset, bytes)
    }

    async fn write(&mut self, page: PageID, offset: usize, bytes: &[u8]) -> Result<(), ChipError> {
        self.0.program_at(page.index() * BLOCK_BYTES + offset, bytes)
    }
}

/// The database, and the records of the transaction that is being gathered: a transaction borrows the database.
pub(crate) struct Store {
    database: Database<Pages, NoopRawMutex>,
    /// Records since the last sync, one behind the other.
    gathered: [u8; 16 * RECORD_BYTES_MAX],
    gathered_bytes: usize,
    record_bytes: usize,
    oldest: u32,
    next: u32,
}

fn failed(error: impl fmt::Debug) -> Failure {
    format!("ekv: {error:?}").into()
}

impl Store {
    fn open(chip: &Chip, record_bytes: usize) -> Self {
        let database = Database::new(Pages(chip.clone()), Config::default());
        let gathered = [0; 16 * RECORD_BYTES_MAX];
        Self { database, gathered, gathered_bytes: 0, record_bytes, oldest: 0, next: 0 }
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        let count = u32::try_from(self.gathered_bytes / self.record_bytes)?;
        let kept = u32::try_from(PAYLOAD_BYTES_MAX / self.record_bytes)?;
        let mut transaction = self.database.write_transaction().await;
        // Keys must come in order: what is dropped has the lowest.
        while self.next + count - self.oldest > kept {
            transaction.delete(&self.oldest.to_be_bytes()).await.map_err(failed)?;
            self.oldest += 1;
        }
        let records = &self.gathered[..self.gathered_bytes];
        for (key, record) in (self.next..).zip(records.chunks_exact(self.record_bytes)) {
            transaction.write(&key.to_be_bytes(), record).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        self.next += count;
        self.gathered_bytes = 0;
        Ok(())
    }

    async fn show(&self, each: &mut dyn FnMut(u32, &[u8])) -> Result<(), CursorError<ChipError>> {
        let transaction = self.database.read_transaction().await;
        let mut cursor = transaction.read_all().await?;
        let (mut key, mut value) = ([0; 4], [0; RECORD_BYTES_MAX]);
        while let Some((_, bytes)) = cursor.next(&mut key, &mut value).await? {
            each(u32::from_be_bytes(key), &value[..bytes]);
        }
        Ok(())
    }
}

impl Log for Store {
    const NAME: &'static str = "ekv 1, with checksums";

    fn format(chip: &Chip, record_bytes: usize) -> Result<Self, Failure> {
        let store = Self::open(chip, record_bytes);
        wait(store.database.format()).map_err(failed)?;
        Ok(store)
    }

    fn mount(chip: &Chip, record_bytes: usize) -> Result<Self, Failure> {
        let store = Self::open(chip, record_bytes);
        wait(store.database.mount()).map_err(failed)?;
        Ok(store)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        let end = self.gathered_bytes + record.len();
        self.gathered[self.gathered_bytes..end].copy_from_slice(record);
        self.gathered_bytes = end;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        wait(self.commit())
    }

    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        wait(self.show(&mut |_, record| each(record))).map_err(failed)
    }

    /// Firmware would gather in the transaction itself.
    fn ram(&self) -> usize {
        size_of::<Self>() - size_of_val(&self.gathered)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("next", &self.next).finish_non_exhaustive()
    }
}
