//! RocksDB, by its log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use durability_benches::{Committer, Failure, Log, Plan};
use rocksdb::{DB, IteratorMode, Options, WriteBatch, WriteOptions};

pub(crate) struct Rocks {
    database: DB,
    next: u64,
}

fn open(plan: &Plan<'_>) -> Result<DB, Failure> {
    let mut options = Options::default();
    options.create_if_missing(true);
    // Appends wait in its buffer until they are flushed, as everywhere else here.
    options.set_manual_wal_flush(true);
    Ok(DB::open(&options, plan.folder)?)
}

fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

impl Log for Rocks {
    type Committer = Shared;

    const NAME: &'static str = "RocksDB";
    const HOW: &'static str = "a database: records under growing keys, `put`, one write batch for a batch, `flush_wal`; threads `put` with `sync`, which groups commits; replay iterates";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        Ok(Self { database: open(plan)?, next: 1 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let database = open(plan)?;
        let last = match database.iterator(IteratorMode::End).next() {
            None => 0,
            Some(last) => u64::from_be_bytes(last?.0.as_ref().try_into()?),
        };
        Ok(Self { database, next: last + 1 })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.database.put(self.next.to_be_bytes(), record)?;
        self.next += 1;
        Ok(())
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let mut batch = WriteBatch::default();
        for record in records {
            batch.put(self.next.to_be_bytes(), record);
            self.next += 1;
        }
        Ok(self.database.write(batch)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.database.flush_wal(false)?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.database.flush_wal(true)?)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let database = open(plan)?;
        let mut records = 0;
        for item in database.iterator(IteratorMode::Start) {
            each(&item?.1);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Shared {
        Shared { database: Arc::new(self.database), next: Arc::new(AtomicU64::new(self.next)) }
    }
}

#[derive(Clone)]
pub(crate) struct Shared {
    database: Arc<DB>,
    next: Arc<AtomicU64>,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let key = self.next.fetch_add(1, Relaxed).to_be_bytes();
        Ok(self.database.put_opt(key, record, &synced())?)
    }
}
