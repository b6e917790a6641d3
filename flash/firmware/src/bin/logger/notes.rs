//! What the judge knows: which records were logged, in which boot, and which of them were acknowledged.
//!
//! Must never be read by what it judges.
#![allow(unsafe_code, reason = "it lies in memory that survives a reset")]

use durability_firmware::board;
use durability_firmware::chip::Chip;
use durability_firmware::kept::Kept;
use durability_firmware::random::{Random, mixed};
use semihosting::println;

use crate::costs::Costs;
use crate::session;

/// Entries that the notes reach back.
pub(crate) const REACH: usize = 1024;
const WRITTEN: u32 = 0x6E6F_7465;

/// A reading of the sensor: what is logged.
pub(crate) type Reading = [u8; 32];

/// What survives a reset.
#[repr(C)]
pub(crate) struct Memory {
    pub(crate) chip: Chip,
    pub(crate) notes: Notes,
}

/// The notes.
#[repr(C)]
pub(crate) struct Notes {
    /// In which boot each of the last entries was appended, by its id.
    boots_of: [u16; REACH],
    /// What all entries up to each of the last ones add up to, by its id.
    sums: [u32; REACH],
    pub(crate) random: Random,
    pub(crate) seed: u64,
    /// The last entry that was handed to the log.
    pub(crate) issued: u64,
    /// The last entry that must be there.
    pub(crate) acknowledged: u64,
    /// The last entry of the last publication that returned.
    pub(crate) published: u64,
    /// The first and the last entry of the last batch.
    pub(crate) batch: [u64; 2],
    pub(crate) boots: u32,
    /// Nothing was appended yet in this boot. Not a `bool`, as memory may hold anything before it is written.
    pub(crate) fresh: u32,
    written: u32,
    pub(crate) costs: Costs,
}

// SAFETY: made of integers alone, and below 40 KiB.
unsafe impl Kept for Memory {}

impl Notes {
    pub(crate) fn are_written(&self) -> bool {
        self.written == WRITTEN
    }

    /// Nothing is known.
    pub(crate) fn begin(&mut self, seed: u64) {
        self.boots_of = [0; REACH];
        self.sums = [0; REACH];
        self.random = Random::new(seed);
        self.seed = seed;
        (self.issued, self.acknowledged, self.published, self.batch) = (0, 0, 0, [0; 2]);
        self.boots = 0;
        self.costs = Costs::none();
        self.written = WRITTEN;
    }

    /// The reading of an entry that is about to be appended.
    pub(crate) fn next(&mut self) -> Reading {
        let id = self.issued + 1;
        let before = self.sum(self.issued);
        self.boots_of[slot(id)] = u16::try_from(self.boots).unwrap_or(u16::MAX);
        let reading = self.reading(id);
        self.sums[slot(id)] = added(before, &reading);
        self.issued = id;
        reading
    }

    /// What an entry must be, as the boot that appended it would have made it.
    pub(crate) fn reading(&self, id: u64) -> Reading {
        let mut random = Random::new(self.seed ^ mixed(id) ^ u64::from(self.boots_of[slot(id)]));
        let mut reading = [0; 32];
        for piece in reading.chunks_exact_mut(8) {
            piece.copy_from_slice(&random.next().to_le_bytes());
        }
        reading
    }

    /// What all entries up to this one add up to.
    pub(crate) fn sum(&self, id: u64) -> u32 {
        if id == 0 { 0 } else { self.sums[slot(id)] }
    }

    pub(crate) fn print(&self, chip: &Chip) {
        let [programs, erases] = chip.cuts;
        println!();
        println!(
            "**{}**, {} frames: survived {} power cuts, {programs} in the middle of a program and {erases} of an erase; {} entries acknowledged. Seed {}.",
            board::NAME,
            session::FORM,
            self.boots,
            self.acknowledged,
            self.seed,
        );
        println!();
        self.costs.print();
        println!();
        println!("Besides the heap, {}.", session::Sizes);
    }
}

/// A state and one more reading.
pub(crate) fn added(sum: u32, reading: &Reading) -> u32 {
    reading
        .iter()
        .fold(sum, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte).wrapping_mul(0x9E37_79B1))
}

#[expect(clippy::cast_possible_truncation, reason = "below REACH")]
const fn slot(id: u64) -> usize {
    (id % REACH as u64) as usize
}
