//! Planted losses: they show that the judge can say no. Each must end the demonstration with exit code 1.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::Path;

use durability::ReadMode;
use durability::storage::FsDirectory;
use durability::walog::RawWalReader;

use crate::Result;
use crate::writer::wal_options;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The writer acknowledges what it has only appended.
    Early,
    /// The parent cuts the last acknowledged entry off, before it recovers.
    Cut,
}

impl Sabotage {
    pub(crate) fn parse(word: &OsStr) -> Option<Self> {
        [Self::Early, Self::Cut].into_iter().find(|sabotage| word == sabotage.word())
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Cut => "cut",
        }
    }
}

/// Cuts the file of the log where entry `id` begins. Where a checkpoint has taken the entry's place there is nothing to cut.
pub(crate) fn cut(path: &Path, id: u64) -> Result<()> {
    let mut reader = RawWalReader::open(FsDirectory::new(path)?, wal_options())?;
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    while let Some(entry) = entries.next()? {
        if entry.id == id {
            let file = path.join(format!("wal/{:08X}.WAL", entry.segment));
            return Ok(OpenOptions::new().write(true).open(file)?.set_len(entry.offset)?);
        }
    }
    Ok(())
}
