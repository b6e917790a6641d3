//! Random scripts, random options, random crashes: the log is what a plain list in memory says.
//!
//! `PROPTEST_CASES=512 cargo test --test prop_wal_resume` runs more of them. The disk is the simulated one: a crash keeps any part of what
//! was not synced, tears it, fills it with junk, and loses names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::cast_possible_truncation,
    reason = "a test runs on a host, is small, and fails by panicking"
)]

mod common;

use core::ops::Range;

use common::{Entry, drain, id};
use durability_core::walog::{FlushPolicy, RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::simulated::{DiskOptions, SimulatedDisk, SurvivorLimits};
use proptest::prelude::*;
use proptest::test_runner::Config;

/// The options that a case is run with; they may change at every opening.
#[derive(Debug, Clone, Copy)]
struct Settings {
    segment_bytes: u64,
    buffer_bytes: u32,
    read_bytes: u32,
    alignment: Option<u32>,
    policy: FlushPolicy,
    preallocate: bool,
    mark: bool,
}

impl Settings {
    fn options(self) -> WalOptions {
        let options = WalOptions::new()
            .segment_bytes(self.segment_bytes)
            .buffer_bytes(self.buffer_bytes)
            .read_bytes(self.read_bytes)
            .flush_policy(self.policy)
            .preallocate(self.preallocate)
            .mark_after_sync(self.mark);
        match self.alignment {
            Some(alignment) => options.alignment(alignment),
            None => options,
        }
    }
}

/// One step of a script. Places are given as parts of 256.
#[derive(Debug, Clone)]
enum Step {
    Append(u16),
    Batch(Vec<u16>),
    Flush,
    Sync,
    TruncatePrefix(u8),
    TruncateSuffix(u8),
    TruncateToEmpty,
    /// A range of ids, read beside the writer.
    Read(u8, u8),
    /// The disk is full for one flush.
    Full,
    /// The writer is closed, or dropped.
    Reopen {
        close: bool,
        settings: Option<Settings>,
    },
    /// The process is killed; the cache lives.
    Kill(Option<Settings>),
    /// The power goes; what survives is drawn with these.
    Crash {
        seed: u64,
        choice: u16,
        settings: Option<Settings>,
    },
}

fn settings() -> impl Strategy<Value = Settings> {
    let policy = prop_oneof![
        3 => Just(FlushPolicy::Manual),
        1 => Just(FlushPolicy::EveryAppend),
        1 => (1..4_u32).prop_map(FlushPolicy::EveryEntries),
        1 => (1..600_u32).prop_map(FlushPolicy::EveryBytes),
    ];
    let alignment = prop_oneof![Just(None), (2..=8_u32).prop_map(|log2| Some(1 << log2))];
    let sizes = (128..2000_u64, prop_oneof![Just(256_u32), Just(512)], 256..700_u32);
    (sizes, alignment, policy, any::<bool>(), any::<bool>()).prop_map(
        |((segment_bytes, buffer_bytes, read_bytes), alignment, policy, preallocate, mark)| {
            Settings {
                segment_bytes,
                buffer_bytes,
                read_bytes,
                alignment,
                policy,
                preallocate,
                mark,
            }
        },
    )
}

/// From nothing to three buffers.
fn length() -> impl Strategy<Value = u16> {
    prop_oneof![6 => 0..60_u16, 2 => 60..300_u16, 1 => 300..1600_u16]
}

fn step() -> impl Strategy<Value = Step> {
    let changed = || proptest::option::weighted(0.3, settings());
    prop_oneof![
        10 => length().prop_map(Step::Append),
        4 => prop::collection::vec(length(), 0..5).prop_map(Step::Batch),
        3 => Just(Step::Flush),
        5 => Just(Step::Sync),
        2 => any::<u8>().prop_map(Step::TruncatePrefix),
        2 => any::<u8>().prop_map(Step::TruncateSuffix),
        1 => Just(Step::TruncateToEmpty),
        2 => any::<(u8, u8)>().prop_map(|(from, to)| Step::Read(from, to)),
        1 => Just(Step::Full),
        3 => (any::<bool>(), changed()).prop_map(|(close, settings)| Step::Reopen { close, settings }),
        2 => changed().prop_map(Step::Kill),
        6 => (any::<u64>(), any::<u16>(), changed())
            .prop_map(|(seed, choice, settings)| Step::Crash { seed, choice, settings }),
    ]
}

/// What the log may hold at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    /// The first entry that is there for sure, if any is.
    needed: u64,
    /// All entries that may be there.
    entries: Vec<Entry>,
    next: u64,
}

/// The model: every state since the last one that is durable, or flushed.
#[derive(Debug)]
struct Model {
    states: Vec<State>,
    /// The first state that survives the end of the process.
    flushed: usize,
    serial: u32,
}

impl Model {
    fn new() -> Self {
        Self {
            states: vec![State { needed: 1, entries: Vec::new(), next: 1 }],
            flushed: 0,
            serial: 0,
        }
    }

    fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    /// No two payloads are alike, not even in different lives of one id.
    fn payload(&mut self, length: u16) -> Vec<u8> {
        self.serial += 1;
        let serial = self.serial.to_le_bytes();
        (0..usize::from(length)).map(|at| serial[at % 4] ^ (at / 4 % 251) as u8).collect()
    }

    fn change(&mut self, change: impl FnOnce(&mut State)) {
        let mut state = self.now().clone();
        change(&mut state);
        self.states.push(state);
    }

    fn flush(&mut self) {
        self.flushed = self.states.len() - 1;
    }

    /// Everything so far is durable.
    fn sync(&mut self) {
        self.states.drain(..self.states.len() - 1);
        self.flushed = 0;
    }

    /// Takes what recovery showed for the truth, if one of the states since `from` explains it.
    fn settle(&mut self, from: usize, first: u64, found: &[Entry]) -> Result<(), TestCaseError> {
        let next = first + found.len() as u64;
        let explains = |state: &State| {
            let kept = state.entries.iter().position(|(id, _)| *id >= first);
            let kept = &state.entries[kept.unwrap_or(state.entries.len())..];
            first <= state.needed && state.next == next && kept == found
        };
        prop_assert!(
            self.states[from..].iter().any(explains),
            "found {first}.. {found:?}; allowed was one of {:#?}",
            &self.states[from..]
        );
        self.states = vec![State { needed: first, entries: found.to_vec(), next }];
        self.flushed = 0;
        Ok(())
    }
}

type Wal = RawWalWriter<SimulatedDisk>;

struct Run {
    disk: SimulatedDisk,
    settings: Settings,
    wal: Option<Wal>,
    model: Model,
}

/// A place in a range, from its start to its end.
fn place(part: u8, range: Range<u64>) -> u64 {
    range.start + (range.end - range.start) * u64::from(part) / 255
}

fn failed<E: core::fmt::Display>(what: &str, error: E) -> TestCaseError {
    TestCaseError::fail(format!("{what}: {error}"))
}

impl Run {
    fn wal(&mut self) -> &mut Wal {
        self.wal.as_mut().expect("open between steps")
    }

    /// Opens the log, and holds it to the model: one of the states from `from` on.
    fn open(&mut self, from: usize, settings: Option<Settings>) -> Result<(), TestCaseError> {
        self.settings = settings.unwrap_or(self.settings);
        let options = self.settings.options();
        // Who only looks sees what opening finds, or more, where a prune mark in the tail covers it.
        let looked = RawWalReader::open(self.disk.clone(), options.clone())
            .and_then(|mut reader| drain(&mut reader, ReadMode::BestEffort));
        let (looked, torn) = looked.map_err(|error| failed("looking", error))?;
        let mut wal = Wal::open(self.disk.clone(), options.clone())
            .map_err(|error| failed("opening", error))?;
        prop_assert_eq!(wal.torn_tail(), torn.as_ref());
        let mut reader = wal.reader().map_err(|error| failed("the reader", error))?;
        let found =
            drain(&mut reader, ReadMode::Strict).map_err(|error| failed("strict", error))?;
        prop_assert!(found.1.is_none() && looked.ends_with(&found.0));
        drop(reader);
        let first = wal.first_entry_id().get();
        self.model.settle(from, first, &found.0)?;
        self.wal = Some(wal);
        // A reader of its own finds the same: what opening repaired stays repaired.
        let again = RawWalReader::open(self.disk.clone(), options)
            .and_then(|mut reader| drain(&mut reader, ReadMode::Strict));
        prop_assert_eq!(again.map_err(|error| failed("reading again", error))?, (found.0, None));
        prop_assert_eq!(self.wal().durable_through(), self.wal().last_entry_id());
        self.numbers_fit()?;
        self.files_fit()
    }

    /// Ids, counts and segments say one thing.
    fn numbers_fit(&mut self) -> Result<(), TestCaseError> {
        let now = self.model.now().clone();
        let wal = self.wal();
        let (first, next) = (wal.first_entry_id().get(), wal.next_entry_id().get());
        prop_assert_eq!(next, now.next);
        prop_assert!(first <= now.needed, "{} <= {}", first, now.needed);
        prop_assert_eq!(wal.last_entry_id(), EntryId::new(next - 1));
        prop_assert_eq!(wal.entry_count(), next - first);
        let segments: Vec<_> = wal.segments().collect();
        let mut expected = first;
        for (index, segment) in segments.iter().enumerate() {
            prop_assert_eq!(segment.first_id(), expected);
            prop_assert_eq!(segment.is_sealed(), index + 1 < segments.len());
            expected += segment.entry_count();
            prop_assert_eq!(
                segment.last_id(),
                EntryId::new(expected - 1).filter(|_| segment.entry_count() > 0)
            );
        }
        prop_assert_eq!(expected, next);
        prop_assert!(segments.windows(2).all(|pair| pair[0].segment() < pair[1].segment()));
        Ok(())
    }

    /// Every segment has its file, and there are no others.
    fn files_fit(&mut self) -> Result<(), TestCaseError> {
        let numbers = self.wal().segments().map(|segment| common::segment(segment.segment()));
        let expected: Vec<_> = numbers.collect();
        prop_assert_eq!(self.disk.names(), expected);
        Ok(())
    }

    /// A range of ids, beside the writer, is that part of the list.
    fn read(&mut self, from: u8, to: u8) -> Result<(), TestCaseError> {
        let (first, next) = (self.wal().first_entry_id().get(), self.wal().next_entry_id().get());
        let (from, to) = (place(from, 1..next + 3), place(to, 1..next + 3));
        let right: Vec<Entry> = self
            .model
            .now()
            .entries
            .iter()
            .filter(|(id, _)| (from..=to).contains(id))
            .cloned()
            .collect();
        self.model.flush();
        let wal = self.wal();
        let segments: Vec<_> = wal.segments().collect();
        let mut reader = wal.reader().map_err(|error| failed("the reader", error))?;
        let mut found = Vec::new();
        let mut read = || -> Result<(), Error<_>> {
            let mut entries = reader.range(ReadMode::Strict, id(from)..=id(to))?;
            while let Some(entry) = entries.next()? {
                let holder = segments.iter().find(|range| range.segment() == entry.segment);
                let holder = holder.expect("the segment is one of the log's");
                assert!(holder.first_id() <= entry.id && Some(entry.id) <= holder.last_id());
                found.push((entry.id.get(), entry.payload.to_vec()));
            }
            Ok(())
        };
        match read() {
            Ok(()) => {
                prop_assert!(from >= first && (from <= next || to < from), "{from}..={to}");
                prop_assert_eq!(found, right);
            }
            Err(Error::Gap { needed, .. }) => {
                prop_assert!(from < first || from > next);
                prop_assert_eq!(needed, from);
            }
            Err(other) => return Err(failed("a range", other)),
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (first, next) = (self.wal().first_entry_id().get(), self.wal().next_entry_id().get());
        match step {
            Step::Append(length) => {
                let payload = self.model.payload(*length);
                let found = self.wal().append(&payload).map_err(|error| failed("append", error))?;
                prop_assert_eq!(found, next);
                self.model.change(|state| {
                    state.entries.push((next, payload));
                    state.next += 1;
                });
            }
            Step::Batch(lengths) => {
                let payloads: Vec<_> =
                    lengths.iter().map(|length| self.model.payload(*length)).collect();
                let ids =
                    self.wal().append_batch(&payloads).map_err(|error| failed("batch", error))?;
                prop_assert!(ids.map(EntryId::get).eq(next..next + payloads.len() as u64));
                if !payloads.is_empty() {
                    self.model.change(|state| {
                        state.entries.extend((next..).zip(payloads));
                        state.next = next + lengths.len() as u64;
                    });
                    self.model.flush();
                }
            }
            Step::Flush => {
                self.wal().flush().map_err(|error| failed("flush", error))?;
                self.model.flush();
            }
            Step::Sync => {
                let durable = self.wal().flush_and_sync().map_err(|error| failed("sync", error))?;
                prop_assert_eq!(durable.through(), EntryId::new(next - 1));
                self.model.sync();
            }
            Step::TruncatePrefix(part) => {
                let before = place(*part, 1..next);
                self.model.change(|state| state.needed = state.needed.max(before));
                self.wal().truncate_prefix(id(before)).map_err(|error| failed("prefix", error))?;
                let kept = self.wal().first_entry_id().get();
                prop_assert!((first..=before.max(first)).contains(&kept));
                if kept > first {
                    self.model.change(|state| state.entries.retain(|(id, _)| *id >= kept));
                    self.model.sync();
                    self.files_fit()?;
                }
            }
            Step::TruncateSuffix(part) => {
                let from = place(*part, first..next);
                self.wal().truncate_suffix(id(from)).map_err(|error| failed("suffix", error))?;
                if from < next {
                    self.model.change(|state| {
                        state.entries.retain(|(id, _)| *id < from);
                        state.next = from;
                        state.needed = state.needed.min(from);
                    });
                    self.model.sync();
                    self.files_fit()?;
                }
            }
            Step::TruncateToEmpty => {
                self.wal().truncate_to_empty().map_err(|error| failed("empty", error))?;
                if first < next {
                    self.model.change(|state| {
                        state.entries.clear();
                        state.needed = next;
                    });
                    self.model.sync();
                    self.files_fit()?;
                }
            }
            Step::Read(from, to) => self.read(*from, *to)?,
            Step::Full => self.fill()?,
            Step::Reopen { close, settings } => {
                let wal = self.wal.take().expect("open between steps");
                if *close {
                    wal.close().map_err(|error| failed("close", error))?;
                } else {
                    drop(wal);
                }
                let last = self.model.states.len() - 1;
                self.open(last, *settings)?;
                prop_assert_eq!(self.wal().torn_tail(), None);
            }
            Step::Kill(settings) => {
                let killed = self.disk.snapshot().killed();
                self.go_on_with(killed);
                self.open(self.model.flushed, *settings)?;
            }
            Step::Crash { seed, choice, settings } => {
                let limits =
                    SurvivorLimits::new().with_exhaustive_max(64).with_samples(6).with_seed(*seed);
                let states = self.disk.snapshot().crash_states(&limits);
                let survived = states.disk(usize::from(*choice) % states.len());
                self.go_on_with(survived);
                self.open(0, *settings)?;
            }
        }
        Ok(())
    }

    /// What the old writer still does, when it is dropped, it does to the old disk.
    fn go_on_with(&mut self, disk: SimulatedDisk) {
        self.wal = None;
        self.disk = disk;
    }

    /// One flush finds the disk full; the writer is poisoned, and opening again recovers.
    fn fill(&mut self) -> Result<(), TestCaseError> {
        self.disk.set_bytes_max(0);
        let full = self.wal().flush();
        let poisoned = self.wal().flush_and_sync();
        self.disk.set_bytes_max(u64::MAX);
        match full {
            // There was nothing to write, or room that had been reserved.
            Ok(()) => self.model.flush(),
            Err(error) => prop_assert!(error.is_no_space(), "{error}"),
        }
        match poisoned {
            Ok(_) => self.model.sync(),
            Err(error) => {
                prop_assert!(
                    error.is_no_space() || matches!(error, Error::Poisoned { .. }),
                    "{error}"
                );
                self.wal = None;
                self.open(self.model.flushed, None)?;
            }
        }
        Ok(())
    }
}

fn run(disk: DiskOptions, settings: Settings, script: &[Step]) -> Result<(), TestCaseError> {
    let disk = SimulatedDisk::new(disk);
    let mut run = Run { disk, settings, wal: None, model: Model::new() };
    run.open(0, None)?;
    for step in script {
        run.step(step)?;
        run.numbers_fit()?;
    }
    // In the end everything is there, closed or not.
    run.step(&Step::Reopen { close: script.len().is_multiple_of(2), settings: None })?;
    run.step(&Step::Kill(None))
}

/// As many cases as `PROPTEST_CASES` says, or some.
fn config() -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    // A case that fails is printed, and becomes a named test.
    Config { cases: asked.unwrap_or(128), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_log_is_what_the_model_says(
        settings in settings(),
        script in prop::collection::vec(step(), 1..40),
        tear_unit in prop_oneof![Just(16_u32), Just(64), Just(512)],
        reserve in any::<bool>(),
    ) {
        let disk = DiskOptions::new().with_tear_unit(tear_unit);
        run(if reserve { disk.with_reserve() } else { disk }, settings, &script)?;
    }

    #[test]
    fn the_log_on_flash_is_what_the_model_says(
        settings in settings(),
        script in prop::collection::vec(step(), 1..30),
        granule in prop_oneof![Just(4_u32), Just(16), Just(64)],
    ) {
        // Each granule is written once, and nothing is reopened.
        let disk = DiskOptions::new().with_write_granule(granule).with_tear_unit(granule);
        let disk = disk.with_program_once().with_blank(0xFF).without_rename().without_reopen();
        let fit = |mut settings: Settings| {
            settings.alignment = settings.alignment.map(|alignment| alignment.max(granule));
            settings
        };
        let script: Vec<Step> = script.into_iter().map(|step| match step {
            Step::Reopen { close, settings } => Step::Reopen { close, settings: settings.map(fit) },
            Step::Kill(settings) => Step::Kill(settings.map(fit)),
            Step::Crash { seed, choice, settings } => Step::Crash { seed, choice, settings: settings.map(fit) },
            step => step,
        }).collect();
        run(disk, fit(settings), &script)?;
    }
}
