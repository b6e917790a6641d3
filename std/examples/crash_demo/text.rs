//! The text whose lines are the records, over and over, and what they add up to.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Result;

/// A harbour's logbook, made up for this program. Some of its lines are empty, and some longer than a small buffer.
const BUNDLED: &str = include_str!("../data/logbook.txt");

pub(crate) struct Text {
    name: PathBuf,
    lines: Vec<String>,
}

impl Text {
    /// The lines of a file, or of the bundled text. Bytes that are not UTF-8 are replaced: the records are strings.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let (name, content) = match file {
            None => ("a bundled logbook".into(), BUNDLED.to_owned()),
            Some(path) => {
                let bytes = fs::read(path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                (path.to_owned(), String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        let lines: Vec<String> = content.lines().map(String::from).collect();
        if lines.is_empty() {
            return Err(format!("{} has no lines", name.display()).into());
        }
        Ok(Self { name, lines })
    }

    /// The record of an entry id: the text begins again behind its last line.
    pub(crate) fn record(&self, id: u64) -> &String {
        let count = self.lines.len() as u64;
        let index = usize::try_from(id.wrapping_sub(1) % count).unwrap_or_default();
        &self.lines[index]
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines of {}", self.lines.len(), self.name.display())
    }
}

/// The state that the log is a log of, and that checkpoints hold: enough to tell any two prefixes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    bytes: u64,
    hash: u64,
}

impl Tally {
    pub(crate) const EMPTY: Self = Self { records: 0, bytes: 0, hash: 0xCBF2_9CE4_8422_2325 };

    pub(crate) fn add(&mut self, record: &str) {
        self.records += 1;
        self.bytes += record.len() as u64;
        // FNV-1a, with the end of the record as a byte that no text has.
        for byte in record.bytes().chain([0xFF]) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}
