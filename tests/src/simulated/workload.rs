//! [`Workload`]: a program that is to be run through its crashes.
//!
//! Must never ask the program for code that exists for the crash alone.

use core::fmt;
use core::hash::Hash;

use super::SimulatedDisk;
use super::journal::Journal;

/// How a life ended. An error is fine after a fault, and a violation without one; a [`Violation`](super::Violation) as the error is
/// one in any case, for laws that a workload checks itself.
pub type Ended = Result<(), Box<dyn core::error::Error>>;

/// The journal of a workload.
pub type JournalOf<W> = Journal<<W as Workload>::Operation, <W as Workload>::Seen>;

/// A program to be run through its crashes.
///
/// It must be deterministic: the same disk and the same journal lead to the same operations. It needs no code for the
/// crash: the explorer looks at the disk between any two of its operations.
pub trait Workload {
    /// What the program is asked to do.
    type Operation: Hash + fmt::Debug;
    /// What its recovery shows.
    type Seen: Hash + fmt::Debug;

    /// The first life, on an empty disk.
    ///
    /// # Errors
    /// Whatever the program meets; only after a fault.
    fn run(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended;

    /// Every later life: recover, tell the journal what recovery shows, and perhaps go on working.
    ///
    /// # Errors
    /// Whatever the program meets; only after a fault.
    fn recover(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended;

    /// Programs with the same number recover in the same way: from the same disk and the same journal, `recover` does the same
    /// in all of them. [`explore_all`](super::explore_all()) then lets only the first of them go through a state that several
    /// reach, and counts it once.
    fn recovers_as(&self) -> Option<u64> {
        None
    }

    /// What the program does, in a line of words such as "append 3, sync, append 4"; the story of a failure opens with it.
    fn describe(&self) -> String {
        String::new()
    }

    /// Programs that do less than this one, those that do least first: what a failure is shrunk to if it shows there as
    /// well. [`shorter`] makes them out of a list of steps.
    ///
    /// Must be the same list every time: replays name programs by their place in it.
    fn smaller(&self) -> Vec<Self>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

/// A list of steps without some of them: without a half, without a quarter, and so on to every list that lacks a single
/// step. For [`Workload::smaller`].
///
/// ```
/// use durability_testkit::simulated::shorter;
/// assert_eq!(shorter(&['a', 'b', 'c']), [vec!['b', 'c'], vec!['a', 'c'], vec!['a', 'b']]);
/// assert_eq!(shorter(&[1, 2, 3, 4])[..2], [[3, 4], [1, 2]]);
/// ```
pub fn shorter<T: Clone>(steps: &[T]) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    let mut gone = (steps.len() / 2).max(1);
    while !steps.is_empty() {
        for start in (0..steps.len()).step_by(gone) {
            let end = steps.len().min(start + gone);
            all.push([&steps[..start], &steps[end..]].concat());
        }
        if gone == 1 {
            break;
        }
        gone /= 2;
    }
    all
}
