//! open-wal 0.2.

use durability_benches::{Failure, Log, Mutexed, Plan};
use open_wal::{Lsn, Wal, WalConfig};

/// Handed over before memory fills up: its appends are kept in memory until the next commit.
const COMMIT_BYTES: usize = 1 << 20;

pub(crate) struct Open {
    wal: Wal,
    pending: usize,
}

fn open(plan: &Plan<'_>) -> Result<Wal, Failure> {
    let default = WalConfig::default().max_record_size;
    // A segment must hold a record.
    let fitting = u32::try_from(plan.segment_bytes / 2).unwrap_or(u32::MAX);
    let config =
        WalConfig { segment_size: plan.segment_bytes, max_record_size: default.min(fitting) };
    Ok(Wal::open(plan.folder, config)?.0)
}

impl Log for Open {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "open-wal";
    const HOW: &'static str = "`append` and `commit`; it has no flush, so W1 commits, and with that syncs, every 1 MiB; threads share it behind a mutex; replay is `open` and `reader_from`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        std::fs::create_dir_all(plan.folder)?;
        Ok(Self { wal: open(plan)?, pending: 0 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.wal.append(record)?;
        self.pending += record.len();
        if self.pending >= COMMIT_BYTES { self.sync() } else { Ok(()) }
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        for record in records {
            self.wal.append(record)?;
        }
        self.sync()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.pending = 0;
        self.wal.commit()?;
        Ok(())
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let wal = open(plan)?;
        let mut reader = wal.reader_from(Lsn(0))?;
        let mut records = 0;
        while let Some(record) = reader.next() {
            each(record?.1);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
