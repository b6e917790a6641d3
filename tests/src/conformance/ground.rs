//! What every law stands on: the operations of a directory, with each failure turned into a broken law.
//!
//! Must never do what the contract forbids users to do: off-granule writes, a reader beside an appender, or writes after
//! an error.

use std::fmt::{Debug, Display};

use durability_core::embedded_io::{Error as _, ErrorKind, Read as _, Write as _};
use durability_core::storage::{AppendFile as _, Directory, Folder, Name, StoreError as _};

use super::report::Broken;
use crate::shared::offset;

/// How often a read that answers "interrupted" is tried again before that counts as a failure.
const RETRIES_MAX: u32 = 100;

/// How many reads of 512 bytes room may take: 64 MiB, so that a file without an end does not hang the suite.
const ROOM_READS_MAX: u32 = 128 * 1024;

/// A directory under one law.
pub(super) struct Ground<'a, D: Directory> {
    pub(super) dir: &'a D,
    law: &'static str,
    granule: usize,
}

/// The kit's own names are constants; one that breaks the rules is a bug of the kit.
#[expect(clippy::expect_used, reason = "constants of the suite, not input")]
pub(super) fn name(text: &'static str) -> Name<'static> {
    Name::new(text).expect("the suite's names are valid")
}

/// As [`name`], for folders.
#[expect(clippy::expect_used, reason = "constants of the suite, not input")]
pub(super) fn folder(text: &'static str) -> Folder<'static> {
    Folder::new(text).expect("the suite's folders are valid")
}

impl<'a, D: Directory> Ground<'a, D> {
    pub(super) fn new(law: &'static str, dir: &'a D) -> Self {
        let granule = usize::try_from(dir.capabilities().write_granule()).unwrap_or(1).max(1);
        Self { dir, law, granule }
    }

    pub(super) fn broken(
        &self,
        step: &'static str,
        expected: impl Display,
        found: impl Display,
    ) -> Broken {
        let (expected, found) = (expected.to_string(), found.to_string());
        Broken { law: self.law, step, expected, found }
    }

    /// The law is broken unless `condition` holds.
    pub(super) fn holds(
        &self,
        step: &'static str,
        condition: bool,
        expected: impl Display,
        found: impl Debug,
    ) -> Result<(), Broken> {
        if condition { Ok(()) } else { Err(self.broken(step, expected, format!("{found:?}"))) }
    }

    /// The operation must succeed.
    pub(super) fn works<T>(
        &self,
        step: &'static str,
        result: Result<T, D::Error>,
    ) -> Result<T, Broken> {
        result.map_err(|error| self.broken(step, "success", format!("the error {error:?}")))
    }

    /// The operation must succeed, or be one that the backend does not have; tells whether it has it.
    pub(super) fn works_if_there(
        &self,
        step: &'static str,
        result: Result<(), D::Error>,
    ) -> Result<bool, Broken> {
        match result {
            Err(error) if error.is_unsupported() => Ok(false),
            other => self.works(step, other).map(|()| true),
        }
    }

    /// The operation must be refused as one that the backend does not have.
    pub(super) fn is_refused<T>(
        &self,
        step: &'static str,
        result: Result<T, D::Error>,
    ) -> Result<(), Broken> {
        let expected = "an error that is_unsupported()";
        match result {
            Err(error) if error.is_unsupported() => Ok(()),
            Err(error) => Err(self.broken(step, expected, format!("the error {error:?}"))),
            Ok(_) => Err(self.broken(step, expected, "success")),
        }
    }

    /// Test bytes, about `length` of them: a multiple of the granule, no byte 0x00 or 0xFF.
    pub(super) fn bytes(&self, seed: u8, length: usize) -> Vec<u8> {
        let length = length.max(1).next_multiple_of(self.granule);
        (0..length)
            .map(|at| {
                let mixed =
                    at.wrapping_mul(31) ^ (at >> 8).wrapping_mul(57) ^ (usize::from(seed) * 101);
                u8::try_from(mixed % 254).unwrap_or(0) + 1
            })
            .collect()
    }

    /// Creates a file that is not there yet.
    pub(super) fn create(&self, file: Name<'_>, reserve: u64) -> Result<D::Appender, Broken> {
        let step = "creating a file whose name is free";
        let created = self.works(step, self.dir.create(file, reserve))?;
        created.ok_or_else(|| self.broken(step, "a new file", "None, as if the name were taken"))
    }

    /// Writes all of `data`, judging every count and position on the way.
    pub(super) fn write(&self, file: &mut D::Appender, data: &[u8]) -> Result<(), Broken> {
        let step = "writing";
        let mut rest = data;
        while !rest.is_empty() {
            let before = file.position();
            let count = self.works(step, file.write(rest))?;
            let whole = count > 0 && count <= rest.len() && count % self.granule == 0;
            let expected = format!("1 to {} bytes, in granules of {}", rest.len(), self.granule);
            self.holds("the count that a write returns", whole, expected, count)?;
            let expected = before.saturating_add(offset(count));
            let found = file.position();
            self.holds("the position after a write", found == expected, expected, found)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Creates a file with this content, flushed, synced where that is possible, and closed.
    pub(super) fn put(&self, file: Name<'_>, data: &[u8]) -> Result<(), Broken> {
        let mut appender = self.create(file, 0)?;
        self.write(&mut appender, data)?;
        self.finish(appender)
    }

    /// Flushes, syncs where that is possible, and closes.
    pub(super) fn finish(&self, mut file: D::Appender) -> Result<(), Broken> {
        self.works("flushing", file.flush())?;
        self.works_if_there("syncing the data", file.sync_data())?;
        Ok(())
    }

    /// Opens a file that is there.
    pub(super) fn open(&self, file: Name<'_>) -> Result<D::Reader, Broken> {
        let step = "opening a file that exists";
        let opened = self.works(step, self.dir.open(file))?;
        opened.ok_or_else(|| self.broken(step, "the file", "None, as if it were absent"))
    }

    pub(super) fn is_absent(&self, step: &'static str, file: Name<'_>) -> Result<(), Broken> {
        let opened = self.works(step, self.dir.open(file))?;
        self.holds(step, opened.is_none(), "None", "a file")
    }

    /// One `read`, retried while it is interrupted.
    pub(super) fn read(&self, file: &mut D::Reader, buffer: &mut [u8]) -> Result<usize, Broken> {
        self.retry("reading", buffer, |buffer| file.read(buffer))
    }

    /// One reading call, retried while it is interrupted, its count judged.
    pub(super) fn retry(
        &self,
        step: &'static str,
        buffer: &mut [u8],
        mut call: impl FnMut(&mut [u8]) -> Result<usize, D::Error>,
    ) -> Result<usize, Broken> {
        let mut left = RETRIES_MAX;
        loop {
            match call(buffer) {
                Err(error) if left > 0 && error.kind() == ErrorKind::Interrupted => left -= 1,
                result => {
                    let count = self.works(step, result)?;
                    let fits = count <= buffer.len();
                    self.holds(step, fits, "a count within the buffer", count)?;
                    return Ok(count);
                }
            }
        }
    }

    /// Reads from the cursor until `limit` bytes or the end.
    pub(super) fn read_up_to(&self, file: &mut D::Reader, limit: usize) -> Result<Vec<u8>, Broken> {
        let mut bytes = vec![0; limit];
        let mut filled = 0;
        while let Some(buffer) = bytes.get_mut(filled..).filter(|buffer| !buffer.is_empty()) {
            match self.read(file, buffer)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The file must begin with `content`, and hold nothing but room after it.
    pub(super) fn has(
        &self,
        step: &'static str,
        file: Name<'_>,
        content: &[u8],
    ) -> Result<(), Broken> {
        let mut reader = self.open(file)?;
        let found = self.read_up_to(&mut reader, content.len())?;
        self.same(step, &found, content)?;
        self.only_room_follows(&mut reader)
    }

    /// The two must be equal; says where they part.
    pub(super) fn same(
        &self,
        step: &'static str,
        found: &[u8],
        expected: &[u8],
    ) -> Result<(), Broken> {
        if found == expected {
            return Ok(());
        }
        let part = found.iter().zip(expected).take_while(|(left, right)| left == right).count();
        let shown = |bytes: &[u8]| {
            let next = bytes.get(part..).unwrap_or_default();
            format!("{} bytes, from {part} on {:02x?}", bytes.len(), &next[..next.len().min(8)])
        };
        Err(self.broken(step, shown(expected), shown(found)))
    }

    /// From the cursor on, everything must read as zeros, as 0xFF, or as the end.
    pub(super) fn only_room_follows(&self, file: &mut D::Reader) -> Result<(), Broken> {
        let mut buffer = [0; 512];
        for _ in 0..ROOM_READS_MAX {
            let count = self.read(file, &mut buffer)?;
            let chunk = buffer.get(..count).unwrap_or_default();
            if chunk.is_empty() {
                return Ok(());
            }
            let stray = chunk.iter().find(|byte| !matches!(byte, 0x00 | 0xFF));
            let step = "the room behind what was written";
            self.holds(step, stray.is_none(), "zeros, 0xFF or the end", stray)?;
        }
        Err(self.broken("the room behind what was written", "an end", "none for millions of bytes"))
    }

    /// The names that `list` reports, sorted; duplicates stay.
    pub(super) fn list(&self, folder: Folder<'_>) -> Result<Vec<String>, Broken> {
        let mut names = Vec::new();
        let listed = self.dir.list(folder, &mut |name| names.push(name.to_owned()));
        self.works("listing", listed)?;
        names.sort();
        Ok(names)
    }

    pub(super) fn lists(
        &self,
        step: &'static str,
        folder: Folder<'_>,
        expected: &[&str],
    ) -> Result<(), Broken> {
        let found = self.list(folder)?;
        self.holds(step, found == expected, format!("{expected:?}"), found)
    }
}
