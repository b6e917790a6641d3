//! The content of a disk: sparse blocks, shared between snapshots until one of them is written.
//!
//! Must never know who writes, nor why.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// What is written whole or not at all, by every disk that there is.
pub(crate) const SECTOR_BYTES: usize = 512;
/// What is kept in one piece here.
const BLOCK_BYTES: usize = 4096;

type Block = [u8; BLOCK_BYTES];

/// The content of a disk. Cloning it costs a pointer a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    blocks: HashMap<u64, Arc<Block>>,
}

impl Image {
    /// Writes bytes at an offset.
    pub(crate) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset;
        while !bytes.is_empty() {
            let (number, within) = place(at);
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - within));
            if now.len() == BLOCK_BYTES && now.iter().all(|byte| *byte == 0) {
                self.blocks.remove(&number);
            } else {
                let block = self.blocks.entry(number).or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
                Arc::make_mut(block)[within..within + now.len()].copy_from_slice(now);
            }
            at += now.len() as u64;
            bytes = rest;
        }
    }

    /// Fills a buffer from an offset on.
    pub(crate) fn read(&self, offset: u64, mut buffer: &mut [u8]) {
        let mut at = offset;
        while !buffer.is_empty() {
            let (number, within) = place(at);
            let length = buffer.len().min(BLOCK_BYTES - within);
            let (now, rest) = buffer.split_at_mut(length);
            match self.blocks.get(&number) {
                Some(block) => now.copy_from_slice(&block[within..within + length]),
                None => now.fill(0),
            }
            at += length as u64;
            buffer = rest;
        }
    }

    /// Saves it as a sparse file, to be mounted by hand.
    pub(crate) fn save(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(bytes)?;
        for (number, block) in &self.blocks {
            file.write_all_at(&block[..], number * BLOCK_BYTES as u64)?;
        }
        Ok(())
    }
}

/// The block of an offset, and where in it.
fn place(offset: u64) -> (u64, usize) {
    let within = offset % BLOCK_BYTES as u64;
    (offset / BLOCK_BYTES as u64, usize::try_from(within).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_rest_is_zeros() {
        let mut image = Image::default();
        image.write(4000, &[7; 200]);
        let mut bytes = [1; 300];
        image.read(3950, &mut bytes);
        assert_eq!(bytes[..50], [0; 50]);
        assert_eq!(bytes[50..250], [7; 200]);
        assert_eq!(bytes[250..], [0; 50]);
    }

    #[test]
    fn a_snapshot_keeps_what_was() {
        let mut image = Image::default();
        image.write(0, &[1; 8192]);
        let before = image.clone();
        image.write(0, &[0; 4096]);
        image.write(4096 + 512, &[2; 512]);
        let (mut old, mut new) = (vec![9; 8192], vec![9; 8192]);
        before.read(0, &mut old);
        image.read(0, &mut new);
        assert_eq!(old, [1; 8192]);
        assert_eq!(new[..4096], [0; 4096]);
        assert_eq!(new[4096..4608], [1; 512]);
        assert_eq!(new[4608..5120], [2; 512]);
    }
}
