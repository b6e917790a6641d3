//! Scripts: which sequences of steps there are.
//!
//! Must never leave out a script without a reason that is written here.

use core::ops::RangeInclusive;

/// A step of a script.
pub trait Step: Copy + Send + 'static {
    /// Every step that there is.
    const ALL: &'static [Self];
}

/// Every script of these lengths, the shortest first.
pub fn scripts<S: Step>(lengths: RangeInclusive<u32>) -> impl Iterator<Item = Vec<S>> + Send {
    lengths.flat_map(|length| {
        (0..S::ALL.len().pow(length)).map(move |mut number| {
            let digits = (0..length).map(|_| {
                let digit = number % S::ALL.len();
                number /= S::ALL.len();
                S::ALL[digit]
            });
            digits.collect()
        })
    })
}
