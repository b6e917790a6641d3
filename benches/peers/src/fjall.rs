//! fjall 3.

use durability_benches::{Committer, Failure, Log, Plan};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) struct Fjall {
    database: Database,
    items: Keyspace,
    next: u64,
}

fn open(plan: &Plan<'_>) -> Result<(Database, Keyspace), Failure> {
    let database = Database::builder(plan.folder).open()?;
    let options = || KeyspaceCreateOptions::default().manual_journal_persist(true);
    let items = database.keyspace("items", options)?;
    Ok((database, items))
}

impl Log for Fjall {
    type Committer = Shared;

    const NAME: &'static str = "fjall";
    const HOW: &'static str = "a database: records under growing keys, `insert`, one write batch for a batch, `persist` with `Buffer` or `SyncData`; replay iterates";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let (database, items) = open(plan)?;
        Ok(Self { database, items, next: 1 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let (database, items) = open(plan)?;
        let last = match items.last_key_value() {
            None => 0,
            Some(last) => u64::from_be_bytes(last.key()?.as_ref().try_into()?),
        };
        Ok(Self { database, items, next: last + 1 })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.items.insert(self.next.to_be_bytes(), record)?;
        self.next += 1;
        Ok(())
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let mut batch = self.database.batch();
        for record in records {
            batch.insert(&self.items, self.next.to_be_bytes(), *record);
            self.next += 1;
        }
        Ok(batch.commit()?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.database.persist(PersistMode::Buffer)?)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let (_database, items) = open(plan)?;
        let mut records = 0;
        for item in items.iter() {
            each(&item.value()?);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Shared {
        let next = Arc::new(AtomicU64::new(self.next));
        Shared { database: self.database, items: self.items, next }
    }
}

#[derive(Clone)]
pub(crate) struct Shared {
    database: Database,
    items: Keyspace,
    next: Arc<AtomicU64>,
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let key = self.next.fetch_add(1, Relaxed);
        self.items.insert(key.to_be_bytes(), record)?;
        Ok(self.database.persist(PersistMode::SyncData)?)
    }
}
