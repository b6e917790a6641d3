//! Looking at a directory in memory from outside.

use std::collections::BTreeMap;

use durability_core::storage::{MemoryDirectory, Name};

/// All files, by name.
pub(crate) fn contents(dir: &MemoryDirectory) -> BTreeMap<String, Vec<u8>> {
    dir.names().into_iter().map(|name| (name.clone(), read(dir, &name))).collect()
}

pub(crate) fn read(dir: &MemoryDirectory, name: &str) -> Vec<u8> {
    dir.contents(Name::new(name).unwrap()).unwrap_or_default()
}

pub(crate) fn put(dir: &MemoryDirectory, name: &str, bytes: Vec<u8>) {
    dir.put(Name::new(name).unwrap(), bytes);
}

/// A directory of its own with the same files.
pub(crate) fn copy(dir: &MemoryDirectory) -> MemoryDirectory {
    let to = MemoryDirectory::new();
    for (name, bytes) in contents(dir) {
        put(&to, &name, bytes);
    }
    to
}

/// The highest segment's file.
pub(crate) fn last_segment(dir: &MemoryDirectory) -> Option<String> {
    dir.names().into_iter().rfind(|name| name.ends_with(".WAL"))
}

/// A segment's file.
pub(crate) fn segment(number: u32) -> String {
    format!("wal/{number:08X}.WAL")
}

/// The number in a file's name.
pub(crate) fn number(name: &str) -> u32 {
    let digits = name.rsplit('/').next().and_then(|file| file.get(..8)).unwrap_or("0");
    u32::from_str_radix(digits, 16).unwrap_or(0)
}
