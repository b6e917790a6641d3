//! The log under test, raw or typed, and what is read from it.
//!
//! Must never take bytes for an entry that are not exactly as they were written.

use durability_core::storage::Directory;
use durability_core::walog::{EntryIds, Hooks, RawWalReader, RawWalWriter, WalReader, WalWriter};
use durability_core::{EntryId, Error, ReadMode};

use crate::simulated::{LogSeen, SimulatedDisk, SimulatedError};

use super::super::laws::{Failed, hold};

/// Life, and number within it.
pub(super) type Tag = u32;

/// A clock that goes on when it is told to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock(pub(super) u64);

impl Hooks for Clock {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// The simulated disk, by whatever reference.
pub(super) trait Disk: Directory<Error = SimulatedError> {}

impl<D: Directory<Error = SimulatedError>> Disk for D {}

type Raw<'a> = RawWalWriter<&'a SimulatedDisk, Clock>;
type Typed<'a> = WalWriter<Vec<u8>, &'a SimulatedDisk, Clock>;

/// A log of bytes, or of typed entries that are bytes again.
pub(super) enum Log<'a> {
    Raw(Raw<'a>),
    Typed(Typed<'a>),
}

impl<'a> Log<'a> {
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<EntryId, Error<SimulatedError>> {
        match self {
            Self::Raw(wal) => wal.append(payload),
            Self::Typed(wal) => wal.append(&payload.to_vec()),
        }
    }

    pub(super) fn append_batch(
        &mut self,
        payloads: &[Vec<u8>],
    ) -> Result<EntryIds, Error<SimulatedError>> {
        match self {
            Self::Raw(wal) => wal.append_batch(payloads),
            Self::Typed(wal) => wal.append_batch(payloads),
        }
    }

    pub(super) const fn raw_mut(&mut self) -> &mut Raw<'a> {
        match self {
            Self::Raw(wal) => wal,
            Self::Typed(wal) => wal.raw_mut(),
        }
    }

    pub(super) const fn raw(&self) -> &Raw<'a> {
        match self {
            Self::Raw(wal) => wal,
            Self::Typed(wal) => wal.raw(),
        }
    }

    pub(super) fn close(self) -> Result<(), Error<SimulatedError>> {
        match self {
            Self::Raw(wal) => wal.close(),
            Self::Typed(wal) => wal.close(),
        }
    }

    /// Everything in it, through the writer.
    pub(super) fn contents(&mut self, lengths: &[usize]) -> Result<LogSeen<Tag>, Failed> {
        match self {
            Self::Raw(wal) => raw_contents(wal.reader()?, lengths),
            Self::Typed(wal) => typed_contents(wal.reader()?, lengths),
        }
    }
}

/// A payload that tells its tag, of one of these lengths.
pub(super) fn payload(tag: Tag, lengths: &[usize]) -> Vec<u8> {
    let turn = (tag & 0x7FFF) as usize % lengths.len().max(1);
    let length = lengths.get(turn).copied().unwrap_or(8).max(4);
    let mut bytes = vec![0xA5; length];
    bytes[..4].copy_from_slice(&tag.to_le_bytes());
    bytes
}

fn tag_of(bytes: &[u8], lengths: &[usize]) -> Result<Tag, Failed> {
    let tag = Tag::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
    let same = bytes == payload(tag, lengths);
    hold(same, "entries are as written", || format!("{bytes:02x?}"))?;
    Ok(tag)
}

fn push(
    seen: &mut LogSeen<Tag>,
    id: EntryId,
    payload: &[u8],
    lengths: &[usize],
) -> Result<(), Failed> {
    let next = seen.first + seen.records.len() as u64;
    hold(id.get() == next, "ids have no gap", || format!("{id} instead of {next}"))?;
    seen.records.push(tag_of(payload, lengths)?);
    Ok(())
}

pub(super) fn raw_contents<D: Disk>(
    mut reader: RawWalReader<D>,
    lengths: &[usize],
) -> Result<LogSeen<Tag>, Failed> {
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        push(&mut seen, entry.id, entry.payload, lengths)?;
    }
    Ok(seen)
}

pub(super) fn typed_contents<D: Disk>(
    mut reader: WalReader<Vec<u8>, D>,
    lengths: &[usize],
) -> Result<LogSeen<Tag>, Failed> {
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    reader.replay_each(|id, entry| push(&mut seen, id, &entry, lengths))?;
    Ok(seen)
}

/// What there is up to the torn tail; with a torn tail and strict reading, nothing.
pub(super) fn looked<D: Disk>(
    mut reader: RawWalReader<D>,
    mode: ReadMode,
    decode: impl Fn(&[u8]) -> Result<Tag, Failed>,
) -> Result<Option<Vec<Tag>>, Failed> {
    let mut records = Vec::new();
    let mut entries = reader.entries(mode)?;
    loop {
        match entries.next() {
            Ok(Some(entry)) => records.push(decode(entry.payload)?),
            Ok(None) => return Ok(Some(records)),
            Err(Error::TornTail { .. }) if mode == ReadMode::Strict => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The tag of a raw entry, or of one that the typed log wrote: its length comes first.
pub(super) fn decode(bytes: &[u8], typed: bool, lengths: &[usize]) -> Result<Tag, Failed> {
    if !typed {
        return tag_of(bytes, lengths);
    }
    // The length is a number in groups of seven bits, the last without the highest bit.
    let digits = bytes.iter().position(|byte| byte & 0x80 == 0).ok_or("no length")?;
    tag_of(&bytes[digits + 1..], lengths)
}
