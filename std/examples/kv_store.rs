//! A small crash-safe key-value store for the shell, to be read as a tutorial:
//!
//! ```sh
//! cargo run --example kv_store -- /tmp/kv-demo set greeting hello
//! ```
//!
//! The whole store is a map in memory. Every change is an entry of a write-ahead log, and durable before the command says so;
//! every few entries the map becomes a checkpoint, and the part of the log that it covers goes. Must never report a change that a power cut
//! could take back.
//!
//! Exit code: 0, or 1 if there is no such key, or 2 for any error, a second writer at work included.

#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program for a host"
)]

use std::collections::BTreeMap;
use std::env;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;

use durability::publish::{CheckpointPublisher, PublishOptions};
use durability::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability::storage::{FsDirectory, FsError};
use durability::walog::{WalOptions, WalReader, WalWriter};
use durability::{EntryId, Error};
use serde::{Deserialize, Serialize};

const USAGE: &str = "usage: kv_store DIR set KEY VALUE | get KEY | delete KEY | list | stats";

/// A checkpoint is published once that many entries have come after the last one: no start has to replay more.
const CHECKPOINT_ENTRIES: u64 = 32;

/// 1. What goes into the log: one entry for each change. Variants may be added at the end, never reordered.
#[derive(Debug, Serialize, Deserialize)]
enum Change {
    Set { key: String, value: String },
    Delete { key: String },
}

/// 2. What the log adds up to.
type Map = BTreeMap<String, String>;

/// How an entry changes the map: the same for a change that is made now and for one that is replayed.
fn apply(map: &mut Map, change: Change) {
    match change {
        Change::Set { key, value } => {
            map.insert(key, value);
        }
        Change::Delete { key } => {
            map.remove(&key);
        }
    }
}

/// Small segments, so that even a small store gets rid of old ones.
fn wal_options() -> WalOptions {
    WalOptions::new().segment_bytes(16 << 10)
}

/// 3. The store: the log, the map, and how far the newest checkpoint reaches.
struct Store {
    wal: WalWriter<Change, FsDirectory>,
    map: Map,
    checkpoint_last_id: Option<EntryId>,
}

impl Store {
    /// 4. Opening is recovering, whatever the last run has left. What is found here survives any later crash.
    fn open(path: &Path) -> Result<Self, Box<dyn StdError>> {
        let dir = FsDirectory::new(path)?;
        let mut wal = WalWriter::open(dir, wal_options())?; // takes the lock, or names who has it
        let recovered = recover_with_wal(&mut wal, &RecoverOptions::new(), Map::new(), replay)?;
        let checkpoint_last_id = recovered.report.checkpoint_last_id;
        Ok(Self { wal, map: recovered.state, checkpoint_last_id })
    }

    /// 5. A change is appended, then synced, and only then real.
    fn commit(&mut self, change: Change) -> Result<EntryId, Box<dyn StdError>> {
        let id = self.wal.append(&change)?;
        let _durable = self.wal.flush_and_sync()?; // crash: before it the change is there or not; after it, it is
        apply(&mut self.map, change);
        if id.get() - self.checkpoint_last_id.map_or(0, EntryId::get) >= CHECKPOINT_ENTRIES {
            self.checkpoint()?;
        }
        Ok(id)
    }

    /// 6. The map takes the place of the entries that it includes. A crash at any moment leaves the old way to the state, or the new one.
    fn checkpoint(&mut self) -> Result<(), Error<FsError>> {
        let dir = self.wal.directory().clone();
        let mut publisher = CheckpointPublisher::new(dir, PublishOptions::new())?;
        self.checkpoint_last_id = publisher.publish(&mut self.wal, &self.map)?.last_id();
        Ok(())
    }
}

/// `apply` in the form that recovery calls.
#[expect(clippy::unnecessary_wraps, reason = "another visitor may fail")]
fn replay(map: &mut Map, _id: EntryId, change: Change) -> Result<(), Error<FsError>> {
    apply(map, change);
    Ok(())
}

/// 8. A look at a store without its lock, while another process may be writing to it. Nothing is changed, not even repaired.
fn stats(path: &Path) -> Result<(), Box<dyn StdError>> {
    let dir = FsDirectory::new(path)?;
    let reader = WalReader::<Change, _>::open(&dir, wal_options())?;
    let (first, sealed) = (reader.first_entry_id(), reader.raw().sealed_segments().count());
    let found: Recovered<Map> =
        recover_read_only(&dir, wal_options(), &RecoverOptions::new(), Map::new(), replay)?;
    let last = found.last_id.map_or(0, EntryId::get);
    let report = found.report;
    println!("keys        {}", found.state.len());
    println!("entries     {}", (last + 1).saturating_sub(first.get()));
    println!("last id     {last}");
    println!("segments    {sealed} sealed, and the tail");
    match (report.checkpoint, report.checkpoint_last_id) {
        (Some(generation), Some(id)) => {
            println!("checkpoint  generation {generation}, up to entry {id}");
        }
        _ => println!("checkpoint  none"),
    }
    match report.replay.torn {
        Some(torn) => println!("torn tail   {} bytes in {}", torn.bytes, torn.file),
        None => println!("torn tail   none"),
    }
    Ok(())
}

fn list(map: &Map) {
    let mut out = stdout().lock();
    // An error is no failure: `kv_store … list | head` has seen enough.
    let _seen = map.iter().try_for_each(|(key, value)| writeln!(out, "{key}\t{value}"));
}

/// Carries out one command; `false` if there is no such key.
fn run(arguments: &[&str]) -> Result<bool, Box<dyn StdError>> {
    match arguments {
        [dir, "set", key, value] => {
            let mut store = Store::open(Path::new(dir))?;
            let (key, value) = ((*key).to_owned(), (*value).to_owned());
            let id = store.commit(Change::Set { key, value })?;
            println!("durable, as entry {id}");
            store.wal.close()?; // 7. nothing would be lost without it; with it the next start finds a clean end
            Ok(true)
        }
        [dir, "delete", key] => {
            let mut store = Store::open(existing(dir)?)?;
            let found = store.map.contains_key(*key);
            if found {
                let id = store.commit(Change::Delete { key: (*key).to_owned() })?;
                println!("durable, as entry {id}");
            }
            store.wal.close()?;
            Ok(found)
        }
        [dir, "get", key] => {
            let store = Store::open(existing(dir)?)?;
            Ok(store.map.get(*key).map(|value| println!("{value}")).is_some())
        }
        [dir, "list"] => {
            list(&Store::open(existing(dir)?)?.map);
            Ok(true)
        }
        [dir, "stats"] => stats(existing(dir)?).map(|()| true),
        _ => Err(USAGE.into()),
    }
}

/// Only `set` makes a new store.
fn existing(dir: &str) -> Result<&Path, String> {
    let path = Path::new(dir);
    if path.is_dir() { Ok(path) } else { Err(format!("there is no store in {dir}")) }
}

fn main() -> ExitCode {
    let arguments: Result<Vec<String>, OsString> =
        env::args_os().skip(1).map(OsString::into_string).collect();
    let arguments = arguments.unwrap_or_default();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("kv_store: no such key");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("kv_store: {error}");
            ExitCode::from(2)
        }
    }
}
