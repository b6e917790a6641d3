//! Which scripts are run in which setups on which disks.
//!
//! Must never cut a list short without saying so: exhaustive to a length, or so many drawn beyond it.

use durability_core::walog::FlushPolicy;

use crate::simulated::{Bounds, DiskOptions, FaultKind, LogModel, PrefixOracle};

use super::super::case::Group;
use super::super::disks::{self, survivors};
use super::super::scripts::{Amount, Scripts};
use super::super::size::Size;
use super::super::stage::Stage;
use super::log::Tag;
use super::setup::{Reading, Setup, Start};
use super::{Do, WalWorkload};

/// What every later life does, unless told otherwise.
const LATER: &[Do] = &[Do::Append, Do::Sync];

/// Longer scripts, in which segments fill up and go.
const CHOSEN: &[&[Do]] = {
    use Do::{
        Age, Append, Batch, Close, Flush, Sync, TruncatePrefix, TruncateSuffix, TruncateToEmpty,
        TruncateToFirst,
    };
    &[
        &[Batch, Batch, TruncatePrefix],
        &[Batch, Batch, Batch, TruncatePrefix],
        &[Batch, Sync, Batch, TruncatePrefix, Append],
        &[Batch, Batch, TruncateSuffix, Append, Sync],
        &[Batch, Batch, TruncateToEmpty, Append],
        &[Batch, Batch, TruncatePrefix, Close, TruncateSuffix],
        &[Append, Sync, Append, Sync, Append, Sync, Append, Sync],
        &[Batch, Sync, Batch, Sync, TruncatePrefix, Append, Sync],
        &[Batch, Sync, Batch, TruncateToFirst, Append, TruncatePrefix],
        &[Batch, TruncateToEmpty, TruncateToEmpty, Append, Sync, TruncateToFirst],
        &[Batch, Batch, TruncateSuffix, Append, Sync, Batch, Sync],
        &[Batch, Flush, Close, Append, Flush, Close, Batch, Sync],
        &[Append, Sync, TruncateSuffix, Batch, Sync, TruncatePrefix, Close],
        &[Append, Close, Append, Close, TruncateSuffix, Close, Batch, Sync],
        &[Append, Age, Append, Age, Batch, TruncatePrefix, Append, Sync],
    ]
};

/// A setup, what later lives do, and whether the workload must expect faults or a full disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) setup: Setup,
    pub(super) later: &'static [Do],
    pub(super) faults: bool,
    pub(super) full: bool,
}

impl Setting {
    pub(super) const fn of(setup: Setup) -> Self {
        Self { setup, later: LATER, faults: false, full: false }
    }
}

pub(super) fn stage(
    group: &Group,
    on: &str,
    setting: Setting,
    bounds: &Bounds,
    scripts: Scripts<Do>,
) -> Stage {
    let Setting { setup, later, faults, full } = setting;
    let name = format!("{setup}, {on}, {} steps later", later.len());
    Stage::new(group, name, bounds, scripts, move |script| {
        let workload = WalWorkload { script, later: later.to_vec(), setup, faults, full };
        (workload, PrefixOracle::<LogModel<Tag>>::new())
    })
}

/// On a plain disk: every script to a length under one crash, two and three.
pub(in super::super) fn crashes(size: &Size) -> Vec<Stage> {
    const DEEPER: Amount = Amount::all(3).and_drawn(&[(4, 300)]);
    let one = Bounds::new(disks::plain()).with_survivors(survivors(128, 16));
    let two = one.clone().with_depth(2).with_survivors(survivors(64, 12));
    let three = one.clone().with_depth(3).with_survivors(survivors(16, 4));
    let longer = Amount::all(6).and_drawn(&[(7, 820_475)]).and_chosen();
    let shallow = [Amount::all(2).and_chosen(), Amount::all(6).and_chosen(), longer];
    let second = [Amount::all(1), Amount::all(4), Amount::all(5).and_chosen()];
    let third = [Amount::NONE, Amount::all(2), DEEPER];
    let (group, setting) = (Group::new(), Setting::of(Setup::PLAIN));
    let on_plain = |bounds, amounts| {
        stage(&group, "a plain disk", setting, bounds, size.scripts(amounts, CHOSEN))
    };
    vec![on_plain(&one, shallow), on_plain(&two, second), on_plain(&three, third)]
}

/// Compact frames, as long as the plain ones: two of them fill a segment.
const COMPACT: Setup =
    Setup { name: "compact frames", compact: true, lengths: &[16], ..Setup::PLAIN };

/// Setups other than the plain one.
fn setups() -> [Setup; 11] {
    let plain = Setup::PLAIN;
    let policy = |name, policy| Setup { name, policy, ..plain };
    [
        Setup { name: "typed", typed: true, ..plain },
        Setup { name: "new, then resumed; looked at strictly, too", ..plain }.strictly(),
        Setup { name: "mark after sync", mark: true, ..plain },
        policy("flush every append", FlushPolicy::EveryAppend),
        policy("flush every 2 entries", FlushPolicy::EveryEntries(2)),
        policy("flush every 40 bytes", FlushPolicy::EveryBytes(40)),
        Setup { name: "odd lengths", lengths: &[5, 8, 20], ..plain },
        Setup {
            name: "entries larger than a segment and than the buffer",
            lengths: &[8, 150, 300],
            mark: true,
            ..plain
        },
        Setup { name: "frames aligned to 32 bytes", alignment: Some(32), ..plain },
        COMPACT,
        Setup {
            name: "compact frames of odd lengths, and marks",
            lengths: &[5, 12, 60],
            mark: true,
            ..COMPACT
        },
    ]
}

impl Setup {
    const fn strictly(mut self) -> Self {
        self.start = Start::New;
        self.reading = Reading::StrictToo;
        self
    }
}

/// What later lives may do instead.
const OTHER_LATER: [&[Do]; 4] = [
    &[],
    &[Do::Close],
    &[Do::Batch, Do::TruncateSuffix, Do::Close],
    &[Do::TruncatePrefix, Do::Append, Do::TruncateToEmpty, Do::Batch],
];

/// One crash in short scripts, two in shorter ones.
fn both(on: &str, setting: Setting, disk: DiskOptions, size: &Size) -> [Stage; 2] {
    let one = Bounds::new(disk).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(32, 6));
    let short = [Amount::all(1), Amount::all(4), Amount::all(5)].map(Amount::and_chosen);
    let deep = [
        Amount::NONE.and_drawn(&[(1, 2)]),
        Amount::all(2).and_drawn(&[(3, 20)]),
        Amount::all(3).and_drawn(&[(4, 450)]),
    ];
    let group = Group::new();
    [(one, short), (two, deep)]
        .map(|(bounds, amounts)| stage(&group, on, setting, &bounds, size.scripts(amounts, CHOSEN)))
}

/// With other options, and with other things done after a crash.
pub(in super::super) fn options(size: &Size) -> Vec<Stage> {
    let plain = disks::plain();
    let mut stages = Vec::new();
    for setup in setups() {
        stages.extend(both("a plain disk", Setting::of(setup), plain, size));
    }
    let two = Bounds::new(plain).with_depth(2).with_survivors(survivors(32, 6));
    let amounts = [
        Amount::NONE.and_drawn(&[(1, 2)]),
        Amount::all(2).and_drawn(&[(3, 20)]).and_chosen(),
        Amount::all(3).and_drawn(&[(4, 100)]).and_chosen(),
    ];
    for later in OTHER_LATER {
        let setting = Setting { later, ..Setting::of(Setup::PLAIN) };
        let scripts = size.scripts(amounts, CHOSEN);
        stages.push(stage(&Group::new(), "a plain disk", setting, &two, scripts));
    }
    stages
}

/// On every other kind of disk.
pub(in super::super) fn backends(size: &Size) -> Vec<Stage> {
    let mut stages = Vec::new();
    for (name, disk) in disks::all() {
        stages.extend(both(name, Setting::of(Setup::PLAIN), disk, size));
    }
    stages.extend(both("flash", Setting::of(COMPACT), disks::flash(), size));
    let preallocated = Setup { name: "preallocated", preallocate: true, ..Setup::PLAIN };
    for (name, disk) in disks::reserving() {
        stages.extend(both(name, Setting::of(preallocated), disk, size));
    }
    // Torn at any byte: too many combinations for all, so only samples, and short scripts.
    let bytes = Bounds::new(disks::plain().with_tear_unit(1)).with_depth(2);
    let bytes = bytes.with_survivors(survivors(1, size.pick(4, 24, 64)));
    let amounts = [Amount::NONE, Amount::all(2), Amount::all(3)];
    let (setting, scripts) = (Setting::of(Setup::PLAIN), size.scripts(amounts, CHOSEN));
    stages.push(stage(&Group::new(), "torn at any byte", setting, &bytes, scripts));
    stages
}

/// Every fault at every operation, of the first life and of the recovery, then a crash.
pub(in super::super) fn faults(size: &Size) -> Vec<Stage> {
    let plain = Bounds::new(disks::plain()).with_faults(&FaultKind::ALL);
    let plain = plain.with_survivors(survivors(16, 4));
    let inside = plain.clone().with_depth(2).with_fault_lives(2).with_survivors(survivors(8, 2));
    let flash = Bounds::new(disks::flash()).with_faults(&FaultKind::ALL);
    let flash = flash.with_survivors(survivors(16, 4));
    let long = [Amount::all(2), Amount::all(4), Amount::all(5)].map(Amount::and_chosen);
    let deep = [
        Amount::NONE.and_drawn(&[(1, 1)]),
        Amount::all(2).and_drawn(&[(3, 20)]),
        Amount::all(3).and_drawn(&[(4, 100)]),
    ];
    let short = [Amount::all(1), Amount::all(3), Amount::all(4)];
    let setting = |setup| Setting { faults: true, ..Setting::of(setup) };
    let marked = Setup { name: "mark after sync", mark: true, ..Setup::PLAIN };
    let (group, on) = (Group::new(), "a plain disk");
    let of = |amounts| size.scripts(amounts, CHOSEN);
    vec![
        stage(&group, on, setting(Setup::PLAIN), &plain, of(long)),
        stage(&group, on, setting(Setup::PLAIN), &inside, of(deep)),
        stage(&Group::new(), on, setting(marked), &plain, of(short)),
        stage(&Group::new(), "flash", setting(Setup::PLAIN), &flash, of(short)),
        stage(&Group::new(), "flash", setting(COMPACT), &flash, of(short)),
    ]
}

/// On a disk that is full from some byte on, whichever.
pub(in super::super) fn full(size: &Size) -> Vec<Stage> {
    let limits = (16..640).step_by(size.pick(40, 8, 2));
    let amounts = [Amount::all(1), Amount::all(3), Amount::all(4)].map(Amount::and_chosen);
    let setting = Setting { full: true, ..Setting::of(Setup::PLAIN) };
    let stages = limits.map(|bytes| {
        let bounds = Bounds::new(disks::plain().with_bytes_max(bytes));
        let bounds = bounds.with_survivors(survivors(16, 4));
        let on = format!("a disk of {bytes} bytes");
        stage(&Group::new(), &on, setting, &bounds, size.scripts(amounts, CHOSEN))
    });
    stages.collect()
}
