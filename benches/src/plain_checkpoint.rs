//! The baseline's checkpoint: a file of the same bytes and one checksum behind them, through a buffer of 1 MiB.
//!
//! Must be as durable as the one under test when it is finished: the file and its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crc32c::crc32c_append;

const BUFFER_BYTES: usize = 1 << 20;

/// Writes items one after the other, makes them durable.
pub(crate) fn write<'a>(path: &Path, items: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut checksum = 0;
    for item in items {
        if buffer.len() + item.len() > BUFFER_BYTES {
            checksum = crc32c_append(checksum, &buffer);
            file.write_all(&buffer)?;
            buffer.clear();
        }
        buffer.extend_from_slice(item);
    }
    checksum = crc32c_append(checksum, &buffer);
    buffer.extend_from_slice(&checksum.to_le_bytes());
    file.write_all(&buffer)?;
    file.sync_data()?;
    File::open(folder)?.sync_all()
}

/// Reads items of a size, and checks what was read.
pub(crate) fn read(path: &Path, item: &mut [u8], mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut left = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).saturating_sub(4);
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut start, mut end) = (0, 0);
    let (mut checksum, mut items) = (0, 0);
    while left >= item.len() {
        if end - start < item.len() {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            let count = file.read(&mut buffer[end..])?;
            // What belongs to the state; the checksum follows it.
            let state = count.min(left - end);
            checksum = crc32c_append(checksum, &buffer[end..end + state]);
            end += count;
        }
        item.copy_from_slice(&buffer[start..start + item.len()]);
        start += item.len();
        left -= item.len();
        each(item);
        items += 1;
    }
    if end - start < 4 {
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        end += file.read(&mut buffer[end..])?;
    }
    if buffer[start..end] == checksum.to_le_bytes() {
        Ok(items)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
