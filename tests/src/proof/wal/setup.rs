//! How a log is set up: its options, how it begins, how it is read.
//!
//! Must never depend on the script: what was seen under one script counts for all others of the same setup.

use core::fmt;

use durability_core::storage::Directory;
use durability_core::walog::{
    FlushPolicy, RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter,
};
use durability_core::{Error, ReadMode};

use crate::simulated::{LogSeen, SimulatedDisk};

use super::super::laws::{Failed, hold};
use super::log::{Clock, Log, Tag, decode, looked, raw_contents, typed_contents};

/// The folder of the log.
pub(super) const FOLDER: &str = "wal";

/// What a segment's header takes.
pub(super) const HEADER_BYTES: u64 = 72;

/// Segments older than this are not appended to.
pub(super) const AGE_MS_MAX: u64 = 10;

/// How a log is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A new log; later lives resume it.
    New,
    /// New or not.
    Open,
    /// Within the same life.
    Again,
}

/// How a log is looked at before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// With best effort.
    BestEffort,
    /// Strictly as well.
    StrictToo,
}

/// When segments are made ready before they are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Only by the script.
    Never,
    /// So many steps of a preparation before each step of the script.
    Steps(u32),
    /// Whole, before each step of the script.
    AtOnce,
}

/// How a log is set up and used.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// A name for it.
    pub name: &'static str,
    /// Entries are typed, through postcard.
    pub typed: bool,
    /// Segments reserve their room.
    pub preallocate: bool,
    /// Segments are made ready before they are needed.
    pub ahead: Ahead,
    /// Files of pruned segments are used again.
    pub recycle: bool,
    /// A mark follows every sync.
    pub mark: bool,
    /// When to flush without being asked.
    pub policy: FlushPolicy,
    /// What frames are padded to.
    pub alignment: Option<u32>,
    /// Frames are compact.
    pub compact: bool,
    /// Lengths of payloads, in turn.
    pub lengths: &'static [usize],
    /// How it begins.
    pub start: Start,
    /// How it is looked at.
    pub reading: Reading,
}

impl Setup {
    /// Raw entries of eight bytes, and the defaults of the log.
    pub const PLAIN: Self = Self {
        name: "plain",
        typed: false,
        preallocate: false,
        ahead: Ahead::Never,
        recycle: false,
        mark: false,
        policy: FlushPolicy::Manual,
        alignment: None,
        compact: false,
        lengths: &[8],
        start: Start::Open,
        reading: Reading::BestEffort,
    };

    /// Two entries of eight bytes and the header fill a segment.
    fn options(&self) -> WalOptions {
        let small = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
        let mut all = small
            .folder(FOLDER)
            .preallocate(self.preallocate)
            .recycle(self.recycle)
            .mark_after_sync(self.mark)
            .compact_frames(self.compact)
            .flush_policy(self.policy)
            .segment_age_ms_max(AGE_MS_MAX);
        if let Some(bytes) = self.alignment {
            all = all.alignment(bytes);
        }
        all
    }

    fn open<'a>(
        &self,
        disk: &'a SimulatedDisk,
        clock: u64,
        start: Start,
    ) -> Result<Log<'a>, Failed> {
        let (options, clock) = (self.options(), Clock(clock));
        Ok(match (self.typed, start) {
            (false, Start::New) => Log::Raw(RawWalWriter::new_with(disk, options, clock)?),
            (false, _) => Log::Raw(RawWalWriter::open_with(disk, options, clock)?),
            (true, Start::New) => Log::Typed(WalWriter::new_with(disk, options, clock)?),
            (true, _) => Log::Typed(WalWriter::open_with(disk, options, clock)?),
        })
    }

    /// Opens the log and reads it.
    pub(super) fn open_and_read<'a>(
        &self,
        disk: &'a SimulatedDisk,
        clock: u64,
        start: Start,
    ) -> Result<(Log<'a>, LogSeen<Tag>), Failed> {
        let mut log = self.open(disk, clock, start)?;
        if start == Start::New {
            return Ok((log, LogSeen { first: 1, records: Vec::new() }));
        }
        if disk.capabilities().read_while_appending() {
            let seen = log.contents(self.lengths)?;
            return Ok((log, seen));
        }
        drop(log);
        let seen = if self.typed {
            typed_contents(WalReader::open(disk, self.options())?, self.lengths)?
        } else {
            raw_contents(RawWalReader::open(disk, self.options())?, self.lengths)?
        };
        Ok((self.open(disk, clock, Start::Open)?, seen))
    }

    /// A log that is there is not begun again.
    pub(super) fn refuses_to_begin_anew(&self, disk: &SimulatedDisk) -> Result<(), Failed> {
        match RawWalWriter::new(disk, self.options()) {
            Err(Error::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(hold(false, "a log is not begun twice", || "a second one was".to_owned())?),
        }
    }

    /// Whether there is a log already: one that was only begun needs its header again.
    pub(super) fn has_begun(&self, disk: &SimulatedDisk) -> Result<bool, Failed> {
        Ok(RawWalReader::open(disk, self.options())?.log_id().is_some())
    }

    /// What a reader without the lock sees.
    pub(super) fn look(&self, disk: &SimulatedDisk) -> Result<Vec<Tag>, Failed> {
        Ok(self.look_in(disk, ReadMode::BestEffort)?.unwrap_or_default())
    }

    /// The same, strictly; nothing if there is a torn tail.
    pub(super) fn look_strictly(&self, disk: &SimulatedDisk) -> Result<Option<Vec<Tag>>, Failed> {
        self.look_in(disk, ReadMode::Strict)
    }

    fn look_in(&self, disk: &SimulatedDisk, mode: ReadMode) -> Result<Option<Vec<Tag>>, Failed> {
        let reader = RawWalReader::open(disk, self.options())?;
        looked(reader, mode, |bytes| decode(bytes, self.typed, self.lengths))
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setup {:?}", self.name)
    }
}
