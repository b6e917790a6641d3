//! nodedb-wal 0.4.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use durability_benches::{Committer, Failure, Log, Plan};
use nodedb_wal::group_commit::PendingWrite;
use nodedb_wal::mmap_reader::MmapWalReader;
use nodedb_wal::segment::discover_segments;
use nodedb_wal::segmented::{SegmentedWal, SegmentedWalConfig};
use nodedb_wal::writer::{WalWriter, WalWriterConfig};
use nodedb_wal::{GroupCommitter, RecordType};

const KIND: u32 = RecordType::Put as u32;
const TENANT: u64 = 1;

pub(crate) struct Node {
    wal: SegmentedWal,
    folder: PathBuf,
}

impl Log for Node {
    type Committer = Shared;

    const NAME: &'static str = "nodedb-wal";
    const HOW: &'static str = "`SegmentedWal`: `append`, `sync`, which is its flush too; commits with its defaults (`O_DIRECT`, double writes), W1, W5 and W6 without `O_DIRECT`, with which it does not read back all that it wrote; threads use `GroupCommitter` over a `WalWriter`; `MmapWalReader`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        // Where the log is read again, without `O_DIRECT`: with it, the reader stops at the padding behind a block.
        let writer_config =
            WalWriterConfig { use_direct_io: plan.prepared, ..WalWriterConfig::default() };
        let config = SegmentedWalConfig {
            wal_dir: plan.folder.to_path_buf(),
            segment_target_size: plan.segment_bytes,
            writer_config,
        };
        Ok(Self { wal: SegmentedWal::open(config)?, folder: plan.folder.to_path_buf() })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.wal.append(KIND, TENANT, 0, 0, record)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.wal.sync()?)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let mut records = 0;
        for segment in discover_segments(plan.folder)? {
            let mut reader = MmapWalReader::open(&segment.path)?;
            while let Some(record) = reader.next_record()? {
                each(&record.payload);
                records += 1;
            }
        }
        Ok(records)
    }

    /// The group commit is over a single writer, in a file of its own.
    fn share(self) -> Shared {
        let path = self.folder.join("shared");
        drop(self.wal);
        let writer = WalWriter::open(&path, WalWriterConfig::default());
        let writer = writer.map(Mutex::new).map_err(|error| error.to_string());
        Shared { inner: Arc::new((GroupCommitter::new(), writer)) }
    }
}

type Writer = Result<Mutex<WalWriter>, String>;

#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<(GroupCommitter, Writer)>,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let (group, writer) = &*self.inner;
        let writer = writer.as_ref().map_err(String::clone)?;
        let write = PendingWrite {
            record_type: KIND,
            tenant_id: TENANT,
            vshard_id: 0,
            database_id: 0,
            payload: record.to_vec(),
        };
        if group.submit(writer, write)?.durable { Ok(()) } else { Err("not durable".into()) }
    }
}
