//! Which scripts are run in which setups on which disks.
//!
//! Must never cut a list short without the name of what was cut: exhaustive to a length, or so many drawn beyond it.

use durability_core::walog::FlushPolicy;

use crate::simulated::{Bounds, DiskOptions, FaultKind, LogModel, PrefixOracle};

use super::super::case::{Case, Group};
use super::super::disks::{self, survivors};
use super::super::family::Cases;
use super::super::scripts::{sample, scripts};
use super::super::size::Size;
use super::log::Tag;
use super::setup::{Reading, Setup, Start};
use super::{Do, WalWorkload};

/// What every later life does, unless told otherwise.
const LATER: &[Do] = &[Do::Append, Do::Sync];

/// Cases that share their setup, their disk, their bounds, and what they have seen.
///
/// With deeper bounds, the same group must come later: it looks again, and counts nothing twice.
fn cases(
    group: &Group,
    scripts: Vec<Vec<Do>>,
    later: &'static [Do],
    setup: Setup,
    bounds: Bounds,
    faults: bool,
) -> Cases {
    let group = group.clone();
    Box::new(scripts.into_iter().map(move |script| {
        let workload = WalWorkload { script, later: later.to_vec(), setup, faults, full: false };
        let oracle = PrefixOracle::<LogModel<Tag>>::new();
        Case::new(workload, oracle, bounds.clone(), &group)
    }))
}

/// Longer scripts, in which segments fill up and go.
fn long_scripts() -> Vec<Vec<Do>> {
    use Do::{
        Age, Append, Batch, Close, Flush, Sync, TruncatePrefix, TruncateSuffix, TruncateToEmpty,
        TruncateToFirst,
    };
    [
        &[Batch, Batch, TruncatePrefix][..],
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
    .map(<[Do]>::to_vec)
    .into()
}

fn all(length: u32) -> Vec<Vec<Do>> {
    scripts(length)
}

fn drawn(length: u32, count: usize, size: &Size) -> Vec<Vec<Do>> {
    sample(scripts(length), count, size.seed())
}

/// On a plain disk: every script to a length under one crash, two and three.
pub(in super::super) fn crashes(size: &Size) -> Cases {
    let plain = disks::plain();
    let one = Bounds::new(plain).with_survivors(survivors(128, 16));
    let two = Bounds::new(plain).with_depth(2).with_survivors(survivors(64, 12));
    let three = Bounds::new(plain).with_depth(3).with_survivors(survivors(16, 4));
    let same = Group::new();
    let deep = |scripts, bounds| cases(&same, scripts, LATER, Setup::PLAIN, bounds, false);
    let shallow = match size.pick(0, 1, 2) {
        0 => [all(2), long_scripts()].concat(),
        1 => [all(6), long_scripts()].concat(),
        _ => [all(6), drawn(7, 200_000, size), long_scripts()].concat(),
    };
    let second = match size.pick(0, 1, 2) {
        0 => all(1),
        1 => all(4),
        _ => [all(5), long_scripts()].concat(),
    };
    let third = match size.pick(0, 1, 2) {
        0 => Vec::new(),
        1 => all(2),
        _ => [all(3), drawn(4, 100, size)].concat(),
    };
    let (shallow, second) = (deep(shallow, one), deep(second, two));
    let third = deep(third, three);
    Box::new(shallow.chain(second).chain(third))
}

/// Setups other than the plain one.
fn setups() -> [Setup; 9] {
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

/// With other options, and with other things done after a crash.
pub(in super::super) fn options(size: &Size) -> Cases {
    let plain = disks::plain();
    let one = Bounds::new(plain).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(32, 6));
    let (short, deep) = (size.pick(2, 4, 5), size.pick(0, 2, 3));
    let more = if size.pick(false, true, true) { long_scripts() } else { Vec::new() };
    let mut groups: Vec<Cases> = Vec::new();
    for setup in setups() {
        let scripts = [all(short), long_scripts()].concat();
        let same = Group::new();
        groups.push(cases(&same, scripts, LATER, setup, one.clone(), false));
        let scripts = [all(deep), drawn(deep + 1, 3, size)].concat();
        groups.push(cases(&same, scripts, LATER, setup, two.clone(), false));
    }
    for later in OTHER_LATER {
        let scripts = [all(deep), drawn(deep + 1, 4, size), more.clone()].concat();
        groups.push(cases(&Group::new(), scripts, later, Setup::PLAIN, two.clone(), false));
    }
    Box::new(groups.into_iter().flatten())
}

/// Disks of every kind, and the setups that go with them.
fn kinds_of_disks() -> Vec<(DiskOptions, Setup)> {
    let plain = Setup::PLAIN;
    let reserving = Setup { name: "preallocated", preallocate: true, ..plain };
    let mut all = vec![
        (disks::reserving(), reserving),
        (disks::flash(), plain),
        (disks::flash().without_junk(), plain),
        (disks::recycling(), plain),
        (disks::recycling().with_reserve(), reserving),
    ];
    all.extend(disks::others().map(|disk| (disk, plain)));
    all
}

/// On every other kind of disk.
pub(in super::super) fn backends(size: &Size) -> Cases {
    let (short, deep) = (size.pick(1, 4, 5), size.pick(0, 2, 3));
    let mut groups: Vec<Cases> = Vec::new();
    for (disk, setup) in kinds_of_disks() {
        let one = Bounds::new(disk).with_survivors(survivors(64, 12));
        let two = one.clone().with_depth(2).with_survivors(survivors(32, 6));
        let scripts = [all(short), long_scripts()].concat();
        let same = Group::new();
        groups.push(cases(&same, scripts, LATER, setup, one, false));
        let scripts = [all(deep), drawn(deep + 1, 4, size)].concat();
        groups.push(cases(&same, scripts, LATER, setup, two, false));
    }
    Box::new(groups.into_iter().flatten())
}

/// Every fault at every operation, of the first life and of the recovery, then a crash.
pub(in super::super) fn faults(size: &Size) -> Cases {
    let plain = disks::plain();
    let one = Bounds::new(plain).with_faults(&FaultKind::ALL).with_survivors(survivors(16, 4));
    let later = one.clone().with_depth(2).with_fault_lives(2).with_survivors(survivors(8, 2));
    let first = match size.pick(0, 1, 2) {
        0 => [all(2), long_scripts()].concat(),
        1 => [all(4), long_scripts()].concat(),
        _ => [all(5), long_scripts()].concat(),
    };
    let inside = match size.pick(0, 1, 2) {
        0 => drawn(1, 1, size),
        1 => [all(2), drawn(3, 20, size)].concat(),
        _ => [all(3), drawn(4, 100, size)].concat(),
    };
    let marked = Setup { name: "mark after sync", mark: true, ..Setup::PLAIN };
    let flash = Bounds::new(disks::flash()).with_faults(&FaultKind::ALL);
    let flash = flash.with_survivors(survivors(16, 4));
    let (marks, same) = (drawn(size.pick(1, 2, 3), 60, size), Group::new());
    Box::new(
        cases(&same, first, LATER, Setup::PLAIN, one.clone(), true)
            .chain(cases(&same, inside, LATER, Setup::PLAIN, later, true))
            .chain(cases(&Group::new(), marks.clone(), LATER, marked, one, true))
            .chain(cases(&Group::new(), marks, LATER, Setup::PLAIN, flash, true)),
    )
}

/// On a disk that is full from some byte on, whichever.
pub(in super::super) fn full(size: &Size) -> Cases {
    let step = size.pick(40, 8, 4);
    let scripts = [all(size.pick(1, 2, 3)), long_scripts()].concat();
    let limits = (16..640).step_by(step);
    Box::new(limits.flat_map(move |bytes| {
        let disk = disks::plain().with_bytes_max(bytes);
        let bounds = Bounds::new(disk).with_survivors(survivors(16, 4));
        let group = Group::new();
        let setup = Setup { name: "full disk", ..Setup::PLAIN };
        let cases = scripts.clone().into_iter().map(move |script| {
            let later = LATER.to_vec();
            let workload = WalWorkload { script, later, setup, faults: false, full: true };
            Case::new(workload, PrefixOracle::<LogModel<Tag>>::new(), bounds.clone(), &group)
        });
        cases.collect::<Vec<_>>()
    }))
}
