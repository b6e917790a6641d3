//! A toy search index: immutable segments of documents, merges and deletes, and a crash in the middle of a merge.
//!
//! ```sh
//! cargo run --example segment_index
//! ```
//!
//! Segments are files that never change; what happens to them goes into a write-ahead log of [`WalEntry`]. A segment counts from the
//! moment that its entry is durable, so a merge is one step, whatever it does to how many files. Must never let an entry name a file
//! that is not durable yet.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program for a host"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::{env, iter};

use durability::EntryId;
use durability::checkpoint::{
    CheckpointMeta, CheckpointOptions, read_checkpoint, write_checkpoint,
};
use durability::publish::{CheckpointPublisher, PublishOptions};
use durability::recover::{IndexState, RecoverOptions, RecoveryManager};
use durability::storage::{Directory as _, FsDirectory, Name, NameBuf, NameError};
use durability::walog::{WalEntry, WalOptions, WalWriter};

type Result<T> = core::result::Result<T, Box<dyn Error>>;

/// The documents of a segment; their numbers in it are their places.
type Documents = Vec<String>;

/// The index: its log, what the log adds up to, and the segments' documents.
struct Index {
    dir: FsDirectory,
    wal: WalWriter<WalEntry, FsDirectory>,
    state: IndexState,
    segments: BTreeMap<u64, Documents>,
}

/// A merge that has begun: the new segment, and where each of its documents was before.
struct Merge {
    id: u64,
    origins: Vec<(u64, u32)>,
}

impl Index {
    /// Opens the index and gives up the merges that a crash has left open.
    fn open(dir: &FsDirectory) -> Result<Self> {
        let mut wal = WalWriter::open(dir.clone(), WalOptions::new())?;
        let state = manager(dir).recover_through(&mut wal)?.state;
        let segments = load(dir, &state)?;
        let mut index = Self { dir: dir.clone(), wal, state, segments };
        let open: Vec<u64> = index.state.open_merges().keys().copied().collect();
        for merge in open {
            // crash: without the file the merge is as open as before, and the next start comes here again
            index.dir.remove(file_of(merge)?.as_name())?;
            let id = index.commit(&WalEntry::CancelMerge { merge })?;
            println!("entry {id}: merge {merge} is given up, and its file is gone");
        }
        Ok(index)
    }

    /// Writes an entry, makes it durable, and does what it says.
    fn commit(&mut self, entry: &WalEntry) -> Result<EntryId> {
        let id = self.wal.append(entry)?;
        let _durable = self.wal.flush_and_sync()?;
        self.state.apply(entry);
        Ok(id)
    }

    /// Segments and merges share their numbers: what a merge makes is called as the merge is.
    fn next_number(&self) -> u64 {
        let used = self.state.segments().keys().chain(self.state.open_merges().keys());
        used.max().map_or(1, |last| last + 1)
    }

    fn add(&mut self, documents: &[&str]) -> Result<()> {
        let segment = self.next_number();
        let documents: Documents = documents.iter().copied().map(String::from).collect();
        let count = write(&self.dir, segment, &documents)?; // crash: a file that no entry names; its number is given again
        let id = self.commit(&WalEntry::AddSegment { segment, documents: count })?;
        self.segments.insert(segment, documents);
        println!("entry {id}: segment {segment} has {count} documents");
        Ok(())
    }

    fn delete(&mut self, word: &str) -> Result<()> {
        let deletes = find(&self.state, &self.segments, word);
        let count = deletes.len();
        let id = self.commit(&WalEntry::DeleteDocuments { deletes })?;
        println!("entry {id}: {count} documents with \"{word}\" are deleted");
        Ok(())
    }

    /// The long part of a merge. Its sources stay as they are, and may lose documents meanwhile.
    fn begin_merge(&mut self, sources: &[u64]) -> Result<Merge> {
        let merge = self.next_number();
        let id = self.commit(&WalEntry::StartMerge { merge, segments: sources.to_vec() })?;
        println!("entry {id}: merge {merge} of segments {sources:?} begins");
        let live = live(&self.state, &self.segments).filter(|(at, _)| sources.contains(&at.0));
        let (origins, documents): (Vec<_>, Documents) =
            live.map(|(at, document)| (at, document.clone())).unzip();
        write(&self.dir, merge, &documents)?;
        self.segments.insert(merge, documents);
        Ok(Merge { id: merge, origins })
    }

    /// The short part: one entry takes the sources away and puts the new segment in their place.
    fn end_merge(&mut self, merge: &Merge) -> Result<()> {
        let gone = |(segment, document): &(u64, u32)| {
            self.state.segments().get(segment).is_none_or(|kept| kept.deleted.contains(document))
        };
        let places = (0_u32..).zip(&merge.origins);
        let deleted = places.filter(|(_, origin)| gone(origin)).map(|(place, _)| place).collect();
        let (segment, documents) = (merge.id, u32::try_from(merge.origins.len())?);
        let id =
            self.commit(&WalEntry::EndMerge { merge: merge.id, segment, documents, deleted })?;
        println!("entry {id}: merge {segment} is done, and takes the place of its sources");
        Ok(())
    }

    /// The state becomes a checkpoint. The log is kept whole, to go back in it; a real index would let it be pruned.
    fn checkpoint(&mut self) -> Result<()> {
        let options = PublishOptions::new().prune(false);
        let mut publisher = CheckpointPublisher::new(self.dir.clone(), options)?;
        let made = publisher.publish(&mut self.wal, &self.state)?;
        println!("checkpoint generation {}, of the state so far", made.generation());
        Ok(())
    }
}

fn manager(dir: &FsDirectory) -> RecoveryManager<FsDirectory> {
    RecoveryManager::new(dir.clone(), WalOptions::new(), RecoverOptions::new())
}

fn file_of(segment: u64) -> core::result::Result<NameBuf, NameError> {
    Name::new(&format!("seg/{segment:08}.SEG")).map(NameBuf::from)
}

/// Writes a segment's file, durably, and returns the number of its documents. Of a crash there may be a file that no entry names.
fn write(dir: &FsDirectory, segment: u64, documents: &Documents) -> Result<u32> {
    let file = file_of(segment)?;
    dir.remove(file.as_name())?;
    let meta = CheckpointMeta::default();
    let _whole = write_checkpoint(dir, file.as_name(), meta, CheckpointOptions::new(), documents)?;
    Ok(u32::try_from(documents.len())?)
}

/// Reads the files of a state's segments. (Files of segments that a merge has replaced stay, so that older states can be read too.)
fn load(dir: &FsDirectory, state: &IndexState) -> Result<BTreeMap<u64, Documents>> {
    let read = |&segment: &u64| {
        let file = file_of(segment)?;
        let (_meta, documents) = read_checkpoint(dir, file.as_name(), CheckpointOptions::new())?;
        Ok((segment, documents))
    };
    state.segments().keys().map(read).collect()
}

/// The documents that are there and not deleted, with segment and number.
fn live<'a>(
    state: &'a IndexState,
    segments: &'a BTreeMap<u64, Documents>,
) -> impl Iterator<Item = ((u64, u32), &'a String)> {
    state.segments().iter().flat_map(move |(&segment, kept)| {
        let documents = segments.get(&segment).into_iter().flatten();
        let places = iter::repeat(segment).zip(0_u32..);
        places.zip(documents).filter(|((_, number), _)| !kept.deleted.contains(number))
    })
}

fn find(state: &IndexState, segments: &BTreeMap<u64, Documents>, word: &str) -> Vec<(u64, u32)> {
    let hits = live(state, segments)
        .filter(|(_, document)| document.split_whitespace().any(|found| found == word));
    hits.map(|(at, _)| at).collect()
}

/// Fills an index, and leaves it in the middle of a merge. All that the log has been given was synced, so this is what a power cut would
/// leave as well.
fn crash_in_a_merge(dir: &FsDirectory) -> Result<()> {
    let mut index = Index::open(dir)?;
    index.add(&[
        "fog over the harbour",
        "a ship with a red sail",
        "the keeper counts the ships",
    ])?;
    index.add(&["rain and fog", "the harbour master signs the log"])?;
    index.delete("rain")?;
    let merge = index.begin_merge(&[1, 2])?;
    index.delete("red")?;
    index.end_merge(&merge)?;
    index.checkpoint()?;
    index.add(&["fog lifts", "a ship leaves the harbour"])?;
    let _unfinished = index.begin_merge(&[3, 4])?;
    println!("crash: the merged segment is written, and the end of the merge is not in the log");
    Ok(())
}

fn main() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let given = env::args_os().nth(1);
    let dir = FsDirectory::new(given.as_ref().map_or(scratch.path(), Path::new))?;
    if !manager(&dir).recover_latest()?.state.segments().is_empty() {
        return Err("the directory holds an index already; name a new one".into());
    }
    crash_in_a_merge(&dir)?;

    println!("\nWhat a look without the lock finds:");
    let found = manager(&dir).recover_latest()?;
    let (state, report) = (found.state, found.report);
    let generation = report.checkpoint.ok_or("the checkpoint is gone")?;
    println!(
        "  checkpoint generation {generation}, and {} entries after it",
        report.replay.entries
    );
    for (merge, sources) in state.open_merges() {
        println!("  merge {merge} of segments {sources:?} is open; they are as they were");
    }
    let hits = find(&state, &load(&dir, &state)?, "fog");
    println!("  \"fog\" is in {hits:?}");

    println!("\nOpening it:");
    let mut index = Index::open(&dir)?;
    if find(&index.state, &index.segments, "fog") != hits {
        return Err("the index has changed".into());
    }
    let merge = index.begin_merge(&[3, 4])?;
    index.end_merge(&merge)?;
    index.wal.close()?;

    println!("\nGoing back in the log:");
    let last = manager(&dir).recover_latest()?.last_id.ok_or("the log is empty")?;
    for id in (1..=last.get()).filter_map(EntryId::new) {
        let state = manager(&dir).recover_to(id)?.state;
        let hits = find(&state, &load(&dir, &state)?, "fog");
        let segments: Vec<_> = state.segments().keys().collect();
        println!("  after entry {id:>2}: segments {segments:?}, \"fog\" in {hits:?}");
    }
    Ok(())
}
