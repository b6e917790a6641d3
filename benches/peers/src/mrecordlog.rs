//! mrecordlog 0.4.

use std::time::Duration;

use durability_benches::{Failure, Kind, Log, Mutexed, Plan};
use mrecordlog::{MultiRecordLog, SyncPolicy};
use tokio::runtime::{Builder, Runtime};

const QUEUE: &str = "queue";
/// Flushes are asked for, never due.
const NEVER: Duration = Duration::from_hours(1);
const NO_SYNC: &str = "it never syncs";

pub(crate) struct MRecord {
    runtime: Runtime,
    log: MultiRecordLog,
}

fn open(plan: &Plan<'_>) -> Result<MRecord, Failure> {
    std::fs::create_dir_all(plan.folder)?;
    let runtime = Builder::new_current_thread().build()?;
    let opening = MultiRecordLog::open_with_prefs(plan.folder, SyncPolicy::OnDelay(NEVER));
    let log = runtime.block_on(opening).map_err(|error| error.to_string())?;
    Ok(MRecord { runtime, log })
}

impl Log for MRecord {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "mrecordlog";
    const HOW: &'static str = "one queue, `append_record`, `append_records` for a batch, on a runtime of one thread; `sync` flushes and no more; replay is `open`, which keeps all in memory, and `range`";
    const MISFITS: &'static [(Kind, &'static str)] =
        &[(Kind::Commit, NO_SYNC), (Kind::Shared, NO_SYNC), (Kind::Batch, NO_SYNC)];

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let mut log = open(plan)?;
        log.runtime.block_on(log.log.create_queue(QUEUE)).map_err(|error| error.to_string())?;
        Ok(log)
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        open(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        let appending = self.log.append_record(QUEUE, None, record);
        self.runtime.block_on(appending).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let appending = self.log.append_records(QUEUE, None, records.iter().copied());
        self.runtime.block_on(appending).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.runtime.block_on(self.log.sync())?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.flush()
    }

    fn close(mut self) -> Result<(), Failure> {
        self.flush()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let log = open(plan)?;
        let mut records = 0;
        for (_, record) in log.log.range(QUEUE, ..).map_err(|_| "no queue")? {
            each(&record);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
