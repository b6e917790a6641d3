//! The baseline's writer: the loop that one would write by hand for the same files.
//!
//! Must write the same bytes as the log under test (a test compares them), with the same syncs: what differs is what
//! the library costs. One buffer of 1 MiB, the `crc32c` crate, and no thought for failures.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crc32c::crc32c_append;

use crate::Meter;

const BUFFER_BYTES: usize = 1 << 20;
const SEGMENT_HEADER_BYTES: u64 = 72;
const SYNCED: u32 = 1 << 28;
const MORE: u32 = 1 << 30;

/// Writes segments of frames.
#[derive(Debug)]
pub struct PlainWriter {
    path: PathBuf,
    folder: File,
    file: File,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file.
    base: u64,
    segment_bytes: u64,
    log_id: u64,
    segment: u32,
    salt: u32,
    position: u32,
    next_id: u64,
    checksum: u32,
    all_durable: bool,
    name_durable: bool,
    meter: Meter,
}

impl PlainWriter {
    /// Begins a log in a new folder, as durable as the one under test: header and names.
    pub fn new(path: &Path, segment_bytes: u64, log_id: u64) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let folder = File::open(path)?;
        let mut log = Self {
            file: folder.try_clone()?,
            path: path.to_path_buf(),
            folder,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            base: 0,
            segment_bytes,
            log_id,
            segment: 0,
            salt: 0,
            position: 0,
            next_id: 1,
            checksum: 0,
            all_durable: false,
            name_durable: false,
            meter: Meter::default(),
        };
        log.begin_segment()?;
        log.flush_and_sync()?;
        Ok(log)
    }

    /// Counts and waits there from now on.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// The number of the segment that is written.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// Appends a record to the buffer.
    #[inline]
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let frame_bytes = (16 + payload.len()).next_multiple_of(4);
        if self.offset() + frame_bytes as u64 > self.segment_bytes {
            self.rotate()?;
        }
        self.push_frame(payload, 0)
    }

    /// Appends records that belong together, and flushes.
    pub fn append_batch(&mut self, payloads: &[&[u8]]) -> io::Result<()> {
        let bytes: usize = payloads.iter().map(|each| (16 + each.len()).next_multiple_of(4)).sum();
        if self.offset() + bytes as u64 > self.segment_bytes {
            self.rotate()?;
        }
        for (index, payload) in payloads.iter().enumerate() {
            self.push_frame(payload, if index + 1 < payloads.len() { MORE } else { 0 })?;
        }
        self.flush()
    }

    /// Hands the buffer to the system.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.buffer)?;
        self.meter.wrote(self.buffer.len());
        self.base += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything durable, and the file's name the first time.
    pub fn flush_and_sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data()?;
        self.meter.synced();
        if !self.name_durable {
            self.folder.sync_all()?;
            self.meter.synced();
            self.name_durable = true;
        }
        self.all_durable = true;
        Ok(())
    }

    fn offset(&self) -> u64 {
        self.base + self.buffer.len() as u64
    }

    #[inline]
    fn push_frame(&mut self, payload: &[u8], flags: u32) -> io::Result<()> {
        if self.buffer.len() + 16 + payload.len() + 4 > BUFFER_BYTES {
            self.flush()?;
        }
        let synced = if self.all_durable { SYNCED } else { 0 };
        let word = payload.len() as u32 | flags | synced;
        self.position += 1;
        let mut header = [0_u8; 16];
        header[..4].copy_from_slice(&word.to_le_bytes());
        header[4..8].copy_from_slice(&self.position.to_le_bytes());
        let checksum = crc32c_append(self.salt ^ self.offset() as u32, &header[..8]);
        self.checksum = crc32c_append(checksum, payload);
        header[8..12].copy_from_slice(&checksum.to_le_bytes());
        header[12..].copy_from_slice(&self.checksum.to_le_bytes());
        self.buffer.extend_from_slice(&header);
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(self.buffer.len().next_multiple_of(4), 0);
        self.next_id += 1;
        self.all_durable = false;
        Ok(())
    }

    /// Writes to nowhere from now on.
    pub fn discard(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file = OpenOptions::new().write(true).open("/dev/null")?;
        Ok(())
    }

    #[cold]
    fn rotate(&mut self) -> io::Result<()> {
        self.flush_and_sync()?;
        self.begin_segment()
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let previous_end = self.offset();
        let previous = self.segment;
        self.segment += 1;
        let path = self.path.join(format!("{:08X}.WAL", self.segment));
        self.file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let log_id = self.log_id.to_le_bytes();
        self.salt = crc32c_append(crc32c_append(0, &log_id), &self.segment.to_le_bytes());

        let mut header = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        header.extend_from_slice(b"\x89DWAL\r\n\x1a");
        header.extend_from_slice(&[1, 0, 2, 0, 0, 0, 0, 0]); // version, alignment, form, features
        header.extend_from_slice(&log_id);
        header.extend_from_slice(&self.segment.to_le_bytes());
        header.extend_from_slice(&1_u32.to_le_bytes()); // the oldest segment
        header.extend_from_slice(&self.next_id.to_le_bytes());
        header.extend_from_slice(&[0; 8]); // no clock
        header.extend_from_slice(&previous.to_le_bytes());
        header.extend_from_slice(&self.checksum.to_le_bytes());
        header.extend_from_slice(&previous_end.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        let checksum = crc32c_append(0, &header);
        header.extend_from_slice(&checksum.to_le_bytes());

        self.buffer.extend_from_slice(&header);
        self.base = 0;
        self.position = 0;
        self.checksum = 0;
        self.all_durable = false;
        self.name_durable = false;
        Ok(())
    }
}
