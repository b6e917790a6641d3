//! The README's first example, to the letter: a test compares the two. Run it twice, and the second run finds what the first one left.
#![allow(clippy::std_instead_of_core, reason = "a program for a host")]

use durability::storage::FsDirectory;
use durability::walog::{WalOptions, WalWriter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = FsDirectory::new(std::env::temp_dir().join("durability-quick-start"))?;
    let mut wal = WalWriter::open(dir, WalOptions::new())?; // recovers, whatever the last run left
    wal.append(&String::from("paid 12.50"))?;
    let durable = wal.flush_and_sync()?; // survives power loss from here on
    println!("durable through entry {:?}", durable.through());
    for (id, entry) in wal.reader()?.replay()? {
        println!("{id}: {entry}");
    }
    Ok(wal.close()?)
}
