//! What is done on the file system: one log each, with the outside world's memory of it.
//!
//! Must never tell too late that something was asked for, nor too early that it was promised.

mod diary;
mod publishing;
mod recording;
mod replacing;
mod wal;

use std::path::Path;
use std::sync::Arc;

use durability::storage::{FsDirectory, FsOptions};
use durability_testkit::simulated::{Model, Oracle as _, PrefixOracle, Violation};

use super::Failed;
use super::device::Device;
use super::port::{Cheat, Port};
use super::random::Random;

pub(crate) use diary::Diary;

/// How a step ended.
type Ended = Result<(), Failed>;
/// What a kind of log's diary is.
type DiaryOf<K> =
    Diary<<<K as Kind>::Model as Model>::Operation, <<K as Kind>::Model as Model>::Seen>;
/// Number of a life and of an event in it: what records are told apart by.
type Tag = u32;

/// A kind of log. What is open of it is in the value.
trait Kind: Sized {
    /// What it must be like.
    type Model: Model<Operation: Clone, Seen: Clone>;
    /// The name of its folder.
    const NAME: &'static str;

    /// The same, with nothing open.
    fn closed(&self) -> Self;

    /// Opens it, and reads it.
    fn open(&mut self, dir: &Port) -> Result<<Self::Model as Model>::Seen, Failed>;

    /// Does something with what is open.
    fn step(&mut self, dir: &Port, random: &mut Random, diary: &mut DiaryOf<Self>) -> Ended;

    /// Appends something that must survive from then on.
    fn promise(&mut self, dir: &Port, diary: &mut DiaryOf<Self>) -> Ended;
}

/// One log, what is known of it, and what is done with it.
pub(crate) trait Story {
    fn name(&self) -> &'static str;

    /// Makes the log, in a folder of its own.
    fn begin(&mut self, root: &Path, cheat: Cheat) -> Ended;

    /// Does something with it.
    fn step(&mut self, random: &mut Random) -> Ended;

    /// Lets go of everything, as the end of a process would.
    fn leave(&mut self);

    /// The story after a crash, before which that many events were known.
    fn next_life(&self, known: usize) -> Box<dyn Story>;

    /// Opens the log, reads it, relies on it, and leaves it.
    fn recover(&mut self, root: &Path, promise: bool) -> Ended;

    /// Judges everything so far.
    fn check(&self) -> Result<(), Violation>;

    /// How often something was acknowledged.
    fn acknowledged(&self) -> usize;

    /// The last events.
    fn told(&self) -> String;
}

/// All of them. The seed chooses their options.
pub(crate) fn all(device: &Arc<Device>, seed: u64) -> Vec<Box<dyn Story>> {
    let mut random = Random::new(seed);
    let random = &mut random;
    let wal = wal::Wal::new(random);
    let recording = recording::Recording::new(random);
    let publishing = publishing::Publishing::new(random);
    let replacing = replacing::Replacing::new(random);
    let files = FsOptions::new().direct_io(random.one_in(2));
    vec![
        chronicle(wal, files, 0, device),
        chronicle(recording, files, 1, device),
        chronicle(publishing, files, 2, device),
        chronicle(replacing, files, 3, device),
    ]
}

fn chronicle<K: Kind + 'static>(
    kind: K,
    files: FsOptions,
    number: usize,
    device: &Arc<Device>,
) -> Box<dyn Story> {
    let diary = Diary::new(number, Arc::clone(device));
    Box::new(Chronicle { kind, files, dir: None, diary })
}

struct Chronicle<K: Kind> {
    kind: K,
    files: FsOptions,
    dir: Option<Port>,
    diary: DiaryOf<K>,
}

impl<K: Kind> Chronicle<K> {
    fn open(&mut self, root: &Path, cheat: Cheat) -> Ended {
        let root = root.join("logs").join(K::NAME);
        let dir = Port::new(FsDirectory::with_options(root, self.files)?, cheat);
        let seen = self.kind.open(&dir)?;
        self.diary.recovered(seen);
        self.dir = Some(dir);
        Ok(())
    }
}

impl<K: Kind + 'static> Story for Chronicle<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn begin(&mut self, root: &Path, cheat: Cheat) -> Ended {
        self.open(root, cheat)
    }

    fn step(&mut self, random: &mut Random) -> Ended {
        let dir = self.dir.clone().ok_or("closed")?;
        self.kind.step(&dir, random, &mut self.diary)
    }

    fn leave(&mut self) {
        self.kind = self.kind.closed();
        self.dir = None;
    }

    fn next_life(&self, known: usize) -> Box<dyn Story> {
        let diary = self.diary.next_life(known);
        Box::new(Self { kind: self.kind.closed(), files: self.files, dir: None, diary })
    }

    fn recover(&mut self, root: &Path, promise: bool) -> Ended {
        self.open(root, Cheat::Nothing)?;
        if promise {
            let dir = self.dir.clone().ok_or("closed")?;
            self.kind.promise(&dir, &mut self.diary)?;
        }
        self.leave();
        Ok(())
    }

    fn check(&self) -> Result<(), Violation> {
        PrefixOracle::<K::Model>::new().check(self.diary.journal())
    }

    fn acknowledged(&self) -> usize {
        self.diary.acknowledged()
    }

    fn told(&self) -> String {
        self.diary.told()
    }
}

/// The payload of a record: its tag, and a length that the tag determines.
fn payload(tag: Tag) -> Vec<u8> {
    let mut random = Random::new(u64::from(tag));
    let length = 4 + match random.below(20) {
        0..=9 => random.below(40),
        10..=15 => random.below(700),
        16..=18 => random.below(5_000),
        _ => random.below(20_000),
    };
    let filler = u8::try_from(random.below(256)).unwrap_or_default();
    let mut bytes = vec![filler; length];
    bytes[..4].copy_from_slice(&tag.to_le_bytes());
    bytes
}

/// The tag of a payload, if it is what was written.
fn tag(bytes: &[u8]) -> Result<Tag, Failed> {
    let tag = u32::from_le_bytes(bytes.first_chunk().copied().ok_or("a record is too short")?);
    if bytes == payload(tag) { Ok(tag) } else { Err(format!("record {tag:#x} is mixed").into()) }
}
