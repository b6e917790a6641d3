//! A NOR flash chip in memory, strict about its rules, whose power can be cut in the middle of any operation.
//!
//! Must never forgive: a program that real flash could refuse is an error here.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::cut::{TornErase, scattered_program, torn_erase, torn_program};
use super::{NorCut, NorError, Tearing};

/// Granules, as they are: programmed since the erasure of their block, or reading differently each time.
const PROGRAMMED: u8 = 1;
const UNSTABLE: u8 = 2;

/// Bytes in the page buffer of common serial chips: a program that crosses no page boundary is one command.
const PAGE_BYTES: usize = 256;

/// Bytes that such a chip programs at a time within a page, or fewer if its granule is smaller.
const WORD_BYTES: usize = 4;

/// What a chip has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NorFigures {
    /// Calls that read.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Calls that programmed.
    pub programs: u64,
    /// Pages of 256 bytes that those touched: commands to a serial chip.
    pub pages: u64,
    /// Bytes programmed.
    pub programmed_bytes: u64,
    /// Blocks erased.
    pub erases: u64,
}

/// A NOR flash chip with units of `READ` and `WRITE` bytes (the granule) and erase blocks of `ERASE` bytes: erased bytes are 0xFF, a granule
/// can be programmed once until its block is erased, as all 0xFF too.
///
/// Its operations, at each of which the power can be cut, are the programming of one granule and the erasure of one block; with [`Tearing::Scattered`], a cut in a
/// granule tears all that the call programs into its page of 256 bytes. A clone is a copy of
/// everything on the chip, to mount and go on from.
///
/// **Durability.** What programming and erasing return `Ok` for survives any cut.
///
/// ```
/// use durability_testkit::backends::{NorChip, NorError, Tearing};
/// use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
///
/// let mut chip = NorChip::<1, 4, 4096>::new(2);
/// chip.cut_power_at(2, Tearing::Front); // in the second granule
/// assert_eq!(chip.write(0, &[1, 2, 3, 4, 5, 6, 7, 8]), Err(NorError::PowerLost));
/// let mut chip = chip.powered();
/// let mut bytes = [0; 8];
/// chip.read(0, &mut bytes)?;
/// assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 0xFF, 0xFF]);
/// assert_eq!(chip.write(4, &[0; 4]), Err(NorError::ProgrammedTwice { offset: 4 }));
/// # Ok::<(), NorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NorChip<const READ: usize, const WRITE: usize, const ERASE: usize> {
    bytes: Vec<u8>,
    granules: Vec<u8>,
    half_erased: Vec<bool>,
    erasures: Vec<u32>,
    operations: u64,
    cut: Option<(u64, Tearing)>,
    dead: bool,
    random: u64,
    figures: NorFigures,
    /// The tearings with which every operation's cut is recorded, and what was recorded.
    recording: Option<Box<Recording<Self>>>,
}

#[derive(Debug, Clone)]
struct Recording<C> {
    tearings: Vec<Tearing>,
    one_in: u64,
    cuts: Vec<NorCut<C>>,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorChip<READ, WRITE, ERASE> {
    const UNITS: () = assert!(
        READ > 0
            && WRITE.is_power_of_two()
            && WRITE <= 256
            && WRITE.is_multiple_of(READ)
            && ERASE > 0
            && ERASE.is_multiple_of(WRITE),
        "each unit must divide the next, and the granule be a power of two up to 256"
    );

    /// An erased chip of so many blocks.
    pub fn new(blocks: usize) -> Self {
        let () = Self::UNITS;
        let bytes = blocks.saturating_mul(ERASE);
        Self {
            bytes: vec![0xFF; bytes],
            granules: vec![0; bytes / WRITE],
            half_erased: vec![false; blocks],
            erasures: vec![0; blocks],
            operations: 0,
            cut: None,
            dead: false,
            random: 0x0005_DEEC_E66D_1234,
            figures: NorFigures::default(),
            recording: None,
        }
    }

    /// Another sequence of what is random about torn and unstable granules.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.random ^= seed.wrapping_mul(0xD134_2543_DE82_EF95);
        self
    }

    /// Cuts the power in the middle of the `nth` operation from now on; 1 is the next one.
    pub fn cut_power_at(&mut self, nth: u64, tearing: Tearing) {
        self.cut = Some((self.operations.saturating_add(nth.max(1)), tearing));
    }

    /// From now on every operation leaves copies of the chip as it would be if the power had been cut in it, one for each of `tearings`: of programs one in
    /// `one_in`, always the same ones, of erasures, which are fewer, 64 times as many.
    pub fn record_cuts(&mut self, tearings: &[Tearing], one_in: u64) {
        let recording = Recording { tearings: tearings.to_vec(), one_in, cuts: Vec::new() };
        self.recording = Some(Box::new(recording));
    }

    /// Whether cuts are recorded.
    pub const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// What was recorded; ends the recording.
    pub fn take_cuts(&mut self) -> Vec<NorCut<Self>> {
        self.recording.take().map_or_else(Vec::new, |recording| recording.cuts)
    }

    /// The chip after the power came back: the same bytes, no cut ahead.
    #[must_use]
    pub fn powered(mut self) -> Self {
        self.power_on();
        self
    }

    /// The power comes back: the same bytes, no cut ahead.
    pub const fn power_on(&mut self) {
        self.dead = false;
        self.cut = None;
    }

    /// Whether the power is on.
    pub const fn is_powered(&self) -> bool {
        !self.dead
    }

    /// Granules programmed and blocks erased so far, the one that was cut included.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// What was done so far.
    pub const fn figures(&self) -> NorFigures {
        self.figures
    }

    /// How often each block was erased.
    pub fn erasures(&self) -> &[u32] {
        &self.erasures
    }

    /// What is on the chip; of an unstable granule, what was there before its erasure was cut off.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Flips a bit, as rot does.
    pub fn flip(&mut self, offset: usize, bit: u8) {
        if let Some(byte) = self.bytes.get_mut(offset) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// Puts anything at all on the chip, as a driver before ours may have left it.
    pub fn scribble(&mut self) {
        for at in 0..self.bytes.len() {
            let noise = self.noise();
            if let Some(byte) = self.bytes.get_mut(at) {
                *byte = noise;
            }
        }
        self.granules.fill(PROGRAMMED);
    }

    /// Programs what of a call is in one page.
    fn program_page(&mut self, first: usize, data: &[u8]) -> Result<(), NorError> {
        self.record_scattered(first, data);
        let begun = self.operations;
        let end = begun + (data.len() / WRITE) as u64;
        if let Some((at, Tearing::Scattered)) = self.cut
            && !self.dead
            && (begun + 1..=end).contains(&at)
        {
            self.operations = at;
            self.scatter(first, data)?;
            return self.finish(Some(Tearing::Scattered));
        }
        for (index, piece) in data.chunks(WRITE).enumerate() {
            self.program_granule(first + index, piece)?;
        }
        Ok(())
    }

    /// Programs some words of a page.
    fn scatter(&mut self, first: usize, data: &[u8]) -> Result<(), NorError> {
        let indices = first..first + data.len() / WRITE;
        indices.clone().try_for_each(|index| self.check_programmable(index))?;
        let mut random = self.random;
        let at = first * WRITE;
        let page = self.bytes.get_mut(at..at + data.len()).unwrap_or_default();
        scattered_program(page, data, WRITE.min(WORD_BYTES), || byte(&mut random));
        let granules = self.granules.get_mut(indices).unwrap_or_default();
        for (granule, bytes) in granules.iter_mut().zip(page.chunks(WRITE)) {
            if bytes.iter().any(|byte| *byte != 0xFF) {
                *granule = PROGRAMMED;
            }
        }
        self.random = random;
        Ok(())
    }

    fn check_programmable(&self, index: usize) -> Result<(), NorError> {
        let offset = index * WRITE;
        if self.half_erased.get(offset / ERASE).copied().unwrap_or(true) {
            return Err(NorError::HalfErased { offset });
        }
        if self.granules.get(index).copied().unwrap_or(PROGRAMMED) != 0 {
            return Err(NorError::ProgrammedTwice { offset });
        }
        Ok(())
    }

    fn program_granule(&mut self, index: usize, data: &[u8]) -> Result<(), NorError> {
        self.record(false, |chip, tearing| chip.do_program(index, data, Some(tearing)));
        let torn = self.start()?;
        self.do_program(index, data, torn)?;
        self.finish(torn)
    }

    fn do_program(
        &mut self,
        index: usize,
        data: &[u8],
        torn: Option<Tearing>,
    ) -> Result<(), NorError> {
        self.check_programmable(index)?;
        let offset = index * WRITE;
        let mut random = self.random;
        let target = self.bytes.get_mut(offset..offset + WRITE).unwrap_or_default();
        match torn {
            None => target.copy_from_slice(data),
            Some(tearing) => torn_program(tearing, target, data, || byte(&mut random)),
        }
        let changed = torn.is_none() || target.iter().any(|byte| *byte != 0xFF);
        self.random = random;
        if let Some(granule) = self.granules.get_mut(index).filter(|_| changed) {
            *granule = PROGRAMMED;
        }
        Ok(())
    }

    fn erase_block(&mut self, block: usize) -> Result<(), NorError> {
        self.record(true, |chip, tearing| {
            chip.do_erase(block, Some(tearing));
            Ok(())
        });
        let torn = self.start()?;
        self.figures.erases += 1;
        self.do_erase(block, torn);
        self.finish(torn)
    }

    fn do_erase(&mut self, block: usize, torn: Option<Tearing>) {
        if let Some(count) = self.erasures.get_mut(block) {
            *count += 1;
        }
        if let Some(half_erased) = self.half_erased.get_mut(block) {
            *half_erased = torn.is_some();
        }
        let (first, count) = (block * (ERASE / WRITE), ERASE / WRITE);
        let mut random = self.random;
        let bytes = self.bytes.chunks_mut(WRITE).skip(first);
        let granules = bytes.zip(self.granules.iter_mut().skip(first));
        for (at, (bytes, granule)) in granules.take(count).enumerate() {
            let fate = torn.map(|tearing| torn_erase(tearing, at, count, || byte(&mut random)));
            match fate.unwrap_or(TornErase::Erased) {
                TornErase::Kept => {}
                TornErase::Unstable if bytes.iter().any(|byte| *byte != 0xFF) => {
                    *granule |= UNSTABLE;
                }
                TornErase::Erased | TornErase::Unstable => {
                    bytes.fill(0xFF);
                    *granule = 0;
                }
            }
        }
        self.random = random;
    }

    /// Keeps copies of the chip as the operation that is about to begin would leave it if it were cut off.
    fn record(
        &mut self,
        is_erasure: bool,
        operation: impl Fn(&mut Self, Tearing) -> Result<(), NorError>,
    ) {
        if self.dead {
            return;
        }
        let Some(mut recording) = self.recording.take() else { return };
        for tearing in recording.tearings.clone() {
            if tearing == Tearing::Scattered {
                continue; // of pages; an erasure is torn so by another one
            }
            let one_in = if is_erasure { recording.one_in / 64 } else { recording.one_in }.max(1);
            self.keep(&mut recording, 1, tearing, one_in, |chip| operation(chip, tearing));
        }
        self.recording = Some(recording);
    }

    /// As [`record`](Self::record), of all the words that a call is about to program into a page: one copy for each operation.
    fn record_scattered(&mut self, first: usize, data: &[u8]) {
        if self.dead || data.len() <= WORD_BYTES {
            return;
        }
        let Some(mut recording) = self.recording.take() else { return };
        if recording.tearings.contains(&Tearing::Scattered) {
            let one_in = recording.one_in;
            for nth in 1..=(data.len() / WRITE) as u64 {
                let scatter = |chip: &mut Self| chip.scatter(first, data);
                self.keep(&mut recording, nth, Tearing::Scattered, one_in, scatter);
            }
        }
        self.recording = Some(recording);
    }

    /// Keeps a copy of the chip as the `nth` operation from now on would leave it, unless it is not its turn.
    fn keep(
        &self,
        recording: &mut Recording<Self>,
        nth: u64,
        tearing: Tearing,
        one_in: u64,
        act: impl Fn(&mut Self) -> Result<(), NorError>,
    ) {
        let operation = self.operations + nth;
        // Each cut has its own noise.
        let random = self.random.wrapping_add(operation << 8 | tearing as u64);
        if !next(&mut { random }).is_multiple_of(one_in.max(1)) {
            return;
        }
        let mut chip = self.clone().powered();
        (chip.operations, chip.random) = (operation, random);
        // What the chip refuses, the operation itself will report.
        if act(&mut chip).is_ok() {
            recording.cuts.push(NorCut { operation, tearing, chip });
        }
    }

    fn noise(&mut self) -> u8 {
        byte(&mut self.random)
    }

    /// The place and length as a range of whole units on the chip.
    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<usize, NorError> {
        if self.dead {
            return Err(NorError::PowerLost);
        }
        let offset = offset as usize;
        if !offset.is_multiple_of(unit) || !length.is_multiple_of(unit) {
            return Err(NorError::OffUnit { offset, length, unit });
        }
        let end = offset.checked_add(length).filter(|end| *end <= self.bytes.len());
        end.map(|_| offset).ok_or(NorError::OutOfRange { offset, length })
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

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for NorChip<READ, WRITE, ERASE>
{
    type Error = NorError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for NorChip<READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), NorError> {
        let at = self.check(offset, buffer.len(), READ)?;
        self.figures.reads += 1;
        self.figures.read_bytes += buffer.len() as u64;
        buffer.copy_from_slice(self.bytes.get(at..at + buffer.len()).unwrap_or_default());
        let (first, end) = (at / WRITE, (at + buffer.len()).div_ceil(WRITE));
        for granule in first..end {
            if self.granules.get(granule).is_some_and(|flags| flags & UNSTABLE != 0) {
                // All of it is as it was, all of it is erased, or any bit is the one or the other.
                let noise = next(&mut self.random);
                for index in granule * WRITE..(granule + 1) * WRITE {
                    let mask = match noise & 3 {
                        0 => 0,
                        1 => 0xFF,
                        _ => self.noise(),
                    };
                    if let Some(byte) = index.checked_sub(at).and_then(|at| buffer.get_mut(at)) {
                        *byte |= mask;
                    }
                }
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for NorChip<READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        let start = self.check(from, to.saturating_sub(from) as usize, ERASE)?;
        for block in start / ERASE..to as usize / ERASE {
            self.erase_block(block)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        let start = self.check(offset, bytes.len(), WRITE)?;
        self.figures.programs += 1;
        let last = (start + bytes.len()).saturating_sub(1);
        self.figures.pages += (last / PAGE_BYTES - start / PAGE_BYTES + 1) as u64;
        self.figures.programmed_bytes += bytes.len() as u64;
        let (mut at, mut rest) = (start, bytes);
        while !rest.is_empty() {
            let in_page = (PAGE_BYTES - at % PAGE_BYTES).min(rest.len());
            let (page, behind) = rest.split_at(in_page);
            self.program_page(at / WRITE, page)?;
            (at, rest) = (at + in_page, behind);
        }
        Ok(())
    }
}

/// `SplitMix64`, Steele, Lea and Flood 2014.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn byte(state: &mut u64) -> u8 {
    next(state).to_le_bytes()[0]
}
