//! The numbers of segments that a walk comes by next, so that it need not look at all names for each of them.

/// How many are kept.
const COUNT: usize = 16;

/// The highest numbers of those that are to come, in ascending order behind zeros, which no segment has for its number.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    numbers: [u32; COUNT],
}

impl Ahead {
    /// Puts a number into its place, if it is one of the highest.
    pub(super) fn keep(&mut self, mut number: u32) {
        // From the highest down, each takes the place of one that is lower, and the lowest goes.
        for other in self.numbers.iter_mut().rev() {
            if *other < number {
                core::mem::swap(other, &mut number);
            }
        }
    }

    /// The highest that is left; 0 without one.
    pub(super) fn highest(&self) -> u32 {
        self.numbers.iter().copied().max().unwrap_or(0)
    }

    /// Takes the highest out.
    pub(super) fn pop(&mut self) -> Option<u32> {
        self.numbers.iter_mut().rev().find(|number| **number != 0).map(core::mem::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(ahead: &mut Ahead) -> [u32; COUNT + 1] {
        core::array::from_fn(|_| ahead.pop().unwrap_or(0))
    }

    #[test]
    fn the_highest_are_kept_in_whatever_order_they_come_and_taken_out_from_the_top() {
        let mut ahead = Ahead::default();
        assert_eq!((ahead.pop(), ahead.highest()), (None, 0));
        for step in [1, 7, 13, 29] {
            for number in 0..40_u32 {
                ahead.keep(number * step % 41 + 1);
            }
            let mut expected: [u32; COUNT + 1] = core::array::from_fn(|_| 0);
            let mut all: [u32; 40] =
                core::array::from_fn(|at| u32::try_from(at).unwrap_or(0) * step % 41 + 1);
            all.sort_unstable();
            for (to, from) in expected.iter_mut().zip(all.iter().rev()).take(COUNT) {
                *to = *from;
            }
            assert_eq!(ahead.highest(), expected.first().copied().unwrap_or(0));
            assert_eq!(popped(&mut ahead), expected, "step {step}");
        }
    }

    #[test]
    fn fewer_than_are_kept_come_out_as_they_are() {
        let mut ahead = Ahead::default();
        for number in [3, 9, 4] {
            ahead.keep(number);
        }
        assert_eq!(popped(&mut ahead)[..4], [9, 4, 3, 0]);
        ahead.keep(2);
        assert_eq!((ahead.highest(), ahead.pop(), ahead.pop()), (2, Some(2), None));
    }
}
