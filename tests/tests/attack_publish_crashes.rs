//! Publishing survives every crash, and a fault and a crash, at every operation.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)] // tests

use durability_core::checkpoint::CheckpointOptions;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};
use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, Model, PrefixOracle, SimulatedDisk,
    SimulatedError, SurvivorLimits, Workload, explore,
};

/// The state after entries 1 to n, each of which is its own id.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sum(u64);

impl Model for Sum {
    type Operation = u64;
    type Seen = (u64, u64);
    fn apply(&mut self, _entry: &u64) {
        self.0 += 1;
    }
    fn explains(&self, seen: &(u64, u64)) -> bool {
        *seen == (self.0, self.0 * (self.0 + 1) / 2)
    }
}

struct Publishing {
    keep: u32,
    marks: bool,
    appends: &'static [u32],
}

impl Publishing {
    fn live(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>, rounds: usize) -> Ended {
        let options = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
        let mut wal = WalWriter::<u64, _>::open(disk, options.mark_after_sync(self.marks))?;
        let small = CheckpointOptions::new().chunk_bytes(256).read_bytes(256);
        let recover = RecoverOptions::new().checkpoint(small);
        let found = recover_with_wal(&mut wal, &recover, 0_u64, |sum, id, entry: u64| {
            assert_eq!(id.get(), entry, "as written");
            *sum += entry;
            Ok::<(), Error<SimulatedError>>(())
        })?;
        let (mut last, mut sum) = (found.last_id.map_or(0, EntryId::get), found.state);
        journal.recovered((last, sum));
        let options = PublishOptions::new().keep(self.keep).checkpoint(small);
        let mut publisher = CheckpointPublisher::new(disk, options)?;
        for &count in self.appends.iter().take(rounds) {
            for _ in 0..count {
                last += 1;
                sum += last;
                journal.issue(last);
                wal.append(&last)?;
            }
            publisher.publish(&mut wal, &sum)?;
            journal.acknowledge();
        }
        Ok(())
    }
}

impl Workload for Publishing {
    type Operation = u64;
    type Seen = (u64, u64);
    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.live(disk, journal, usize::MAX)
    }
    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.live(disk, journal, 1)
    }
}

fn bounds() -> Bounds {
    let limits = SurvivorLimits::new().with_exhaustive_max(32).with_samples(6);
    Bounds::new(DiskOptions::new().with_tear_unit(64)).with_survivors(limits)
}

fn explore_all(bounds: &Bounds) {
    for (keep, marks) in [(1, false), (2, true)] {
        for appends in [&[1, 4, 3][..], &[5, 0, 2]] {
            let workload = Publishing { keep, marks, appends };
            match explore(&workload, &PrefixOracle::<Sum>::new(), bounds) {
                Ok(statistics) => println!("{statistics}"),
                Err(failure) => panic!("keep {keep}, marks {marks}, {appends:?}: {failure}"),
            }
        }
    }
}

#[test]
fn publishing_survives_two_crashes() {
    explore_all(&bounds().with_depth(2).with_states_max(30_000));
}

#[test]
fn publishing_survives_a_fault_and_a_crash() {
    explore_all(&bounds().with_depth(1).with_states_max(30_000).with_faults(&FaultKind::ALL));
}
