//! What a power cut leaves of the operation in whose middle it comes. Pure: from what was and what was to be, to what is.
//!
//! Must never leave more than the operation could have done.

/// What the operation leaves behind in whose middle the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tearing {
    /// Nothing of it arrives. An erase block is no longer sure to be what it was: it takes no programming before it is erased.
    Nothing,
    /// The first half of the granule, or of the erase block, arrives.
    Front,
    /// The last half of the granule, or of the erase block, arrives.
    Back,
    /// Any bits arrive: some of a program's, and some granules of an erasure.
    Junk,
    /// Any bits of a program arrive. Of an erase block each granule is as it was, erased, or unstable: it reads differently each time, with any of
    /// its programmed bits erased, until it is erased again.
    Unstable,
    /// Any words arrive of all that one command programs into a page of 256 bytes, whole or in part, whichever comes first: a serial chip takes the page as it likes. An
    /// erasure is torn as by `Junk`.
    Scattered,
}

impl Tearing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Front, Self::Back, Self::Junk, Self::Unstable, Self::Scattered];
}

/// A state that a power cut could have left: the chip as it would be with the power back.
#[derive(Debug, Clone)]
pub struct NorCut<C> {
    /// The operation that was cut, counted from 1.
    pub operation: u64,
    /// How it was torn.
    pub tearing: Tearing,
    /// The chip.
    pub chip: C,
}

/// What becomes of a granule whose programming is cut off.
pub(super) fn torn_program(
    tearing: Tearing,
    old: &mut [u8],
    new: &[u8],
    mut noise: impl FnMut() -> u8,
) {
    let half = new.len().div_ceil(2);
    for (at, (to, from)) in old.iter_mut().zip(new).enumerate() {
        match tearing {
            Tearing::Front if at < half => *to = *from,
            Tearing::Back if at >= half => *to = *from,
            Tearing::Junk | Tearing::Unstable => *to = from | noise(),
            _ => {}
        }
    }
}

/// What becomes of a page whose programming is cut off, in words of so many bytes. Of a few cuts nothing has arrived, of a few nearly all, of most something between.
pub(super) fn scattered_program(
    old: &mut [u8],
    new: &[u8],
    word: usize,
    mut noise: impl FnMut() -> u8,
) {
    let arrived = noise();
    for (to, from) in old.chunks_mut(word).zip(new.chunks(word)) {
        let lot = noise();
        if lot <= arrived {
            to.copy_from_slice(from);
        } else if lot.is_multiple_of(4) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from | noise());
        }
    }
}

/// What becomes of a granule whose erasure is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TornErase {
    Kept,
    Erased,
    Unstable,
}

pub(super) fn torn_erase(
    tearing: Tearing,
    at: usize,
    granules: usize,
    mut noise: impl FnMut() -> u8,
) -> TornErase {
    let erased = |condition| if condition { TornErase::Erased } else { TornErase::Kept };
    match tearing {
        Tearing::Nothing => TornErase::Kept,
        Tearing::Front => erased(at < granules / 2),
        Tearing::Back => erased(at >= granules / 2),
        Tearing::Junk | Tearing::Scattered => erased(noise() & 1 == 0),
        Tearing::Unstable => match noise() & 3 {
            0 => TornErase::Kept,
            1 => TornErase::Erased,
            _ => TornErase::Unstable,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use embedded_storage::nor_flash::NorFlash as _;

    use super::Tearing;
    use crate::backends::{NorChip, NorError};

    #[test]
    fn of_a_page_any_words_arrive_in_any_order_and_those_that_read_blank_can_be_programmed() {
        let (mut out_of_order, mut in_part, mut none) = (0, 0, 0);
        for seed in 0..200 {
            let mut chip = NorChip::<1, 4, 512>::new(1).seeded(seed);
            chip.cut_power_at(3, Tearing::Scattered);
            // Four words before the page's end, and four behind it.
            assert_eq!(chip.write(240, &[0; 32]), Err(NorError::PowerLost));
            let mut chip = chip.powered();
            assert_eq!(chip.operations(), 3);
            assert!(chip.bytes()[256..].iter().all(|byte| *byte == 0xFF), "not of the next page");
            let words: Vec<[u8; 4]> =
                chip.bytes()[240..256].chunks(4).map(|word| word.try_into().unwrap()).collect();
            let blank = |word: &[u8; 4]| *word == [0xFF; 4];
            let first_blank = words.iter().position(blank);
            out_of_order += u32::from(
                first_blank.is_some_and(|at| words[at..].iter().any(|word| !blank(word))),
            );
            in_part += u32::from(words.iter().any(|word| !blank(word) && *word != [0; 4]));
            none += u32::from(words.iter().all(blank));
            for (at, word) in (240_u32..).step_by(4).zip(&words) {
                let again = chip.write(at, &[0; 4]);
                let refused = Err(NorError::ProgrammedTwice { offset: at as usize });
                assert_eq!(again, if blank(word) { Ok(()) } else { refused });
            }
        }
        assert!(out_of_order > 20 && in_part > 20 && none > 2, "{out_of_order} {in_part} {none}");
    }

    #[test]
    fn every_operation_of_a_page_leaves_a_copy_of_its_own() {
        let mut chip = NorChip::<1, 4, 512>::new(1);
        chip.record_cuts(&[Tearing::Scattered], 1);
        chip.write(240, &[0; 32]).unwrap();
        chip.erase(0, 512).unwrap();
        chip.write(0, &[0; 4]).unwrap();
        let cuts = chip.take_cuts();
        // None of the erasure, nor of a word alone: other tearings have them.
        let operations: Vec<u64> = cuts.iter().map(|cut| cut.operation).collect();
        assert_eq!(operations, [1, 2, 3, 4, 5, 6, 7, 8]);
        let copies = cuts.iter().map(|cut| &cut.chip.bytes()[240..272]);
        assert!(copies.collect::<std::collections::BTreeSet<_>>().len() > 4, "of its own");
    }
}
