//! A region in memory: the chip, the table of slots, and reading and programming in units that the chip takes.
//!
//! Must never program a granule that may have been programmed since its block was erased.

use durability_core::crc32c;
use embedded_storage::nor_flash::{ErrorType, NorFlash};

use crate::erase::Erasing;
use crate::layout::{GRANULE_BYTES_MAX, Layout, small};
use crate::observe::{Observed, State};
use crate::options::NO_NAME;
use crate::record::FileHeader;
use crate::{FlashError, FlashOptions};

pub(crate) type Result<T, F> = core::result::Result<T, FlashError<<F as ErrorType>::Error>>;

/// Something failed, and the region keeps what it was: errors have some 30 bytes, and every function that hands one up would copy it.
#[derive(Debug)]
pub(crate) struct Failed(());

/// What an operation on the region comes to.
pub(crate) type Tried<T> = core::result::Result<T, Failed>;

/// One slot, as known in memory: 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    /// How often it was erased.
    pub(crate) erases: u32,
    /// The file's number, which no other file of the region ever has.
    pub(crate) sequence: u32,
    /// The checksum of the file's name.
    pub(crate) name_crc: u32,
    pub(crate) name_bytes: u8,
    pub(crate) state: State,
    /// Nothing was ever seen where tombstones go.
    pub(crate) never_buried: bool,
    /// What was last programmed into its headers has not been read back yet.
    pub(crate) unchecked: bool,
}

impl Slot {
    /// Of which nothing is known.
    const UNKNOWN: Self = Self {
        erases: 0,
        sequence: 0,
        name_crc: 0,
        name_bytes: 0,
        state: State::Dirty,
        never_buried: false,
        unchecked: false,
    };
}

/// A region of flash: what all handles share.
pub(crate) struct Region<F: ErrorType, const SLOTS: usize> {
    pub(crate) flash: F,
    pub(crate) layout: Layout,
    pub(crate) table: [Slot; SLOTS],
    /// The sequence number of the next file.
    pub(crate) next_file: u32,
    pub(crate) nonces: u32,
    seed: u64,
    never_reopen: bool,
    /// What is programmed waits, for somebody who reads it back then.
    #[cfg(feature = "async")]
    pub(crate) deferred: bool,
    pub(crate) erasing: Option<Erasing>,
    failure: Option<FlashError<F::Error>>,
}

/// What mounting has learned so far.
pub(crate) struct Mounting<const SLOTS: usize> {
    erases_max: u32,
    unknown: [bool; SLOTS],
}

impl<F: NorFlash, const SLOTS: usize> Region<F, SLOTS> {
    /// A region of which nothing is known yet: every slot is dirty.
    pub(crate) fn new(flash: F, options: &FlashOptions) -> Result<Self, F> {
        let layout = Layout::new(&flash, SLOTS, options)?;
        Ok(Self {
            flash,
            layout,
            table: [Slot::UNKNOWN; SLOTS],
            next_file: 1,
            nonces: 0,
            seed: options.seed,
            never_reopen: options.never_reopen,
            #[cfg(feature = "async")]
            deferred: false,
            erasing: None,
            failure: None,
        })
    }

    /// Keeps what has failed, until [`run`](Self::run) hands it to the caller. What failed first counts.
    #[cold]
    #[inline(never)]
    pub(crate) fn fails(&mut self, error: FlashError<F::Error>) -> Failed {
        self.failure.get_or_insert(error);
        Failed(())
    }

    /// That the driver has failed.
    #[cold]
    #[inline(never)]
    pub(crate) fn driver_fails(&mut self, slot: usize, offset: u32, driver: F::Error) -> Failed {
        self.fails(FlashError::Flash { slot, offset, driver })
    }

    /// Does something on the region: its result, or what has failed.
    #[inline]
    pub(crate) fn run<T>(&mut self, action: impl FnOnce(&mut Self) -> Tried<T>) -> Result<T, F> {
        action(self).map_err(|failed| self.failure(failed))
    }

    #[cold]
    #[inline(never)]
    fn failure(&mut self, _: Failed) -> FlashError<F::Error> {
        self.failure.take().unwrap_or_else(|| {
            debug_assert!(false, "what has failed was kept");
            FlashError::Unsupported
        })
    }

    /// Finds out what each slot holds. Reads headers only.
    pub(crate) fn mount(&mut self) -> Tried<()> {
        let mut mounting = self.begin_mount();
        for slot in 0..SLOTS {
            self.mount_slot(slot, &mut mounting)?;
        }
        self.end_mount(&mounting);
        Ok(())
    }

    /// Forgets what is known of the slots.
    pub(crate) fn begin_mount(&mut self) -> Mounting<SLOTS> {
        self.table = [Slot::UNKNOWN; SLOTS];
        self.next_file = 1;
        self.erasing = None;
        Mounting { erases_max: 0, unknown: [false; SLOTS] }
    }

    pub(crate) fn mount_slot(&mut self, slot: usize, mounting: &mut Mounting<SLOTS>) -> Tried<()> {
        let seen = self.observe(slot)?;
        let next_file = if planted!(FlashSequenceForgotten) { 1 } else { seen.next_file() };
        self.next_file = self.next_file.max(next_file);
        mounting.erases_max = mounting.erases_max.max(seen.erases().unwrap_or(0));
        if let Some(unknown) = mounting.unknown.get_mut(slot) {
            *unknown = seen.erases().is_none();
        }
        self.note(slot, &seen);
        Ok(())
    }

    pub(crate) fn end_mount(&mut self, mounting: &Mounting<SLOTS>) {
        for (slot, unknown) in self.table.iter_mut().zip(mounting.unknown) {
            if unknown {
                // It cannot have been erased more often than the others for long: it counts as worn as the worst of them.
                slot.erases = mounting.erases_max;
            }
        }
        self.keep_newest();
    }

    /// Takes over what a slot holds.
    pub(crate) fn note(&mut self, slot: usize, seen: &Observed) {
        if let Some(known) = self.table.get_mut(slot) {
            let seen_erases = seen.erases().filter(|_| !planted!(FlashErasesForgotten));
            let erases = seen_erases.unwrap_or(known.erases);
            let state = seen.state();
            let file = seen.header.as_ref().map(|found| (found.header, found.name_crc));
            let (header, name_crc) = file.unwrap_or((FileHeader { sequence: 0, name_bytes: 0 }, 0));
            let FileHeader { sequence, name_bytes } = header;
            let never_buried = seen.tombstone_bits == 0;
            *known = Slot {
                erases,
                sequence,
                name_crc,
                name_bytes,
                state,
                never_buried,
                unchecked: false,
            };
        }
    }

    /// No cut leaves two files of one name; if rot has, the newer one counts.
    fn keep_newest(&mut self) {
        for slot in 0..SLOTS {
            let Some(this) = self.table.get(slot).copied() else { continue };
            let newer = |other: &Slot| {
                other.state == State::File
                    && other.name_crc == this.name_crc
                    && other.name_bytes == this.name_bytes
                    && other.sequence > this.sequence
            };
            if this.state == State::File
                && self.table.iter().any(newer)
                && let Some(slot) = self.table.get_mut(slot)
            {
                slot.state = State::Dirty;
            }
        }
    }

    /// The slot that holds a file.
    pub(crate) fn find(&mut self, name: &str) -> Tried<Option<usize>> {
        let (crc, length) = (crc32c(0, name.as_bytes()), name.len());
        for slot in 0..SLOTS {
            let alike = self.table.get(slot).is_some_and(|slot| {
                slot.state == State::File
                    && slot.name_crc == crc
                    && usize::from(slot.name_bytes) == length
            });
            if alike {
                let mut buffer = NO_NAME;
                if self.name(slot, &mut buffer)?.is_some_and(|found| found == name.as_bytes()) {
                    return Ok(Some(slot));
                }
            }
        }
        Ok(None)
    }

    /// Puts a file's header into a slot that is ready.
    pub(crate) fn create(&mut self, name: &str) -> Tried<usize> {
        let limit = usize::from(self.layout.name_bytes_max);
        if name.len() > limit {
            return Err(self.fails(FlashError::NameBytes { found: name.len(), limit }));
        }
        let slot = match self.least_worn(|state| state == State::Ready) {
            Some(slot) => slot,
            None => match self.make_ready()? {
                Some(slot) => slot,
                None => return Err(self.fails(FlashError::NoSlot { slots: SLOTS })),
            },
        };
        let sequence = self.next_file;
        self.next_file = sequence.saturating_add(1);
        if let Some(slot) = self.table.get_mut(slot) {
            // Until it is known better.
            slot.state = State::Dirty;
        }
        let header = FileHeader::encode(sequence, name.as_bytes());
        let mut written = Ok(());
        for copy in
            self.layout.headers().into_iter().take(1 + usize::from(!planted!(FlashHeaderOnce)))
        {
            // crash: the slot is dirty without a whole header, and the file is there with one
            written =
                written.and_then(|()| self.program_record(slot, copy, &header, name.as_bytes()));
        }
        if self.is_deferred() {
            written?;
            let header = FileHeader { sequence, name_bytes: small(name.len()).to_le_bytes()[0] };
            self.believe(slot, header, crc32c(0, name.as_bytes()), State::File);
            return Ok(slot);
        }
        let seen = self.observe(slot);
        written?;
        self.note(slot, &seen?);
        Ok(slot)
    }

    /// Takes for done what waits to be programmed into a slot that holds nothing else.
    pub(crate) fn believe(&mut self, slot: usize, header: FileHeader, name_crc: u32, state: State) {
        let FileHeader { sequence, name_bytes } = header;
        if let Some(slot) = self.table.get_mut(slot) {
            let erases = slot.erases;
            let (never_buried, unchecked) = (true, true);
            *slot = Slot { erases, sequence, name_crc, name_bytes, state, never_buried, unchecked };
        }
    }

    /// Marks a file's slot dead.
    pub(crate) fn remove(&mut self, slot: usize) -> Tried<()> {
        // crash: the file is there, or it is not; a tombstone that is torn is as it is from then on
        if !planted!(FlashRemovedUnburied) {
            self.bury(slot)?;
        }
        if let Some(slot) = self.table.get_mut(slot) {
            slot.state = State::Dirty;
            (slot.never_buried, slot.unchecked) = (false, false);
        }
        Ok(())
    }

    /// Of the slots in such a state the one that was erased the least.
    pub(crate) fn least_worn(&self, wanted: impl Fn(State) -> bool) -> Option<usize> {
        let candidates = self.table.iter().enumerate().filter(|(_, slot)| wanted(slot.state));
        let wear = |slot: &Slot| if planted!(FlashWearIgnored) { 0 } else { slot.erases };
        candidates.min_by_key(|(_, slot)| wear(slot)).map(|(slot, _)| slot)
    }

    /// Whether what is programmed is read back later, by somebody else.
    #[cfg_attr(
        not(feature = "async"),
        expect(clippy::unused_self, reason = "nothing is deferred then")
    )]
    pub(crate) const fn is_deferred(&self) -> bool {
        #[cfg(feature = "async")]
        return self.deferred;
        #[cfg(not(feature = "async"))]
        return false;
    }

    pub(crate) const fn reopens(&self) -> bool {
        !self.never_reopen
    }

    /// Different for each call between two creations, and for each file since the region's first.
    pub(crate) fn nonce(&mut self) -> u64 {
        let state = (u64::from(self.next_file) << 32) | u64::from(self.nonces);
        self.nonces = self.nonces.wrapping_add(1);
        // One to one, so that different states never give one number.
        mix(state ^ mix(self.seed))
    }

    /// The first place from `at` on within a file that is not blank.
    pub(crate) fn first_programmed(&mut self, slot: usize, at: u32) -> Tried<Option<u32>> {
        let end = self.layout.data_bytes();
        let mut at = at;
        let mut buffer = [0; 64];
        while at < end {
            let count = buffer.len().min((end - at) as usize);
            let buffer = buffer.get_mut(..count).unwrap_or_default();
            self.read(slot, self.layout.data().saturating_add(at), buffer)?;
            if let Some(found) = buffer.iter().position(|byte| *byte != 0xFF) {
                return Ok(Some(at.saturating_add(small(found))));
            }
            at = at.saturating_add(small(count));
        }
        Ok(None)
    }

    /// Reads from a place within a slot, in units that the chip takes.
    pub(crate) fn read(&mut self, slot: usize, at: u32, buffer: &mut [u8]) -> Tried<()> {
        let unit = small(F::READ_SIZE);
        let mut offset = self.layout.place(slot, at);
        let mut rest = buffer;
        while !rest.is_empty() {
            let skip = offset.checked_rem(unit).unwrap_or(0);
            let whole = rest.len() - rest.len().checked_rem(F::READ_SIZE).unwrap_or(0);
            let count = if skip == 0 && whole > 0 {
                let (now, _) = rest.split_at_mut(whole);
                self.flash
                    .read(offset, now)
                    .map_err(|driver| self.driver_fails(slot, offset, driver))?;
                whole
            } else {
                let mut bounce = [0; GRANULE_BYTES_MAX];
                let bounce = bounce.get_mut(..F::READ_SIZE).unwrap_or_default();
                let from = offset - skip;
                self.flash
                    .read(from, bounce)
                    .map_err(|driver| self.driver_fails(slot, from, driver))?;
                let found = bounce.get(skip as usize..).unwrap_or_default();
                let count = found.len().min(rest.len());
                for (to, from) in rest.iter_mut().zip(found) {
                    *to = *from;
                }
                count
            };
            offset = offset.saturating_add(small(count));
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Programs whole granules at a place within a slot, but for blank ones at both ends.
    ///
    /// They read the same without, and a cut then never leaves a granule that is programmed behind nothing but blank ones: a file
    /// that reads blank from some place on can be continued there.
    pub(crate) fn program(&mut self, slot: usize, at: u32, bytes: &[u8]) -> Tried<()> {
        let granule = usize::from(self.layout.granule);
        let is_blank = |granule: &[u8]| granule.iter().all(|byte| *byte == 0xFF);
        let before = bytes.chunks(granule).take_while(|each| is_blank(each)).count() * granule;
        let Some(rest) = bytes.get(before..).filter(|rest| !rest.is_empty()) else { return Ok(()) };
        let behind = rest.rchunks(granule).take_while(|each| is_blank(each)).count() * granule;
        let rest = rest.get(..rest.len().saturating_sub(behind)).unwrap_or_default();
        let start = self.layout.place(slot, at);
        let offset = start.saturating_add(small(before));
        self.flash.write(offset, rest).map_err(|driver| self.driver_fails(slot, offset, driver))
    }

    /// Programs a record of the region's own, its last granule filled up.
    pub(crate) fn program_record(
        &mut self,
        slot: usize,
        at: u32,
        head: &[u8],
        name: &[u8],
    ) -> Tried<()> {
        let mut buffer = [0xFF; GRANULE_BYTES_MAX];
        for (to, from) in buffer.iter_mut().zip(head.iter().chain(name)) {
            *to = *from;
        }
        let bytes = (head.len() + name.len()).next_multiple_of(self.layout.granule.into());
        self.program(slot, at, buffer.get(..bytes).unwrap_or_default())
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood 2014): one to one over 64 bits.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
