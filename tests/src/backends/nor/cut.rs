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
}

impl Tearing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Front, Self::Back, Self::Junk, Self::Unstable];
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
        Tearing::Junk => erased(noise() & 1 == 0),
        Tearing::Unstable => match noise() & 3 {
            0 => TornErase::Kept,
            1 => TornErase::Erased,
            _ => TornErase::Unstable,
        },
    }
}
