//! A NOR flash chip in memory, strict about its rules, whose power can be cut in the middle of any operation.
//!
//! Must never forgive: a program that real flash could refuse is an error here.

use super::NorError;

/// The shape of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NorGeometry {
    /// How many erase blocks it has.
    pub blocks: usize,
    /// Bytes in an erase block.
    pub block_bytes: usize,
    /// Bytes in the smallest unit that can be programmed, once between two erasures.
    pub granule: usize,
}

impl NorGeometry {
    /// Bytes on the chip.
    pub const fn bytes(&self) -> usize {
        self.blocks.saturating_mul(self.block_bytes)
    }
}

/// What the operation leaves behind in whose middle the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tearing {
    /// Nothing of it arrives.
    Nothing,
    /// The first half of the granule, or of the erase block, arrives.
    Front,
    /// The last half of the granule, or of the erase block, arrives.
    Back,
    /// Any bits arrive: some of a program's, and some granules of an erasure.
    Junk,
}

impl Tearing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Front, Self::Back, Self::Junk];
}

/// A NOR flash chip: erased bytes are 0xFF, a granule can be programmed once until its block is erased.
///
/// A clone is a copy of everything on the chip, to mount and go on from.
///
/// **Durability.** What [`program`](Self::program) and [`erase`](Self::erase) return `Ok` for survives any cut.
#[derive(Debug, Clone)]
pub struct NorChip {
    geometry: NorGeometry,
    bytes: Vec<u8>,
    programmed: Vec<bool>,
    erasures: Vec<u32>,
    operations: u64,
    cut: Option<(u64, Tearing)>,
    dead: bool,
    random: u64,
}

impl NorChip {
    /// An erased chip.
    ///
    /// # Errors
    /// [`NorError::BadGeometry`] unless the granule is a power of two up to 256 and divides the block.
    pub fn new(geometry: NorGeometry) -> Result<Self, NorError> {
        let NorGeometry { blocks, block_bytes, granule } = geometry;
        let sane = granule.is_power_of_two()
            && granule <= 256
            && blocks > 0
            && block_bytes > 0
            && block_bytes.is_multiple_of(granule);
        if !sane {
            return Err(NorError::BadGeometry { slot_blocks: 0 });
        }
        Ok(Self {
            geometry,
            bytes: vec![0xFF; geometry.bytes()],
            programmed: vec![false; geometry.bytes() / granule],
            erasures: vec![0; blocks],
            operations: 0,
            cut: None,
            dead: false,
            random: 0x0005_DEEC_E66D_1234,
        })
    }

    /// Programs granules in ascending order, each an operation of its own.
    ///
    /// # Errors
    /// [`NorError::ProgrammedTwice`], [`NorError::OffGranule`], [`NorError::OutOfRange`]; [`NorError::PowerLost`], after which the
    /// granules before the cut are there, the one in the middle of the cut is as its [`Tearing`] says, and the rest is not.
    pub fn program(&mut self, offset: usize, data: &[u8]) -> Result<(), NorError> {
        let granule = self.geometry.granule;
        if !offset.is_multiple_of(granule) || !data.len().is_multiple_of(granule) {
            let (offset, length) = (offset as u64, data.len());
            return Err(NorError::OffGranule { offset, length, granule });
        }
        self.range(offset, data.len())?;
        for (index, piece) in data.chunks(granule).enumerate() {
            self.program_granule(offset / granule + index, piece)?;
        }
        Ok(())
    }

    fn program_granule(&mut self, index: usize, data: &[u8]) -> Result<(), NorError> {
        let torn = self.start()?;
        let offset = index * self.geometry.granule;
        if self.programmed.get(index).copied().unwrap_or(true) {
            return Err(NorError::ProgrammedTwice { offset });
        }
        let half = data.len().div_ceil(2);
        let noise: Vec<u8> = data.iter().map(|_| self.noise()).collect();
        let target = self.bytes.iter_mut().skip(offset);
        let mut changed = torn.is_none();
        for (at, ((to, from), noise)) in target.zip(data).zip(noise).enumerate() {
            *to = match torn {
                None => *from,
                Some(Tearing::Front) if at < half => *from,
                Some(Tearing::Back) if at >= half => *from,
                Some(Tearing::Junk) => from | noise,
                Some(_) => *to,
            };
            changed |= *to != 0xFF;
        }
        if let Some(flag) = self.programmed.get_mut(index) {
            *flag = changed;
        }
        self.finish(torn)
    }

    /// Erases a block: one operation.
    ///
    /// # Errors
    /// [`NorError::OutOfRange`]; [`NorError::PowerLost`], after which the block is as the [`Tearing`] says.
    pub fn erase(&mut self, block: usize) -> Result<(), NorError> {
        let NorGeometry { block_bytes, granule, .. } = self.geometry;
        let start = block.saturating_mul(block_bytes);
        self.range(start, block_bytes)?;
        let torn = self.start()?;
        if let Some(count) = self.erasures.get_mut(block) {
            *count += 1;
        }
        let granules = block_bytes / granule;
        for at in 0..granules {
            let erased = match torn {
                None => true,
                Some(Tearing::Nothing) => false,
                Some(Tearing::Front) => at < granules / 2,
                Some(Tearing::Back) => at >= granules / 2,
                Some(Tearing::Junk) => self.noise() & 1 == 0,
            };
            if erased {
                let from = start + at * granule;
                for byte in self.bytes.iter_mut().skip(from).take(granule) {
                    *byte = 0xFF;
                }
                if let Some(flag) = self.programmed.get_mut(from / granule) {
                    *flag = false;
                }
            }
        }
        self.finish(torn)
    }

    /// Reads bytes; erased ones are 0xFF.
    ///
    /// # Errors
    /// [`NorError::OutOfRange`], [`NorError::PowerLost`].
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), NorError> {
        if self.dead {
            return Err(NorError::PowerLost);
        }
        self.range(offset, buffer.len())?;
        for (to, from) in buffer.iter_mut().zip(self.bytes.iter().skip(offset)) {
            *to = *from;
        }
        Ok(())
    }

    /// Cuts the power in the middle of the `nth` program or erase operation from now on; 1 is the next one.
    pub fn cut_power_at(&mut self, nth: u64, tearing: Tearing) {
        self.cut = Some((self.operations.saturating_add(nth.max(1)), tearing));
    }

    /// The chip after the power came back: the same bytes, no cut ahead.
    #[must_use]
    pub fn powered(mut self) -> Self {
        self.dead = false;
        self.cut = None;
        self
    }

    /// The shape.
    pub const fn geometry(&self) -> NorGeometry {
        self.geometry
    }

    /// Program and erase operations so far, the one that was cut included.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// How often each block was erased.
    pub fn erasures(&self) -> &[u32] {
        &self.erasures
    }

    /// Flips a bit, as rot does.
    pub fn flip(&mut self, offset: usize, bit: u8) {
        if let Some(byte) = self.bytes.get_mut(offset) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// The next value of the chip's random number generator, which no power cut resets.
    pub fn random(&mut self) -> u64 {
        // SplitMix64, Steele, Lea and Flood 2014.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn noise(&mut self) -> u8 {
        self.random().to_le_bytes()[0]
    }

    fn range(&self, offset: usize, length: usize) -> Result<(), NorError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.bytes.len());
        end.map(|_| ()).ok_or(NorError::OutOfRange { offset, length })
    }

    /// Begins an operation; tells how it is torn, if it is.
    fn start(&mut self) -> Result<Option<Tearing>, NorError> {
        if self.dead {
            return Err(NorError::PowerLost);
        }
        self.operations += 1;
        Ok(self.cut.and_then(|(at, tearing)| (self.operations >= at).then_some(tearing)))
    }

    fn finish(&mut self, torn: Option<Tearing>) -> Result<(), NorError> {
        self.dead = torn.is_some();
        if self.dead { Err(NorError::PowerLost) } else { Ok(()) }
    }
}
