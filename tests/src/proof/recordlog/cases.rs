//! Which scripts are run with which record logs on which disks.
//!
//! Must never cut a list short without saying so: exhaustive to a length, or so many drawn beyond it.

use crate::simulated::{Bounds, DiskOptions, FaultKind, LogModel, PrefixOracle};

use super::super::case::Group;
use super::super::disks::{self, survivors};
use super::super::scripts::{Amount, Scripts};
use super::super::size::Size;
use super::super::stage::Stage;
use super::{Do, RecordLogWorkload, Tag};

/// What every later life does.
const LATER: &[Do] = &[Do::Append, Do::Sync];

/// Longer scripts, in which everything comes to pass.
const CHOSEN: &[&[Do]] = {
    use Do::{Append, Close, Flush, Large, Sync};
    &[
        &[Large, Sync, Append, Flush, Append, Sync, Large],
        &[Append, Sync, Large, Close, Append, Close, Large, Flush],
    ]
};

fn stage(
    group: &Group,
    on: &str,
    (mark, faults): (bool, bool),
    bounds: &Bounds,
    scripts: Scripts<Do>,
) -> Stage {
    let name = format!("{on}, {}", if mark { "a mark after every sync" } else { "no marks" });
    Stage::new(group, name, bounds, scripts, move |script| {
        let workload = RecordLogWorkload { script, later: LATER.to_vec(), mark, faults };
        (workload, PrefixOracle::<LogModel<Tag>>::new())
    })
}

const fn plain() -> DiskOptions {
    DiskOptions::new().with_tear_unit(16)
}

/// Every script to a length under one crash, two, three, and tears at any byte; on every disk.
pub(in super::super) fn crashes(size: &Size) -> Vec<Stage> {
    let one = Bounds::new(plain()).with_survivors(survivors(128, 16));
    let two = one.clone().with_depth(2).with_survivors(survivors(64, 8));
    let three = one.clone().with_depth(3).with_survivors(survivors(16, 4));
    let bytes = Bounds::new(plain().with_tear_unit(1).without_junk()).with_depth(2);
    let bytes = bytes.with_survivors(survivors(1, size.pick(8, 40, 100)));
    let longer = Amount::all(7).and_drawn(&[(8, 10_000)]).and_chosen();
    let first = [Amount::all(3).and_chosen(), Amount::all(6).and_chosen(), longer];
    let second = [Amount::all(1), Amount::all(4), Amount::all(5).and_chosen()];
    let third = [Amount::NONE, Amount::all(2), Amount::all(3)];
    let torn = [Amount::all(1), Amount::all(2), Amount::all(3)];
    let of = |amounts| size.scripts(amounts, CHOSEN);
    let mut stages = Vec::new();
    for mark in [false, true] {
        let group = Group::new();
        let on_plain = |bounds, amounts| stage(&group, "plain", (mark, false), bounds, of(amounts));
        stages.extend([on_plain(&one, first), on_plain(&two, second), on_plain(&three, third)]);
        let how = (mark, false);
        stages.push(stage(&Group::new(), "torn at any byte", how, &bytes, of(torn)));
    }
    // Without reopening, a record log with records in it cannot be resumed, and says so.
    let resumable = |disk: &DiskOptions| disk.capabilities().reopen();
    for (name, disk) in disks::all().into_iter().filter(|(_, disk)| resumable(disk)) {
        let one = Bounds::new(disk).with_survivors(survivors(64, 8));
        let two = one.clone().with_depth(2).with_survivors(survivors(32, 6));
        let short = [Amount::all(1), Amount::all(4), Amount::all(5)].map(Amount::and_chosen);
        let deep = [Amount::NONE, Amount::all(2), Amount::all(3)];
        let group = Group::new();
        stages.push(stage(&group, name, (true, false), &one, of(short)));
        stages.push(stage(&group, name, (true, false), &two, of(deep)));
    }
    stages
}

/// Every fault at every operation, of the first life and of the recovery, then a crash.
pub(in super::super) fn faults(size: &Size) -> Vec<Stage> {
    let one = Bounds::new(plain()).with_faults(&FaultKind::ALL).with_survivors(survivors(32, 6));
    let inside = one.clone().with_depth(2).with_fault_lives(2).with_survivors(survivors(8, 2));
    let first = [Amount::all(2), Amount::all(4), Amount::all(5)].map(Amount::and_chosen);
    let deep = [Amount::NONE.and_drawn(&[(1, 1)]), Amount::all(2), Amount::all(3)];
    let of = |amounts| size.scripts(amounts, CHOSEN);
    let each = [false, true].into_iter().flat_map(|mark| {
        let group = Group::new();
        let on_plain = |bounds, amounts| stage(&group, "plain", (mark, true), bounds, of(amounts));
        [on_plain(&one, first), on_plain(&inside, deep)]
    });
    each.collect()
}
