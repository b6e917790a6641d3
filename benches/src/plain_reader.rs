//! The baseline's reader: the buffered decoder that one would write by hand for the same files.
//!
//! Must verify what the log under test verifies: both checksums of every frame, and the order of the records.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crc32c::crc32c_append;

const BUFFER_BYTES: usize = 1 << 20;
const SEGMENT_HEADER_BYTES: usize = 72;
const LENGTH: u32 = (1 << 28) - 1;
const CONTROL: u32 = 1 << 29;

/// Reads segments of frames, 1 MiB at a time.
#[derive(Debug)]
pub struct PlainReader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for PlainReader {
    fn default() -> Self {
        Self::new()
    }
}

impl PlainReader {
    /// A reader with its buffer.
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], start: 0, end: 0 }
    }

    /// The segments of a folder, in order.
    pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "WAL") {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    /// Shows every record of a folder's segments; returns how many there are.
    #[inline]
    pub fn replay(&mut self, folder: &Path, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
        let mut records = 0;
        for path in Self::segments(folder)? {
            records += self.replay_file(&path, &mut each)?;
        }
        Ok(records)
    }

    /// Shows every record of one segment; stops at the first bad frame.
    pub fn replay_file(&mut self, path: &Path, each: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let mut file = File::open(path)?;
        (self.start, self.end) = (0, 0);
        if !self.fill(&mut file, SEGMENT_HEADER_BYTES)? {
            return Ok(0);
        }
        let salt = crc32c_append(crc32c_append(0, &self.buffer[16..24]), &self.buffer[24..28]);
        self.start = SEGMENT_HEADER_BYTES;
        let (mut offset, mut position) = (SEGMENT_HEADER_BYTES as u64, 0);
        while self.fill(&mut file, 16)? {
            let header = &self.buffer[self.start..self.start + 16];
            let word = number(&header[..4]);
            let checksum = number(&header[8..12]);
            let payload_checksum = number(&header[12..]);
            if crc32c_append(salt ^ offset as u32, &header[..8]) != checksum {
                break;
            }
            let expected = if word & CONTROL == 0 { position + 1 } else { position };
            if number(&header[4..8]) != expected {
                break;
            }
            position = expected;
            let payload_bytes = (word & LENGTH) as usize;
            let frame_bytes = (16 + payload_bytes).next_multiple_of(4);
            if !self.fill(&mut file, 16 + payload_bytes)? {
                break;
            }
            let payload = &self.buffer[self.start + 16..self.start + 16 + payload_bytes];
            if crc32c_append(checksum, payload) != payload_checksum {
                break;
            }
            if word & CONTROL == 0 {
                each(payload);
            }
            self.start = (self.start + frame_bytes).min(self.end);
            offset += frame_bytes as u64;
        }
        Ok(u64::from(position))
    }

    /// Brings at least `need` bytes into the buffer; `false` if the file has no more.
    #[inline]
    fn fill(&mut self, file: &mut File, need: usize) -> io::Result<bool> {
        if self.end - self.start >= need {
            return Ok(true);
        }
        self.refill(file, need)
    }

    #[cold]
    fn refill(&mut self, file: &mut File, need: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
        while self.end < need {
            match file.read(&mut self.buffer[self.end..])? {
                0 => return Ok(false),
                count => self.end += count,
            }
        }
        Ok(true)
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

/// Syncs a file, and drops what the system has cached of it: what a resume does before it trusts what it reads.
pub fn drop_cached(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    #[cfg(target_os = "linux")]
    {
        use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    }
    Ok(())
}
