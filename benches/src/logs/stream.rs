//! B1: a stream written by hand, through one buffer of 1 MiB, with hardware CRC-32C; and its reader.

use super::mutexed::Mutexed;
use crate::workload::LOG_ID;
use crate::{Failure, Log, PlainReader, PlainWriter, Plan, drop_cached};

/// The hand-written stream.
#[derive(Debug)]
pub struct Stream {
    writer: PlainWriter,
}

impl Log for Stream {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "B1";
    const HOW: &'static str = "a stream written by hand: one buffer of 1 MiB, the `crc32c` crate, the bytes and syncs of the library; reopening reads the last segment";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let writer = PlainWriter::new(plan.folder, plan.segment_bytes, LOG_ID)?;
        Ok(Self { writer: writer.metered(plan.meter.clone()) })
    }

    /// Reads the last segment, as one must who does not know where it ends. Begins another log rather than going on: the next reopening reads that one, so
    /// that what is read was always written by the process before, and not by one long ago.
    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let mut turn = 0;
        let mut folder = plan.folder.to_path_buf();
        let next = loop {
            let next = plan.folder.join(format!("next{turn}"));
            if !next.exists() {
                break next;
            }
            (folder, turn) = (next, turn + 1);
        };
        if let Some(last) = PlainReader::segments(&folder)?.last() {
            drop_cached(last)?;
            PlainReader::new().replay_file(last, &mut |record| {
                std::hint::black_box(record);
            })?;
        }
        Self::create(&Plan { folder: &next, ..plan.clone() })
    }

    #[inline]
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        Ok(self.writer.append(record)?)
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        Ok(self.writer.append_batch(records)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush_and_sync()?)
    }

    fn close(mut self) -> Result<(), Failure> {
        Ok(self.writer.flush_and_sync()?)
    }

    fn replay(plan: &Plan<'_>, each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        Ok(PlainReader::new().replay(plan.folder, each)?)
    }

    fn segment(&self) -> Option<u32> {
        Some(self.writer.segment())
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
