//! commitlog 0.2.

use commitlog::message::{MessageBuf, MessageSet};
use commitlog::{CommitLog, LogOptions, ReadLimit};
use durability_benches::{Failure, Kind, Log, Mutexed, Plan};

const NO_SYNC: &str = "it never syncs";
/// As large as what B1 reads at once.
const READ_BYTES: usize = 1 << 20;
const MESSAGE_BYTES_MAX: usize = 64 << 20;

pub(crate) struct Commit {
    log: CommitLog,
}

fn open(plan: &Plan<'_>) -> Result<CommitLog, Failure> {
    let mut options = LogOptions::new(plan.folder);
    options.segment_max_bytes(usize::try_from(plan.segment_bytes)?);
    options.message_max_bytes(MESSAGE_BYTES_MAX);
    Ok(CommitLog::new(options)?)
}

impl Log for Commit {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "commitlog";
    const HOW: &'static str = "`append_msg`, `append` of a `MessageBuf` for a batch; `flush` flushes and no more; `read` of 1 MiB at a time, with `verify_hashes`";
    const MISFITS: &'static [(Kind, &'static str)] =
        &[(Kind::Commit, NO_SYNC), (Kind::Shared, NO_SYNC), (Kind::Batch, NO_SYNC)];

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        Ok(Self { log: open(plan)? })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.log.append_msg(record)?;
        Ok(())
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let mut messages: MessageBuf = records.iter().collect();
        self.log.append(&mut messages)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.log.flush()?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.flush()
    }

    fn close(mut self) -> Result<(), Failure> {
        self.flush()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let log = open(plan)?;
        let mut next = 0;
        loop {
            let messages = log.read(next, ReadLimit::max_bytes(READ_BYTES))?;
            if messages.is_empty() {
                return Ok(next);
            }
            messages.verify_hashes().map_err(|at| format!("damaged message {at}"))?;
            for message in messages.iter() {
                each(message.payload());
                next = message.offset() + 1;
            }
        }
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
