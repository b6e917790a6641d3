//! What operations ask of the directory and of the allocator, on a real folder. The laws are in `tests/tests/counts.rs`; this
//! prints the numbers.

use durability::ReadMode;
use durability::storage::FsDirectory;
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_benches::{Failure, Records, Scratch};
use durability_testkit::allocations::allocations;
use durability_testkit::faults::{Counters, FaultyDirectory, Operation};

type Dir = FaultyDirectory<FsDirectory>;

/// A folder, and the handle to what is counted there.
struct Counted {
    _scratch: Scratch,
    dir: Dir,
    counters: Counters,
}

impl Counted {
    fn new() -> Result<Self, Failure> {
        let scratch = Scratch::new()?;
        let dir = FaultyDirectory::new(FsDirectory::new(scratch.path())?);
        let counters = dir.counters();
        Ok(Self { _scratch: scratch, dir, counters })
    }

    fn writer(&self, options: WalOptions) -> Result<RawWalWriter<Dir>, Failure> {
        Ok(RawWalWriter::open(self.dir.clone(), options)?)
    }

    /// Counts some work and prints a row.
    fn row(
        &self,
        name: &str,
        times: u64,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let before = self.counters.counts();
        let (result, memory) = allocations(work);
        result?;
        let cost = self.counters.counts().since(&before);
        let of = |operation| per(cost.of(operation), times);
        let other_syncs = cost.of(Operation::SyncFile) + cost.of(Operation::SyncDir);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
            of(Operation::Write),
            per(cost.bytes_written, times),
            of(Operation::SyncData),
            per(other_syncs, times),
            of(Operation::Open),
            of(Operation::Read),
            cost.bytes_read.checked_div(cost.of(Operation::Read)).unwrap_or(0),
            per(memory.calls, times),
        );
        Ok(())
    }
}

/// A count for each of many, without decimals where there are none.
fn per(count: u64, times: u64) -> String {
    let each = count as f64 / times as f64;
    if count.is_multiple_of(times) { format!("{each:.0}") } else { format!("{each:.4}") }
}

/// Prints the table.
pub(crate) fn run() -> Result<(), Failure> {
    println!("for each operation, on a real folder\n");
    println!(
        "| operation | writes | bytes written | data syncs | other syncs | opens | reads | bytes a read | allocations |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    appends()?;
    replays()?;
    opens()
}

fn appends() -> Result<(), Failure> {
    let records = Records::new(64);
    let record = records.get(0);
    let counted = Counted::new()?;
    let mut wal = counted.writer(WalOptions::new())?;
    counted.row("append, 64 B, to a buffer with room", 1000, || {
        for _ in 0..1000 {
            wal.append(record)?;
        }
        Ok(())
    })?;
    wal.flush()?;
    counted.row("append, 64 B, 1 MiB buffer", 1_000_000, || {
        for _ in 0..1_000_000 {
            wal.append(record)?;
        }
        Ok(())
    })?;
    // Since the segment was rotated meanwhile, its name is to be synced once.
    let _ = wal.flush_and_sync()?;
    counted.row("append + flush", 1000, || {
        for _ in 0..1000 {
            wal.append(record)?;
            wal.flush()?;
        }
        Ok(())
    })?;
    counted.row("append + sync", 100, || {
        for _ in 0..100 {
            wal.append(record)?;
            let _ = wal.flush_and_sync()?;
        }
        Ok(())
    })?;
    let batch = vec![record; 100];
    counted.row("batch of 100, flushed", 100, || {
        for _ in 0..100 {
            wal.append_batch(&batch)?;
        }
        Ok(())
    })
}

fn replays() -> Result<(), Failure> {
    for bytes in [64, 16 << 10] {
        let records = Records::new(bytes);
        let counted = Counted::new()?;
        let count = records.count_for(32 << 20);
        let mut wal = counted.writer(WalOptions::new())?;
        for index in 0..count {
            wal.append(records.get(index))?;
        }
        wal.close()?;
        let mut reader = RawWalReader::open(counted.dir.clone(), WalOptions::new())?;
        let mut entries = reader.entries(ReadMode::Strict)?;
        counted.row(&format!("replay of 32 MiB, {bytes} B"), 1, || {
            while entries.next()?.is_some() {}
            Ok(())
        })?;
    }
    Ok(())
}

fn opens() -> Result<(), Failure> {
    let options = || WalOptions::new().segment_bytes(64 << 10);
    let records = Records::new(1 << 10);
    let counted = Counted::new()?;
    let mut wal = counted.writer(options())?;
    let mut index = 0;
    while wal.segments().count() <= 100 {
        wal.append(records.get(index))?;
        index += 1;
    }
    wal.close()?;
    counted.row("open to read, 100 sealed segments", 1, || {
        RawWalReader::open(counted.dir.clone(), options())?;
        Ok(())
    })?;
    counted.row("open to write, 100 sealed segments", 1, || {
        RawWalWriter::open(counted.dir.clone(), options())?;
        Ok(())
    })
}
