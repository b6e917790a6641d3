//! Which scripts are run with which ways to publish on which disks.
//!
//! Must never cut a list short without saying so: exhaustive to a length, or so many drawn beyond it.

use crate::simulated::{Bounds, DiskOptions, FaultKind, PrefixOracle};

use super::super::case::Group;
use super::super::disks::{self, survivors};
use super::super::scripts::{Amount, Scripts};
use super::super::size::Size;
use super::super::stage::Stage;
use super::{Do, PublishWorkload, Setup, Total};

/// What every later life does: it publishes, and the leftovers of the first must not be in its way.
const LATER: &[Do] = &[Do::Append, Do::Publish];

/// Scripts in which several segments and checkpoints go.
const CHOSEN: &[&[Do]] = {
    use Do::{Append, Batch, Close, Publish, PublishOlder, Sync, TruncateLast};
    &[
        &[Batch, Publish, Append],
        &[Batch, Batch, Publish, Append, Sync],
        &[Batch, Publish, Batch, Publish],
        &[Append, Publish, Append, Publish, Append, Publish],
        &[Batch, Publish, Close, Batch, Sync],
        &[Batch, Publish, Append, TruncateLast, Append, Publish, Append, Sync],
        &[Batch, Batch, PublishOlder, Append, PublishOlder, Append, Publish],
    ]
};

/// How checkpoints are published, what later lives do, and whether the workload must expect faults.
#[derive(Debug, Clone, Copy)]
struct Setting {
    setup: Setup,
    later: &'static [Do],
    faults: bool,
}

impl Setting {
    const fn of(setup: Setup) -> Self {
        Self { setup, later: LATER, faults: false }
    }
}

fn stage(
    group: &Group,
    on: &str,
    setting: Setting,
    bounds: &Bounds,
    scripts: Scripts<Do>,
) -> Stage {
    let Setting { setup, later, faults } = setting;
    let name = format!("{setup}, {on}, {} steps later", later.len());
    Stage::new(group, name, bounds, scripts, move |script| {
        let workload = PublishWorkload { script, later: later.to_vec(), setup, faults };
        (workload, PrefixOracle::<Total>::new())
    })
}

const fn setups() -> [Setup; 5] {
    let plain = Setup { prune: true, keep: 1, mark: false, streamed: false };
    [
        plain,
        Setup { keep: 2, ..plain },
        Setup { keep: 3, mark: true, ..plain },
        Setup { prune: false, ..plain },
        Setup { prune: false, keep: 2, streamed: true, ..plain },
    ]
}

const fn plain() -> DiskOptions {
    DiskOptions::new().with_tear_unit(64)
}

/// Every script to a length under one crash, two and three.
pub(in super::super) fn crashes(size: &Size) -> Vec<Stage> {
    const SECOND: Amount = Amount::all(2).and_drawn(&[(3, 20), (4, 20)]);
    let one = Bounds::new(plain()).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(16, 4));
    let three = one.clone().with_depth(3).with_survivors(survivors(8, 2));
    let first = [
        Amount::all(2).and_chosen(),
        Amount::all(4).and_drawn(&[(5, 400), (6, 200)]).and_chosen(),
        Amount::all(5).and_drawn(&[(6, 24_000)]).and_chosen(),
    ];
    let second = [Amount::all(1), SECOND, Amount::all(4)];
    let third = [Amount::NONE, Amount::NONE.and_drawn(&[(2, 2)]), Amount::all(2)];
    let of = |amounts| size.scripts(amounts, CHOSEN);
    let mut stages = Vec::new();
    for setup in setups() {
        let (group, setting) = (Group::new(), Setting::of(setup));
        let on_plain = |bounds, amounts| stage(&group, "plain", setting, bounds, of(amounts));
        stages.extend([on_plain(&one, first), on_plain(&two, second), on_plain(&three, third)]);
    }
    let [_, keeping_two, ..] = setups();
    let quiet = Setting { later: &[], ..Setting::of(keeping_two) };
    let amounts = [Amount::all(1), Amount::all(2), Amount::all(3)];
    stages.push(stage(&Group::new(), "plain", quiet, &two, of(amounts)));
    for (name, disk) in disks::all() {
        let one = Bounds::new(disk).with_survivors(survivors(32, 8));
        let two = one.clone().with_depth(2).with_survivors(survivors(16, 4));
        let short = [Amount::all(1), Amount::all(3), Amount::all(4)].map(Amount::and_chosen);
        let deep = [Amount::NONE, Amount::all(1), Amount::all(2)];
        let (group, setting) = (Group::new(), Setting::of(keeping_two));
        stages.push(stage(&group, name, setting, &one, of(short)));
        stages.push(stage(&group, name, setting, &two, of(deep)));
    }
    stages
}

/// Every fault at every operation, of the first life and of the recovery, then a crash.
pub(in super::super) fn faults(size: &Size) -> Vec<Stage> {
    let one = Bounds::new(plain()).with_faults(&FaultKind::ALL).with_survivors(survivors(16, 4));
    let inside = one.clone().with_depth(2).with_fault_lives(2).with_survivors(survivors(6, 2));
    let first =
        [Amount::all(1).and_chosen(), Amount::all(4).and_chosen(), Amount::all(5).and_chosen()];
    let deep =
        [Amount::NONE.and_drawn(&[(1, 1)]), Amount::all(1).and_drawn(&[(2, 4)]), Amount::all(2)];
    let of = |amounts| size.scripts(amounts, CHOSEN);
    let each = setups().into_iter().take(2).flat_map(|setup| {
        let group = Group::new();
        let setting = Setting { faults: true, ..Setting::of(setup) };
        let on_plain = |bounds, amounts| stage(&group, "plain", setting, bounds, of(amounts));
        [on_plain(&one, first), on_plain(&inside, deep)]
    });
    each.collect()
}
