//! A disk in memory, and how it is formatted.
//!
//! Must never know of files: it stops at the boot sector, the tables and the partition.

use std::sync::{Arc, Mutex};

use embedded_sdmmc::{Block, BlockCount, BlockDevice, BlockIdx};

use crate::shared::lock;

const TABLE_BLOCKS: usize = 17;
/// FAT16 begins at 4,085 clusters, of one block each here. Two bytes an entry, two of them reserved: the table is full to
/// its last byte, because the store takes free entries beyond the last cluster for clusters.
const CLUSTERS: usize = TABLE_BLOCKS * Block::LEN / 2 - 2;
const TABLES: usize = 2;
const ROOT_ENTRIES: usize = 512;
const ROOT_BLOCKS: usize = ROOT_ENTRIES * 32 / Block::LEN;
/// The partition begins behind the partition table.
const PARTITION: usize = 1;
const RESERVED: usize = 1;
const VOLUME_BLOCKS: usize = RESERVED + TABLES * TABLE_BLOCKS + ROOT_BLOCKS + CLUSTERS;

/// A disk in memory with a FAT16 volume; clones share it.
#[derive(Debug, Clone)]
pub struct RamDisk {
    blocks: Arc<Mutex<Vec<Block>>>,
}

/// An access beyond the end of a [`RamDisk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block {block} lies outside of the disk")]
pub struct RamError {
    /// The first block of the access.
    pub block: u32,
}

fn put(block: &mut Block, at: usize, bytes: &[u8]) {
    for (to, from) in block.contents.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

fn low16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes()
}

fn low32(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

impl RamDisk {
    /// A freshly formatted disk of 2 MiB: one partition, FAT16, clusters of 512 bytes, 512 entries in the root.
    pub fn formatted() -> Self {
        let mut blocks = vec![Block::new(); PARTITION + VOLUME_BLOCKS];
        for (index, block) in blocks.iter_mut().enumerate() {
            match index {
                0 => partition_table(block),
                PARTITION => boot_sector(block),
                _ if Self::is_table_start(index) => put(block, 0, &[0xF8, 0xFF, 0xFF, 0xFF]),
                _ => {}
            }
        }
        Self { blocks: Arc::new(Mutex::new(blocks)) }
    }

    /// A copy of the disk that shares nothing with it.
    #[must_use]
    pub fn image(&self) -> Self {
        Self { blocks: Arc::new(Mutex::new(lock(&self.blocks).clone())) }
    }

    fn is_table_start(index: usize) -> bool {
        (0..TABLES).any(|table| index == PARTITION + RESERVED + table * TABLE_BLOCKS)
    }

    /// The first bytes of the entry of a cluster in each table: block and byte.
    pub(super) fn table_entries(cluster: u16) -> [(BlockIdx, usize); TABLES] {
        let byte = usize::from(cluster) * 2;
        [0, 1].map(|table| {
            let block = PARTITION + RESERVED + table * TABLE_BLOCKS + byte / Block::LEN;
            (BlockIdx(u32::try_from(block).unwrap_or(u32::MAX)), byte % Block::LEN)
        })
    }
}

fn partition_table(block: &mut Block) {
    const FIRST: usize = 446;
    const TYPE_FAT16_LBA: u8 = 0x0E;
    put(block, FIRST + 4, &[TYPE_FAT16_LBA]);
    put(block, FIRST + 8, &low32(PARTITION));
    put(block, FIRST + 12, &low32(VOLUME_BLOCKS));
    put(block, 510, &[0x55, 0xAA]);
}

fn boot_sector(block: &mut Block) {
    put(block, 0, &[0xEB, 0x3C, 0x90]);
    put(block, 3, b"DURABLE ");
    put(block, 11, &low16(Block::LEN));
    put(block, 13, &[1]); // blocks in a cluster
    put(block, 14, &low16(RESERVED));
    put(block, 16, &[2]); // tables
    put(block, 17, &low16(ROOT_ENTRIES));
    put(block, 19, &low16(VOLUME_BLOCKS));
    put(block, 21, &[0xF8]); // a fixed disk
    put(block, 22, &low16(TABLE_BLOCKS));
    put(block, 24, &low16(32));
    put(block, 26, &low16(2));
    put(block, 28, &low32(PARTITION));
    put(block, 36, &[0x80, 0, 0x29]);
    put(block, 39, &[0x12, 0x34, 0x56, 0x78]); // serial number
    put(block, 43, b"DURABILITY FAT16   ");
    put(block, 510, &[0x55, 0xAA]);
}

impl BlockDevice for RamDisk {
    type Error = RamError;

    fn read(&self, blocks: &mut [Block], start: BlockIdx) -> Result<(), RamError> {
        let disk = lock(&self.blocks);
        for (block, at) in blocks.iter_mut().zip(start.0..) {
            let from = usize::try_from(at).ok().and_then(|at| disk.get(at));
            block.clone_from(from.ok_or(RamError { block: at })?);
        }
        Ok(())
    }

    fn write(&self, blocks: &[Block], start: BlockIdx) -> Result<(), RamError> {
        let mut disk = lock(&self.blocks);
        for (block, at) in blocks.iter().zip(start.0..) {
            let to = usize::try_from(at).ok().and_then(|at| disk.get_mut(at));
            to.ok_or(RamError { block: at })?.clone_from(block);
        }
        Ok(())
    }

    fn num_blocks(&self) -> Result<BlockCount, RamError> {
        Ok(BlockCount(u32::try_from(lock(&self.blocks).len()).unwrap_or(u32::MAX)))
    }
}
