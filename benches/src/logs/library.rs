//! The library's log, with its defaults but for what a plan asks.

use std::hint::black_box;

use durability::ReadMode;
use durability::shared::{RawSharedWal, SharedOptions};
use durability::storage::FsOptions;
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};

use crate::{Committer, Failure, Log, Metered, Plan};

/// The library's log. `DIRECT` is [`FsOptions::direct_io`].
#[derive(Debug)]
pub struct Library<const DIRECT: bool = false> {
    wal: RawWalWriter<Metered>,
    options: WalOptions,
}

const HOW: &str = "`RawWalWriter`: `append`, `append_batch`, `flush`, `flush_and_sync`, `close`; `RawWalReader::entries`, strict; threads share a `RawSharedWal`: `append_durable`";
const HOW_DIRECT: &str = "the same with `FsOptions::direct_io`: what is counted as a write and a sync is one call of the system, `pwritev2` with `RWF_DSYNC`";

fn options(plan: &Plan<'_>) -> WalOptions {
    WalOptions::new().segment_bytes(plan.segment_bytes).preallocate(plan.prepared)
}

fn files<const DIRECT: bool>(plan: &Plan<'_>) -> Result<Metered, Failure> {
    let options = FsOptions::new().direct_io(DIRECT);
    Metered::with_options(plan.folder, options, plan.meter.clone())
}

impl<const DIRECT: bool> Log for Library<DIRECT> {
    type Committer = Shared;

    const NAME: &'static str = if DIRECT { "ours, direct I/O" } else { "ours" };
    const HOW: &'static str = if DIRECT { HOW_DIRECT } else { HOW };

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let dir = files::<DIRECT>(plan)?;
        let mut wal = RawWalWriter::new(dir, options(plan))?;
        if plan.prepared {
            // A log's first segment gets no room; the one behind a truncation does.
            wal.append(b"to be truncated")?;
            wal.truncate_to_empty()?;
        }
        Ok(Self { wal, options: options(plan) })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let dir = files::<DIRECT>(plan)?;
        let options = options(plan);
        Ok(Self { wal: RawWalWriter::open(dir, options.clone())?, options })
    }

    #[inline]
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.wal.append(record)?;
        Ok(())
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        self.wal.append_batch(records)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.wal.flush()?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        let _ = black_box(self.wal.flush_and_sync()?);
        Ok(())
    }

    fn close(self) -> Result<(), Failure> {
        Ok(self.wal.close()?)
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let dir = files::<DIRECT>(plan)?;
        let mut reader = RawWalReader::open(dir, options(plan))?;
        let mut entries = reader.entries(ReadMode::Strict)?;
        while let Some(entry) = entries.next()? {
            each(entry.payload);
        }
        Ok(entries.report().entries)
    }

    fn segment(&self) -> Option<u32> {
        Some(self.wal.tail_segment())
    }

    fn share(self) -> Shared {
        Shared {
            wal: RawSharedWal::from_writer(self.wal, self.options, SharedOptions::new())
                .map_err(|failure| failure.to_string()),
        }
    }
}

/// The library's log among threads.
#[derive(Debug, Clone)]
pub struct Shared {
    wal: Result<RawSharedWal<Metered>, String>,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        self.wal.as_ref().map_err(String::as_str)?.append_durable(record)?;
        Ok(())
    }
}
