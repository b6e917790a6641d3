//! Which scripts are run with segments that are made ready ahead, new or out of pruned ones.
//!
//! Must never cut a list short without saying so: exhaustive to a length, or so many drawn beyond it.

use crate::simulated::{Bounds, DiskOptions, FaultKind};

use super::super::case::Group;
use super::super::disks::{self, survivors};
use super::super::scripts::Amount;
use super::super::size::Size;
use super::super::stage::Stage;
use super::Do;
use super::cases::{Setting, stage};
use super::setup::{Ahead, Setup};

/// Longer scripts, in which preparations meet rotations, pruning, truncations and the end of a writer at each of their steps.
const CHOSEN: &[&[Do]] = {
    use Do::{
        Append, Batch, Begin, Close, Flush, Prepare, Sync, TruncatePrefix, TruncateSuffix,
        TruncateToEmpty, TruncateToFirst,
    };
    &[
        &[Prepare, Prepare, Prepare, Prepare, Begin, Append, Sync, Batch, Sync],
        &[Append, Prepare, Prepare, Prepare, Prepare, Begin, Append, Flush, TruncateSuffix],
        &[Append, Close, Prepare, Prepare, Prepare, Prepare, Begin, Batch, TruncatePrefix],
        &[Append, Prepare, Prepare, Prepare, Prepare, Batch, Sync, Batch, Sync],
        &[Append, Prepare, Batch, Prepare, Batch, Prepare, Prepare, Batch, Sync, Batch, Sync],
        &[Append, Prepare, Prepare, Batch, Batch, Batch, Prepare, Prepare, Batch, Sync],
        &[Batch, Batch, Prepare, Prepare, TruncatePrefix, Prepare, Prepare, Batch, Sync],
        &[Batch, Prepare, Prepare, Prepare, Prepare, TruncateSuffix, Append, Sync],
        &[Batch, Prepare, Prepare, Prepare, Prepare, TruncateToEmpty, Append, Sync, Batch],
        &[Batch, Prepare, Prepare, TruncateToFirst, Prepare, Prepare, Batch, Batch, Sync],
        &[Batch, Prepare, Prepare, Prepare, Prepare, Close, Batch, Prepare, Prepare, Close, Batch],
        &[Prepare, Batch, Batch, TruncatePrefix, Prepare, Prepare, Prepare, Prepare, Batch, Batch],
    ]
};

/// Scripts that prune, go on, and use the pruned segment's file for what comes next, twice over.
const RECYCLED: &[&[Do]] = {
    use Do::{
        Append, Batch, Close, Prepare, Sync, TruncatePrefix, TruncateSuffix, TruncateToEmpty,
    };
    &[
        // The mark that prunes is still in the tail while the file is zeroed.
        &[
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Sync,
        ],
        // The tail has been followed by another.
        &[
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Batch,
            Sync,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Sync,
            Batch,
        ],
        // Twice over.
        &[
            Batch,
            Batch,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            TruncatePrefix,
            Batch,
            Sync,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            TruncatePrefix,
            Batch,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Sync,
        ],
        // Begun before the pruning, so that the file waits.
        &[
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Prepare,
            Prepare,
            Batch,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Sync,
        ],
        // Truncations and an end of the writer, in the middle.
        &[
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            Prepare,
            TruncateToEmpty,
            Prepare,
            Prepare,
            Append,
            Sync,
        ],
        &[
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            TruncateSuffix,
            Prepare,
            Prepare,
            Prepare,
            Append,
            Sync,
            Batch,
        ],
        &[
            Prepare,
            Prepare,
            Prepare,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            Close,
            Prepare,
            Batch,
            Batch,
            TruncatePrefix,
            Prepare,
            Prepare,
            Prepare,
            Batch,
        ],
    ]
};

/// What every later life does: it rotates, prunes, and prepares in between.
const LATER: &[Do] = &[Do::Prepare, Do::Batch, Do::TruncatePrefix, Do::Batch, Do::Sync];

/// With segments made ready in steps between the steps of the script, at once, and out of pruned ones.
fn setups() -> [Setup; 6] {
    let ahead =
        |name, ahead, recycle| Setup { name, preallocate: true, ahead, recycle, ..Setup::PLAIN };
    [
        ahead("a step of preparing before each other", Ahead::Steps(1), false),
        ahead("whole segments ahead", Ahead::AtOnce, false),
        ahead("recycled, a step of preparing before each other", Ahead::Steps(1), true),
        ahead("recycled, whole segments ahead", Ahead::AtOnce, true),
        ahead("recycled, two steps of preparing before each other", Ahead::Steps(2), true),
        Setup { name: "names ahead, without room", ahead: Ahead::AtOnce, ..Setup::PLAIN },
    ]
}

/// Prepared as the script says.
const SCRIPTED: Setup = Setup { name: "prepared by the script", preallocate: true, ..Setup::PLAIN };

/// The same, out of pruned segments.
const RECYCLING: Setup = Setup { name: "recycled by the script", recycle: true, ..SCRIPTED };

/// On every disk that can.
fn disks() -> [(&'static str, DiskOptions); 6] {
    let plain = disks::plain();
    [
        ("a plain disk", plain),
        ("torn at 16 bytes", plain.with_tear_unit(16)),
        ("no renaming", plain.without_rename()),
        ("a renamed file may keep its old name", plain.with_rename_keeping_old_name()),
        ("written behind", plain.with_write_behind()),
        ("stale junk, room is reserved", plain.with_stale_junk_from(64).with_reserve()),
    ]
}

/// One crash, and two.
pub(in super::super) fn crashes(size: &Size) -> Vec<Stage> {
    let of = |amounts, chosen| size.scripts(amounts, chosen);
    let short = [Amount::all(2), Amount::all(4).and_chosen(), Amount::all(5).and_chosen()];
    let deep = [
        Amount::NONE.and_drawn(&[(2, 1)]),
        Amount::all(2).and_drawn(&[(4, 20)]).and_chosen(),
        Amount::all(3).and_drawn(&[(5, 300)]).and_chosen(),
    ];
    let chosen = [Amount::NONE.and_chosen(); 3];
    let chosen_deep = [Amount::NONE, Amount::NONE.and_chosen(), Amount::NONE.and_chosen()];
    let mut stages = Vec::new();
    for (on, disk) in disks() {
        let one = Bounds::new(disk).with_survivors(survivors(64, 12));
        let two = one.clone().with_depth(2).with_survivors(survivors(24, 4));
        let later = |setup| Setting { later: LATER, ..Setting::of(setup) };
        for (setup, scripts) in [(SCRIPTED, CHOSEN), (RECYCLING, RECYCLED)] {
            let group = Group::new();
            stages.push(stage(&group, on, later(setup), &one, of(chosen, scripts)));
            stages.push(stage(&group, on, later(setup), &two, of(chosen_deep, scripts)));
        }
        for setup in setups() {
            let group = Group::new();
            stages.push(stage(&group, on, later(setup), &one, of(short, CHOSEN)));
            stages.push(stage(&group, on, later(setup), &two, of(deep, CHOSEN)));
        }
    }
    stages
}

/// Every fault at every operation, those of a preparation among them, then a crash; and full disks.
pub(in super::super) fn faults(size: &Size) -> Vec<Stage> {
    let bounds = Bounds::new(disks::plain()).with_faults(&FaultKind::ALL);
    let bounds = bounds.with_survivors(survivors(16, 4));
    let short = [Amount::all(1), Amount::all(3), Amount::all(4)].map(Amount::and_chosen);
    let only_chosen = [Amount::NONE.and_chosen(); 3];
    let mut stages = Vec::new();
    for setup in setups() {
        let setting = Setting { faults: true, ..Setting::of(setup) };
        let scripts = size.scripts(short, CHOSEN);
        stages.push(stage(&Group::new(), "a plain disk", setting, &bounds, scripts));
    }
    for (setup, chosen) in [(SCRIPTED, CHOSEN), (RECYCLING, RECYCLED)] {
        let setting = Setting { faults: true, ..Setting::of(setup) };
        let scripts = size.scripts(only_chosen, chosen);
        stages.push(stage(&Group::new(), "a plain disk", setting, &bounds, scripts));
    }
    stages.extend(full(size));
    stages
}

/// On a disk that is full from some byte on, with preparations that do not fit.
fn full(size: &Size) -> Vec<Stage> {
    let limits = (80..1040).step_by(size.pick(96, 32, 8));
    let amounts = [Amount::all(1), Amount::all(2), Amount::all(3)].map(Amount::and_chosen);
    let [_, _, steps, ..] = setups();
    let setting = Setting { full: true, ..Setting::of(steps) };
    let stages = limits.map(|bytes| {
        let bounds = Bounds::new(disks::plain().with_bytes_max(bytes));
        let bounds = bounds.with_survivors(survivors(16, 4));
        let on = format!("a disk of {bytes} bytes");
        stage(&Group::new(), &on, setting, &bounds, size.scripts(amounts, CHOSEN))
    });
    stages.collect()
}
