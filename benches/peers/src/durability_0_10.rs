//! durability 0.10, another crate of this name.

use std::sync::Arc;

use durability_benches::{Committer, Failure, Log, Plan};
use durability_peer::storage::{FlushPolicy, FsDirectory};
use durability_peer::walog::{SyncWalWriter, WalReader, WalWriter};

/// As much as the library and B1 have.
const BUFFER_BYTES: usize = 1 << 20;

pub(crate) struct Durability {
    writer: WalWriter<()>,
}

impl Log for Durability {
    type Committer = Shared;

    const NAME: &'static str = "durability 0.10";
    const HOW: &'static str = "`WalWriter` with a manual flush policy and a buffer of 1 MiB: `append_bytes`, `flush`, `flush_and_sync`; threads use `SyncWalWriter::append_bytes_durable`; `WalReader::replay_bytes_each`; `resume`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let dir = FsDirectory::arc(plan.folder)?;
        let mut writer = WalWriter::with_options(dir, FlushPolicy::Manual, BUFFER_BYTES);
        writer.set_segment_size_limit_bytes(plan.segment_bytes);
        if plan.prepared {
            writer.set_preallocate_bytes(plan.segment_bytes);
        }
        Ok(Self { writer })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let mut writer = WalWriter::resume(FsDirectory::arc(plan.folder)?)?;
        writer.set_segment_size_limit_bytes(plan.segment_bytes);
        Ok(Self { writer })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.writer.append_bytes(record)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush_and_sync()?)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let reader = WalReader::<()>::new(FsDirectory::arc(plan.folder)?);
        let mut records = 0;
        reader.replay_bytes_each(|record| {
            each(&record.payload);
            records += 1;
            Ok(())
        })?;
        Ok(records)
    }

    fn share(self) -> Shared {
        Shared { writer: Arc::new(SyncWalWriter::from_writer(self.writer)) }
    }
}

#[derive(Clone)]
pub(crate) struct Shared {
    writer: Arc<SyncWalWriter<()>>,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        self.writer.append_bytes_durable(record)?;
        Ok(())
    }
}
