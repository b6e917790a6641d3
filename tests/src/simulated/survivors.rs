//! What a crash at a given moment can leave.
//!
//! Must never build a state that the failure model excludes, nor leave one out below the limit.

use alloc::sync::Arc;
use std::collections::HashSet;

use super::hash::{self, ReadyHash};
use super::inode::Inode;
use super::medium::Medium;
use super::names::{FOLDER, Ino, Names, Namespace, apply, drop_orphans};
use super::pieces::{FileChoice, Pieces, count_up};
use super::state::Recording;
use super::{DiskOptions, SimulatedDisk};
pub use iter::{CrashState, CrashStatesIter};

/// How many of the states to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurvivorLimits {
    pub(super) exhaustive_max: usize,
    pub(super) samples: usize,
    pub(super) seed: u64,
}

impl SurvivorLimits {
    /// All of them up to 1,024 combinations; beyond, the systematic ones and 64 random ones.
    pub const fn new() -> Self {
        Self { exhaustive_max: 1 << 10, samples: 64, seed: 0 }
    }

    /// Up to how many combinations every one is looked at.
    #[must_use]
    pub const fn with_exhaustive_max(mut self, combinations: usize) -> Self {
        self.exhaustive_max = combinations;
        self
    }

    /// How many random combinations to add where there are too many to try all.
    #[must_use]
    pub const fn with_samples(mut self, combinations: usize) -> Self {
        self.samples = combinations;
        self
    }

    /// Where the random combinations begin.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Default for SurvivorLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// How completely a moment's crash states were covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// Every combination.
    Exhaustive,
    /// Every combination of kept and lost; junk in single units only.
    ExhaustiveButJunk,
    /// None, all, all but one, only one, prefixes in time, and random ones.
    Sampled,
}

/// A disk frozen at a moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) operations: u64,
    pub(super) medium: Medium,
    pub(super) options: DiskOptions,
}

impl Snapshot {
    /// How many operations had been done.
    pub const fn operation_count(&self) -> u64 {
        self.operations
    }

    /// The disk as the next process finds it after this one was killed: the cache is alive, and no more durable than
    /// before.
    pub fn killed(&self) -> SimulatedDisk {
        SimulatedDisk::with(self.medium.clone(), self.options, Recording::Operations)
    }

    /// What a power cut at this moment can leave.
    pub fn crash_states(&self, limits: &SurvivorLimits) -> CrashStates {
        CrashStates::new(self, *limits)
    }

    /// Identifies cache, durable content and what lies between.
    pub(super) fn hash(&self) -> u64 {
        let names = &self.medium.names;
        let mut all = hash::mix(hash::of_bytes(b"killed"), self.removed_hash());
        for (view, salt) in [(&names.cached, 1), (&names.durable, 2)] {
            let mut sum = 0_u64;
            for (name, ino) in view.iter() {
                sum = sum.wrapping_add(hash::mix(names.table.hash(*name), self.file_hash(*ino)));
            }
            all = hash::mix(all, hash::mix(sum, salt));
        }
        for change in &names.pending {
            let old = change.old.map_or(0, |name| names.table.hash(name));
            let new = change.new.map_or(0, |(name, ino)| {
                let file = ino.map_or(0, |ino| self.file_hash(ino));
                hash::mix(names.table.hash(name), file)
            });
            all = hash::mix(all, hash::mix(old, new));
        }
        all
    }

    /// What was removed counts where it may come back as junk.
    fn removed_hash(&self) -> u64 {
        self.options.stale_from.map_or(0, |_| hash::of_bytes(&self.medium.removed))
    }

    fn file_hash(&self, ino: Ino) -> u64 {
        if ino == FOLDER {
            return u64::from(FOLDER);
        }
        let file = self.medium.inode(ino);
        let settled = hash::mix(hash::of_bytes(&file.cache), hash::of_bytes(&file.durable));
        file.pending.iter().fold(settled, |all, change| {
            let place = hash::mix(change.at as u64, change.length as u64);
            hash::mix(hash::mix(all, place), hash::of_bytes(&change.data))
        })
    }
}

/// The names that a crash can leave.
#[derive(Debug)]
struct NameOutcome {
    /// Their files numbered from 0, as they lie in a new disk.
    names: Arc<Names>,
    /// Which file of the old disk each number is.
    inos: Vec<Ino>,
    /// The hash of each file's name.
    hashes: Vec<u64>,
    folders: u64,
    choice: Vec<usize>,
}

/// The contents that a crash can leave of one file.
#[derive(Debug)]
struct FileOutcomes {
    pieces: Option<Pieces>,
    images: Vec<(u64, Arc<Inode>, FileChoice)>,
}

/// The states that a power cut at one moment can leave, each once, in an order that replays keep.
///
/// [`explore()`](super::explore()) walks over them by itself; to do so by hand, iterate:
/// ```
/// use durability_core::storage::{AppendFile, Directory, Folder, Name};
/// use durability_core::embedded_io::Write;
/// use durability_testkit::simulated::{Coverage, DiskOptions, SimulatedDisk, SurvivorLimits};
///
/// let disk = SimulatedDisk::new(DiskOptions::new().with_tear_unit(4).without_junk());
/// let name = Name::new("a")?;
/// let mut file = disk.create(name, 0)?.ok_or("taken")?;
/// disk.sync_dir(Folder::ROOT)?;
/// file.write(b"hello, world")?;
///
/// let states = disk.snapshot().crash_states(&SurvivorLimits::new());
/// assert_eq!(states.coverage(), Coverage::Exhaustive);
/// let mut whole = 0;
/// for state in &states {
///     let recovered = state.disk().contents(name).ok_or("the name is durable")?;
///     if recovered == b"hello, world" {
///         assert_eq!(state.survived().to_string(), "survived: a bytes 0..12; lost: nothing");
///         whole += 1;
///     }
/// }
/// // Lengths 0, 4, 8 and 12, and each unit there or blank.
/// assert_eq!((states.len(), whole), (1 + 2 + 4 + 8, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CrashStates {
    snapshot: Snapshot,
    limits: SurvivorLimits,
    names: Vec<NameOutcome>,
    files: Vec<Option<FileOutcomes>>,
    /// Hash, index into `names`, and where in `picks` the files' images begin.
    states: Vec<(u64, u32, u32)>,
    picks: Vec<u32>,
    seen: HashSet<u64, ReadyHash>,
    coverage: Coverage,
}

impl CrashStates {
    fn new(snapshot: &Snapshot, limits: SurvivorLimits) -> Self {
        let files = snapshot.medium.inodes.iter().map(|_| None).collect();
        let mut all = Self {
            snapshot: snapshot.clone(),
            limits,
            names: Vec::new(),
            files,
            states: Vec::new(),
            picks: Vec::new(),
            seen: HashSet::default(),
            coverage: Coverage::Exhaustive,
        };
        all.prepare_files();
        let junk = all.snapshot.options.junk;
        if all.add_all_names() && all.add_all_images(junk) {
            all.add_products();
        } else if junk && all.add_all_names() && all.add_all_images(false) {
            all.coverage = Coverage::ExhaustiveButJunk;
            all.add_products();
            all.add_systematic();
        } else {
            all.coverage = Coverage::Sampled;
            all.add_systematic();
            all.add_samples();
        }
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Never: a crash always leaves something, if only an empty disk.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whether these are all.
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// A number that tells this state from others: equal for equal names and contents.
    ///
    /// # Panics
    /// If there is no such state, as do the methods below.
    pub fn hash(&self, state: usize) -> u64 {
        self.states[state].0
    }

    /// The disk that this state leaves.
    pub fn disk(&self, state: usize) -> SimulatedDisk {
        SimulatedDisk::with(self.medium(state), self.snapshot.options, Recording::Operations)
    }

    pub(super) fn medium(&self, state: usize) -> Medium {
        let (_, names, picks) = self.states[state];
        let outcome = &self.names[names as usize];
        let picks = &self.picks[picks as usize..];
        let image = |(ino, pick): (&Ino, &u32)| {
            let images = self.files[*ino as usize].as_ref().map(|file| &file.images);
            images.map_or_else(Arc::default, |images| Arc::clone(&images[*pick as usize].1))
        };
        let inodes = outcome.inos.iter().zip(picks).map(image).collect();
        self.snapshot.medium.survived(&outcome.names, inodes)
    }

    /// Files that can come through a crash: the pieces of the dirty ones, and the one image of the others.
    fn prepare_files(&mut self) {
        let medium = &self.snapshot.medium;
        let options = &self.snapshot.options;
        let changed = medium.names.pending.iter().filter_map(|change| change.new?.1);
        let durable = medium.names.durable.iter().map(|(_, ino)| *ino);
        for ino in durable.chain(changed).filter(|ino| *ino != FOLDER) {
            let slot = &mut self.files[ino as usize];
            if slot.is_none() {
                let inode = &medium.inodes[ino as usize];
                let mut file = FileOutcomes { pieces: None, images: Vec::new() };
                if inode.pending.is_empty() {
                    let settled = if inode.diverged {
                        Arc::new(Inode::settled(Arc::clone(&inode.durable)))
                    } else {
                        Arc::clone(inode)
                    };
                    let hash = hash::of_bytes(&inode.durable);
                    file.images.push((hash, settled, FileChoice::default()));
                } else {
                    let unit = options.tear_unit as usize;
                    let stale =
                        options.stale_from.map_or((0, &[][..]), |from| (from, &medium.removed[..]));
                    let unit = (unit, options.blank);
                    file.pieces = Some(Pieces::of(inode, unit, options.junk, stale));
                }
                *slot = Some(file);
            }
        }
    }

    fn name_choices(&self) -> impl Fn(usize) -> usize + use<> {
        let both = self.snapshot.options.rename_keeps_old_name;
        let renames: Vec<bool> =
            self.snapshot.medium.names.pending.iter().map(|change| change.old.is_some()).collect();
        move |at| if both && renames[at] { 3 } else { 2 }
    }

    /// All combinations of names; false, and none, if there are too many.
    fn add_all_names(&mut self) -> bool {
        if !self.names.is_empty() {
            return true;
        }
        let base = self.name_choices();
        let mut choice = vec![0; self.snapshot.medium.names.pending.len()];
        let mut product = 1_usize;
        for at in 0..choice.len() {
            product = product.saturating_mul(base(at));
        }
        if product > self.limits.exhaustive_max {
            return false;
        }
        loop {
            self.add_names(&choice);
            if !count_up(&mut choice, &base) {
                return true;
            }
        }
    }

    /// The index of a combination of names.
    fn add_names(&mut self, choice: &[usize]) -> usize {
        let table = &self.snapshot.medium.names.table;
        let (names, inos) = names_left_by(&self.snapshot.medium.names, choice);
        let mut outcome = NameOutcome {
            names: Arc::default(),
            hashes: vec![0; inos.len()],
            inos,
            folders: 0,
            choice: choice.to_vec(),
        };
        for (name, number) in &names {
            let hash = table.hash(*name);
            if *number == FOLDER {
                outcome.folders = outcome.folders.wrapping_add(hash);
            } else {
                let file = &mut outcome.hashes[*number as usize];
                *file = hash::mix(*file, hash);
            }
        }
        let same = |known: &NameOutcome| *known.names == names && known.inos == outcome.inos;
        if let Some(known) = self.names.iter().position(same) {
            return known;
        }
        outcome.names = Arc::new(names);
        self.names.push(outcome);
        self.names.len() - 1
    }

    /// All images of all files; false, and none, if these and the names have too many combinations.
    fn add_all_images(&mut self, junk: bool) -> bool {
        let limit = self.limits.exhaustive_max;
        let count = |ino: Ino| {
            let pieces = self.files[ino as usize].as_ref().and_then(|file| file.pieces.as_ref());
            pieces.map_or(Some(1), |pieces| pieces.count(junk, limit))
        };
        let mut sum = 0_usize;
        for outcome in &self.names {
            let mut product = 1_usize;
            for ino in &outcome.inos {
                let Some(next) = count(*ino).and_then(|n| product.checked_mul(n)) else {
                    return false;
                };
                product = next;
            }
            sum = sum.saturating_add(product);
            if sum > limit {
                return false;
            }
        }
        for file in self.files.iter_mut().flatten() {
            if let Some(pieces) = &file.pieces {
                let (images, mut seen) = (&mut file.images, HashSet::<u64, ReadyHash>::default());
                pieces.for_each(junk, |choice| {
                    let bytes = pieces.image(choice);
                    let hash = hash::of_bytes(&bytes);
                    if seen.insert(hash) {
                        let inode = Arc::new(Inode::settled(Arc::new(bytes)));
                        images.push((hash, inode, choice.clone()));
                    }
                });
            }
        }
        true
    }

    /// Every combination of names with every image of the files that have one.
    fn add_products(&mut self) {
        for names in 0..self.names.len() {
            let inos = self.names[names].inos.clone();
            let sizes: Vec<usize> = inos.iter().map(|ino| self.image_count(*ino)).collect();
            let mut picks = vec![0; inos.len()];
            loop {
                self.add_state(names, &picks);
                if !count_up(&mut picks, |at| sizes[at]) {
                    break;
                }
            }
        }
    }

    fn image_count(&self, ino: Ino) -> usize {
        self.files[ino as usize].as_ref().map_or(0, |file| file.images.len())
    }

    fn add_state(&mut self, names: usize, picks: &[usize]) {
        let outcome = &self.names[names];
        let mut hash = outcome.folders.wrapping_add(self.snapshot.removed_hash());
        for ((ino, pick), name) in outcome.inos.iter().zip(picks).zip(&outcome.hashes) {
            let image = self.files[*ino as usize].as_ref().map_or(0, |file| file.images[*pick].0);
            hash = hash.wrapping_add(hash::mix(*name, image));
        }
        if self.seen.insert(hash) {
            let at = u32::try_from(self.picks.len()).unwrap_or(u32::MAX);
            self.states.push((hash, u32::try_from(names).unwrap_or(u32::MAX), at));
            self.picks.extend(picks.iter().filter_map(|pick| u32::try_from(*pick).ok()));
        }
    }
}

/// The names that a choice leaves, their files numbered from 0, and which file each number is.
fn names_left_by(source: &Namespace, choice: &[usize]) -> (Names, Vec<Ino>) {
    let mut names = Names::clone(&source.durable);
    for (change, choice) in source.pending.iter().zip(choice) {
        if *choice > 0 {
            apply(&mut names, change, *choice == 2);
        }
    }
    drop_orphans(&mut names, &source.table);
    names.sort_unstable();
    let mut inos = Vec::new();
    for (_, ino) in names.iter_mut().filter(|(_, ino)| *ino != FOLDER) {
        let known = inos.iter().position(|known| known == ino);
        let number = known.unwrap_or_else(|| {
            inos.push(*ino);
            inos.len() - 1
        });
        *ino = Ino::try_from(number).unwrap_or(FOLDER);
    }
    (names, inos)
}

mod iter;
mod plain;
mod sampling;
