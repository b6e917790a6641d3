//! SQLite through rusqlite, in WAL mode.

use durability_benches::{Failure, Log, Mutexed, Plan};
use rusqlite::Connection;

pub(crate) struct Sqlite {
    connection: Connection,
    in_transaction: bool,
}

fn open(plan: &Plan<'_>) -> Result<Connection, Failure> {
    std::fs::create_dir_all(plan.folder)?;
    let connection = Connection::open(plan.folder.join("database"))?;
    // With FULL, every commit is synced; with less, none is.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, record BLOB NOT NULL);",
    )?;
    Ok(connection)
}

impl Log for Sqlite {
    type Committer = Mutexed<Self>;

    const NAME: &'static str = "SQLite";
    const HOW: &'static str = "`rusqlite`, bundled, WAL mode, `synchronous = FULL`: one transaction a commit, a prepared statement a record; W1 is one transaction, synced at its end; threads share the connection behind a mutex, writers being one at a time; replay is a `SELECT`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        Ok(Self { connection: open(plan)?, in_transaction: false })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        if !self.in_transaction {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.in_transaction = true;
        }
        self.connection
            .prepare_cached("INSERT INTO records (record) VALUES (?1)")?
            .execute([record])?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn sync(&mut self) -> Result<(), Failure> {
        if self.in_transaction {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.in_transaction = false;
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()?;
        Ok(self.connection.close().map_err(|(_, error)| error)?)
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let connection = open(plan)?;
        let mut statement = connection.prepare("SELECT record FROM records ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut records = 0;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?);
            records += 1;
        }
        Ok(records)
    }

    fn share(self) -> Mutexed<Self> {
        Mutexed::new(self)
    }
}
