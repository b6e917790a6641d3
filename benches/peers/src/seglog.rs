//! seglog 0.3.

use durability_benches::{Failure, Log, Mutexed, Plan};
use seglog::read::Reader;
use seglog::write::Writer;

/// It has one segment of a fixed size, and nothing that manages many.
const SEGMENT_BYTES: usize = 2 << 30;

pub(crate) struct Seg {
    writer: Writer<0>,
    records: u64,
}

fn path(plan: &Plan<'_>) -> std::path::PathBuf {
    plan.folder.join("segment")
}

impl Log for Seg {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "seglog";
    const HOW: &'static str = "one segment of 2 GiB, which does not rotate; `append_data`, `flush_writer`, `commit` (a mark and a sync); threads share it behind a mutex; `Reader::iter`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        std::fs::create_dir_all(plan.folder)?;
        Ok(Self { writer: Writer::create(path(plan), SEGMENT_BYTES, 0)?, records: 0 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let writer = Writer::open(path(plan), SEGMENT_BYTES, 0)?;
        let records = writer.last_committed_position().unwrap_or(0);
        Ok(Self { writer, records })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.writer.append_data(record)?;
        self.records += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush_writer()?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.writer.commit(self.records)?;
        Ok(())
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()?;
        Ok(self.writer.close()?)
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let mut reader = Reader::<0>::open_read_only(path(plan), None)?;
        let mut entries = reader.iter(0);
        let mut records = 0;
        while let Some(record) = entries.next_record()? {
            each(&record.data);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
