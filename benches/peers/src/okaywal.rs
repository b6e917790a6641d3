//! okaywal 0.3.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use durability_benches::{Committer, Failure, Kind, Log, Plan};
use okaywal::{
    Configuration, Entry, EntryId, LogManager, ReadChunkResult, SegmentReader, WriteAheadLog,
};

/// Never reached: nothing is checkpointed, so that the log keeps what it is given.
const CHECKPOINT_BYTES: u64 = 1 << 40;

pub(crate) struct Okay {
    log: WriteAheadLog,
}

/// Reads what is recovered, and checks it.
struct Reader<F> {
    each: F,
    records: Arc<AtomicU64>,
}

impl<F> std::fmt::Debug for Reader<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl<F: FnMut(&[u8]) + Send + Sync + 'static> LogManager for Reader<F> {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            let record = chunk.read_all()?;
            if !chunk.check_crc()? {
                return Err(io::ErrorKind::InvalidData.into());
            }
            (self.each)(&record);
            self.records.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

fn open(plan: &Plan<'_>) -> Result<(WriteAheadLog, u64), Failure> {
    let records = Arc::new(AtomicU64::new(0));
    let each = |record: &[u8]| {
        std::hint::black_box(record);
    };
    let room = u32::try_from(plan.segment_bytes).unwrap_or(u32::MAX);
    let log = Configuration::default_for(plan.folder)
        .preallocate_bytes(room)
        .checkpoint_after_bytes(CHECKPOINT_BYTES)
        .open(Reader { each, records: Arc::clone(&records) })?;
    Ok((log, records.load(Relaxed)))
}

impl Log for Okay {
    type Committer = Shared;

    const NAME: &'static str = "okaywal";
    const HOW: &'static str = "each append is an entry that is committed, a batch one entry of many chunks; recovery reads all; nothing is checkpointed";
    const MISFITS: &'static [(Kind, &'static str)] = &[(Kind::Append, "every commit syncs")];

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        Ok(Self { log: open(plan)?.0 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.append_batch(&[record])
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let mut entry = self.log.begin_entry()?;
        for record in records {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Done by the append.
    fn sync(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn close(self) -> Result<(), Failure> {
        Ok(self.log.shutdown()?)
    }

    /// Recovery is the only way to read in order; it hands no borrowed state to the caller.
    fn replay(plan: &Plan<'_>, _: impl FnMut(&[u8])) -> Result<u64, Failure> {
        Ok(open(plan)?.1)
    }

    fn share(self) -> Shared {
        Shared { log: self.log }
    }
}

#[derive(Clone)]
pub(crate) struct Shared {
    log: WriteAheadLog,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let mut entry = self.log.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit()?;
        Ok(())
    }
}
