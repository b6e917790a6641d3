//! The library: its write-ahead log of raw records on a flash directory, pruned and prepared while nothing is to be appended.

use core::fmt;
use core::marker::PhantomData;

use durability_core::ReadMode;
use durability_core::storage::Directory as _;
use durability_core::walog::{FixedWalWriter, RawWalWriter, WalOptions};
use durability_flash::{FlashDirectory, FlashError, FlashOptions};

use crate::chip::{BLOCK_BYTES, Chip, ChipError, REGION_BYTES};
use crate::contender::{Failure, Log};

/// Blocks in a slot: a segment each. The more, the less its headers weigh, and the more goes at once when the oldest goes.
const SLOT_BLOCKS: u32 = 8;
const SLOTS: usize = REGION_BYTES / (BLOCK_BYTES * SLOT_BLOCKS as usize);
/// One slot is being made ready, and one is ready.
const SEGMENTS_MAX: usize = SLOTS - 2;
const BUFFER_BYTES: u32 = 512;

type Flash = FlashDirectory<Chip, SLOTS>;

/// The form of the frames.
pub(crate) trait Form {
    const NAME: &'static str;
    const COMPACT: bool;
}

/// Headers of 8 bytes.
#[derive(Debug)]
pub(crate) struct Compact;

impl Form for Compact {
    const NAME: &'static str = "**durability**, compact frames";
    const COMPACT: bool = true;
}

/// Headers of 16 bytes.
#[derive(Debug)]
pub(crate) struct Full;

impl Form for Full {
    const NAME: &'static str = "**durability**, ordinary frames";
    const COMPACT: bool = false;
}

/// The log. Its directory is leaked: the run is short.
pub(crate) struct Ours<F> {
    dir: &'static Flash,
    wal: RawWalWriter<&'static Flash>,
    form: PhantomData<F>,
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn failed(error: durability_core::Error<FlashError<ChipError>>) -> Failure {
    format!("durability: {error:?}").into()
}

impl<F: Form> Ours<F> {
    fn open(chip: &Chip) -> Result<Self, Failure> {
        let options = FlashOptions::new().slot_blocks(SLOT_BLOCKS).name_bytes_max(24);
        let dir = Flash::mount(chip.clone(), options).map_err(|error| format!("{error:?}"))?;
        let dir: &'static Flash = Box::leak(Box::new(dir));
        let options = WalOptions::new()
            .buffer_bytes(BUFFER_BYTES)
            .read_bytes(BUFFER_BYTES)
            .record_bytes_max(256)
            .compact_frames(F::COMPACT);
        let wal = RawWalWriter::open(dir, options).map_err(failed)?;
        Ok(Self { dir, wal, form: PhantomData })
    }
}

impl<F: Form> Log for Ours<F> {
    const NAME: &'static str = F::NAME;

    fn format(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        Self::open(chip)
    }

    fn mount(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        Self::open(chip)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.wal.append(record).map_err(failed)?;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        let durable = self.wal.flush_and_sync().map_err(failed)?;
        if durable.through() == self.wal.last_entry_id() {
            Ok(())
        } else {
            Err("not durable".into())
        }
    }

    fn idle(&mut self) -> Result<(), Failure> {
        if self.wal.segments().count() > SEGMENTS_MAX {
            let second = self.wal.segments().nth(1).map(|segment| segment.first_id());
            if let Some(second) = second {
                self.wal.truncate_prefix(second).map_err(failed)?;
            }
        }
        while self.dir.prepare().map_err(|error| format!("{error:?}"))? {}
        Ok(())
    }

    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut reader = self.wal.reader().map_err(failed)?;
        let mut entries = reader.entries(ReadMode::Strict).map_err(failed)?;
        while let Some(entry) = entries.next().map_err(failed)? {
            each(entry.payload);
        }
        Ok(())
    }

    /// The writer and the directory; the latter is leaked, and counted with the heap.
    fn ram(&self) -> usize {
        size_of_val(&self.wal)
    }
}

impl<F> fmt::Debug for Ours<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours")
            .field("capabilities", &self.dir.capabilities())
            .finish_non_exhaustive()
    }
}

/// The log without a heap, compact frames, in so many slots. Its directory and its memory are leaked: the run is short.
pub(crate) struct Fixed<const SLOTS: usize> {
    dir: &'static FlashDirectory<Chip, SLOTS>,
    wal: FixedWalWriter<'static, &'static FlashDirectory<Chip, SLOTS>>,
}

/// As many as the others of ours have.
pub(crate) type FixedInSlots = Fixed<SLOTS>;
/// A quarter of that, each of 32 blocks: a quarter of the headers.
pub(crate) type FixedInLargeSlots = Fixed<{ SLOTS / 4 }>;

impl<const SLOTS: usize> Fixed<SLOTS> {
    /// As [`SEGMENTS_MAX`].
    const SEGMENTS_MAX: usize = SLOTS - 2;
    /// As [`SLOT_BLOCKS`].
    const SLOT_BLOCKS: usize = REGION_BYTES / BLOCK_BYTES / SLOTS;

    fn options() -> WalOptions {
        WalOptions::new().record_bytes_max(256).compact_frames(true)
    }

    fn open(chip: &Chip) -> Result<Self, Failure> {
        let blocks = u32::try_from(Self::SLOT_BLOCKS)?;
        let options = FlashOptions::new().slot_blocks(blocks).name_bytes_max(24);
        let dir = FlashDirectory::mount(chip.clone(), options);
        let dir = &*Box::leak(Box::new(dir.map_err(|error| format!("{error:?}"))?));
        let memory = Box::leak(Box::new([0; BUFFER_BYTES as usize]));
        let wal = FixedWalWriter::open(dir, Self::options(), memory).map_err(failed)?;
        Ok(Self { dir, wal })
    }
}

impl<const SLOTS: usize> Log for Fixed<SLOTS> {
    const NAME: &'static str = if Self::SLOT_BLOCKS == 32 {
        "**durability** without a heap, compact frames, slots of 32 blocks"
    } else {
        "**durability** without a heap, compact frames"
    };

    fn format(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        Self::open(chip)
    }

    fn mount(chip: &Chip, _record_bytes: usize) -> Result<Self, Failure> {
        Self::open(chip)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.wal.append(record).map_err(failed)?;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        let durable = self.wal.flush_and_sync().map_err(failed)?;
        if durable.through() == self.wal.last_entry_id() {
            Ok(())
        } else {
            Err("not durable".into())
        }
    }

    fn idle(&mut self) -> Result<(), Failure> {
        if self.wal.segments() as usize > Self::SEGMENTS_MAX {
            let count = u32::try_from(Self::SEGMENTS_MAX).unwrap_or(u32::MAX);
            self.wal.truncate_to_segments(count).map_err(failed)?;
        }
        while self.dir.prepare().map_err(|error| format!("{error:?}"))? {}
        Ok(())
    }

    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut memory = [0; BUFFER_BYTES as usize];
        let reader = self.wal.reader(Self::options(), ReadMode::Strict, &mut memory);
        let mut entries = reader.map_err(failed)?;
        while let Some(entry) = entries.next().map_err(failed)? {
            each(entry.payload);
        }
        Ok(())
    }

    /// The writer; its directory and its memory are leaked, and counted with the heap.
    fn ram(&self) -> usize {
        size_of_val(&self.wal)
    }
}

impl<const SLOTS: usize> fmt::Debug for Fixed<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").field("wal", &self.wal).finish_non_exhaustive()
    }
}
