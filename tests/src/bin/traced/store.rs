//! The stores that are traced, behind one face: a log of tags. The same code runs on real files and on the simulated disk.
//!
//! Must never work around the library: what a step calls is what a user would call.

use durability_core::storage::Directory;

use super::outside::{Failed, Outside, Seen, Tag};
use super::{document, log, publish, scattered, wal};

/// What is done to a store, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Do {
    Append,
    Large,
    Batch,
    Flush,
    Sync,
    /// Whatever makes the beginning superfluous: truncation, or a checkpoint.
    Prefix,
    Suffix,
    Empty,
    /// Closed, and opened again.
    Reopen,
    /// Dropped, as by the end of a process, and opened again.
    Restart,
    /// Appended, and waited for by the thread that appends. This and what follows: logs that threads share.
    Durable,
    /// Made durable as a whole.
    SyncAll,
    /// Made durable as a whole by the log's own thread, without being asked.
    Early,
}

/// How tags are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Wal,
    /// With segments whose room is made ready when they begin.
    WalInRoom,
    /// With a mark after every sync.
    WalMarked,
    /// Shared by threads in its first life, with segments that are created ahead.
    Shared,
    /// The same, with segments that are filled ahead, out of the files of pruned ones.
    SharedRecycling,
    /// The same, and no thread waits for another.
    SharedInRace,
    Log,
    /// A log, and checkpoints in the place of its beginning.
    Publish,
    /// One file, replaced as a whole by each step.
    Document,
    /// One file for each tag, in nested folders.
    Scattered,
}

impl Kind {
    /// Whether threads share the store in its first life.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::SharedRecycling | Self::SharedInRace)
    }
}

pub(crate) trait Store<'d, D: Directory>: Sized {
    /// Opens or creates it, and reads it.
    fn open(dir: &'d D, kind: Kind) -> Result<(Self, Seen), Failed>;
    /// What somebody sees who only looks; none where that is not offered.
    fn look(_: &'d D, _: Kind) -> Result<Option<Vec<Tag>>, Failed> {
        Ok(None)
    }
    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed>;
    fn close(self) -> Result<(), Failed> {
        Ok(())
    }
}

/// One life of a store: open, read, and do the steps.
pub(crate) fn live<D: Directory>(
    kind: Kind,
    steps: &[Do],
    dir: &D,
    outside: &mut dyn Outside,
) -> Result<(), Failed> {
    match kind {
        Kind::Wal
        | Kind::WalInRoom
        | Kind::WalMarked
        | Kind::Shared
        | Kind::SharedRecycling
        | Kind::SharedInRace => live_as::<D, wal::Wal<'_, D>>(kind, steps, dir, outside),
        Kind::Log => live_as::<D, log::Log<'_, D>>(kind, steps, dir, outside),
        Kind::Publish => live_as::<D, publish::Published<'_, D>>(kind, steps, dir, outside),
        Kind::Document => live_as::<D, document::Document<'_, D>>(kind, steps, dir, outside),
        Kind::Scattered => live_as::<D, scattered::Scattered<'_, D>>(kind, steps, dir, outside),
    }
}

/// The steps of a later life: short, and what they acknowledge must survive, too.
pub(crate) const AFTERWARDS: &[Do] = &[Do::Append, Do::Sync];

fn live_as<'d, D: Directory, S: Store<'d, D>>(
    kind: Kind,
    steps: &[Do],
    dir: &'d D,
    outside: &mut dyn Outside,
) -> Result<(), Failed> {
    let mut store = reopened::<D, S>(kind, dir, outside)?;
    for step in steps {
        match step {
            Do::Reopen => {
                store.close()?;
                outside.acknowledge()?;
                store = reopened::<D, S>(kind, dir, outside)?;
            }
            Do::Restart => {
                drop(store);
                store = reopened::<D, S>(kind, dir, outside)?;
            }
            step => store.step(*step, outside)?,
        }
    }
    Ok(())
}

fn reopened<'d, D: Directory, S: Store<'d, D>>(
    kind: Kind,
    dir: &'d D,
    outside: &mut dyn Outside,
) -> Result<S, Failed> {
    let looked = S::look(dir, kind)?;
    let (store, seen) = S::open(dir, kind)?;
    // A prune that only the reader has met may let it show more.
    if looked.as_ref().is_some_and(|looked| !looked.ends_with(&seen.records)) {
        return Err(format!("a reader saw {looked:?}, and the next writer {seen:?}").into());
    }
    outside.tell(durability_testkit::simulated::Event::Recovered(seen))?;
    Ok(store)
}

/// The payload of a record: large ones span several sectors of the smaller sizes.
pub(crate) fn payload(tag: Tag) -> Vec<u8> {
    let length = if tag & LARGE == 0 { 8 + (tag as usize % 5) * 3 } else { 90 };
    tag.to_le_bytes().into_iter().chain((0..).map(|at| 0xA5 ^ at)).take(length).collect()
}

/// In the tag of a large record.
pub(crate) const LARGE: Tag = 1 << 19;

/// The tag of a payload that is as it was written.
pub(crate) fn tag_of(bytes: &[u8]) -> Result<Tag, Failed> {
    let tag = Tag::from_le_bytes(*bytes.first_chunk().ok_or("a record without its tag")?);
    if bytes == payload(tag) {
        Ok(tag)
    } else {
        Err(format!("a mixed record: {bytes:02x?}").into())
    }
}
