//! What the tests of the logs share: images of directories, entries read raw, and a second reader of the format.
//!
//! Must never use the code under test to predict what it should do: [`format`] is written from FORMAT.md.
#![allow(dead_code, reason = "every test uses its own part of it")]

pub(crate) mod format;

use std::collections::BTreeMap;

use durability_core::storage::{Directory, MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, TornTail, WalOptions};
use durability_core::{EntryId, Error, ReadMode};

/// An entry's id and payload.
pub(crate) type Entry = (u64, Vec<u8>);

/// What a reader sees: the entries, and the torn tail.
pub(crate) type Read = (Vec<Entry>, Option<TornTail>);

/// All files of a directory.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

pub(crate) fn id(number: u64) -> EntryId {
    EntryId::new(number).expect("ids start at 1")
}

pub(crate) fn name(text: &str) -> Name<'_> {
    Name::new(text).expect("a good name")
}

/// The file of a segment.
pub(crate) fn segment(number: u32) -> String {
    format!("wal/{number:08X}.WAL")
}

/// What a directory holds.
pub(crate) fn image(dir: &MemoryDirectory) -> Image {
    let content = |file: &String| dir.contents(name(file)).expect("a file that was listed");
    dir.names().iter().map(|file| (file.clone(), content(file))).collect()
}

/// A directory that holds this.
pub(crate) fn disk(image: &Image) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    for (file, bytes) in image {
        dir.put(name(file), bytes.clone());
    }
    dir
}

/// Small segments, buffers and blocks, so that a short log has many of each.
pub(crate) fn small() -> WalOptions {
    WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256)
}

/// Everything that a reader without the lock sees, and the torn tail that it reports.
pub(crate) fn look<D: Directory>(
    dir: D,
    options: WalOptions,
    mode: ReadMode,
) -> Result<Read, Error<D::Error>> {
    let mut reader = RawWalReader::open(dir, options)?;
    drain(&mut reader, mode)
}

/// Everything that a reader shows.
pub(crate) fn drain<D: Directory>(
    reader: &mut RawWalReader<D>,
    mode: ReadMode,
) -> Result<Read, Error<D::Error>> {
    let mut found = Vec::new();
    let mut entries = reader.entries(mode)?;
    while let Some(entry) = entries.next()? {
        found.push((entry.id.get(), entry.payload.to_vec()));
    }
    Ok((found, entries.report().torn.clone()))
}

/// The log's entries; strict.
pub(crate) fn entries<D: Directory>(
    dir: D,
    options: WalOptions,
) -> Result<Vec<Entry>, Error<D::Error>> {
    look(dir, options, ReadMode::Strict).map(|(entries, _)| entries)
}

/// The payload of entry `id`: its length differs from its neighbours', and no two are alike.
pub(crate) fn payload(id: u64) -> Vec<u8> {
    let length = usize::try_from(id * 7 % 23).expect("small") + 4;
    let number = u32::try_from(id).expect("small").to_le_bytes();
    (0..length).map(|at| number[at % 4] ^ u8::try_from(at * 37 % 251).expect("small")).collect()
}

/// The entries of these ids, as [`payload`] has them.
pub(crate) fn expected(ids: core::ops::RangeInclusive<u64>) -> Vec<Entry> {
    ids.map(|id| (id, payload(id))).collect()
}
