//! redb 4.

use durability_benches::{Failure, Log, Mutexed, Plan};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Appends are gathered in one transaction of about that many bytes.
const PENDING_BYTES: usize = 1 << 20;

pub(crate) struct Redb {
    database: Database,
    next: u64,
    pending: Vec<Vec<u8>>,
    pending_bytes: usize,
}

impl Redb {
    fn commit(&mut self, durability: Durability) -> Result<(), Failure> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for record in self.pending.drain(..) {
                table.insert(self.next, record.as_slice())?;
                self.next += 1;
            }
        }
        self.pending_bytes = 0;
        Ok(transaction.commit()?)
    }
}

impl Log for Redb {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "redb";
    const HOW: &'static str = "a database: records under growing keys, one transaction a commit, appends without a sync in transactions of 1 MiB without durability; threads share it behind a mutex, writers being one at a time; replay iterates";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        std::fs::create_dir_all(plan.folder)?;
        let database = Database::create(plan.folder.join("database"))?;
        Ok(Self { database, next: 1, pending: Vec::new(), pending_bytes: 0 })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        let mut log = Self::create(plan)?;
        let transaction = log.database.begin_read()?;
        let last = transaction.open_table(TABLE)?.last()?.map_or(0, |last| last.0.value());
        log.next = last + 1;
        Ok(log)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.pending.push(record.to_vec());
        self.pending_bytes += record.len();
        if self.pending_bytes >= PENDING_BYTES { self.flush() } else { Ok(()) }
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        self.pending.extend(records.iter().map(|record| record.to_vec()));
        self.pending_bytes += records.iter().map(|record| record.len()).sum::<usize>();
        if self.pending_bytes >= 2 * PENDING_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.commit(Durability::None)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.commit(Durability::Immediate)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let database = Database::open(plan.folder.join("database"))?;
        let transaction = database.begin_read()?;
        let mut records = 0;
        for item in transaction.open_table(TABLE)?.iter()? {
            each(item?.1.value());
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
