//! Finds a log's segments on a directory and reads their headers; FORMAT.md, "Where a WAL ends", rules 1, 2 and 6.
//!
//! Must never change anything.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

use crate::bytes::crc::Crc;
use crate::bytes::header::{Common, Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Context as _, Corruption, CorruptionKind, Error, Limit, Operation};
use crate::file::window::Window;
use crate::storage::{Directory, NameBuf, ReadFile, StoreError};

use super::chain::{self, Broken, Observed, Segment};
use super::closed;
use super::headless::{Purpose, headless, judge_unfinished, open};
use super::name::{EXTENSION, parse};
use super::options::Settings;
use super::segment::{self, End, SegmentReader};

/// What there is of a log.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// All segments' files, sorted by number.
    pub(crate) observed: Vec<Observed>,
    pub(crate) log_id: u64,
    /// The oldest live segment, by the tail's header and, where it was asked for, its prune frames.
    pub(crate) oldest: u32,
    /// From the oldest live segment to the tail; empty without any.
    pub(crate) chain: Vec<Segment>,
    /// The oldest live segment by the tail's header alone.
    pub(crate) header_oldest: u32,
    /// Where the tail ends, if that was looked for.
    pub(crate) end: Option<End>,
}

/// The numbers of all segment files, sorted.
pub(crate) fn list<D: Directory>(
    dir: &D,
    settings: &Settings,
) -> Result<Vec<u32>, Error<D::Error>> {
    let mut numbers = Vec::new();
    let mut count = 0_u64;
    let mut no_memory = false;
    // What crashes, repairs and truncations leave beyond the limit of appends must not lock anybody out.
    let limit = u64::from(settings.segments_max).saturating_mul(2).saturating_add(16);
    let listed = dir.list(settings.folder(), &mut |file| {
        if let Some(number) = parse(file, EXTENSION) {
            count = count.saturating_add(1);
            if count <= limit {
                no_memory |= numbers.try_reserve(1).map(|()| numbers.push(number)).is_err();
            }
        }
    });
    listed.on(Operation::List, &settings.lock_name()?)?;
    if count > limit {
        return Err(Error::Limit { what: Limit::Segments, found: count, limit });
    }
    if no_memory {
        return Err(Error::Limit { what: Limit::Memory, found: count, limit });
    }
    // A heap sorts with a tenth of the code of `sort`, which a small machine notices.
    let mut numbers = BinaryHeap::from(numbers).into_sorted_vec();
    numbers.dedup();
    Ok(numbers)
}

/// Looks at everything that there is of the log. `buffer` is memory to read with, and comes back.
pub(crate) fn discover<D: Directory>(
    dir: &D,
    settings: &Settings,
    purpose: Purpose,
    buffer: &mut Vec<u8>,
) -> Result<Discovered, Error<D::Error>> {
    if purpose == Purpose::Write
        && let Some(found) = closed::look(dir, settings)?
    {
        return Ok(found);
    }
    let mut doubt = None;
    loop {
        match look(dir, settings, purpose, buffer)? {
            Looked::Found(found) => return Ok(found),
            Looked::Overtaken => {}
            Looked::Broken { broken, tail } => {
                // A writer beside this reader may have begun a tail that this look has not seen, whose word it is that the segment has gone. It was there
                // before the segment went, so a second look sees it.
                if purpose == Purpose::Write || doubt == Some((broken, tail)) {
                    return Err(damaged(settings, broken));
                }
                doubt = Some((broken, tail));
            }
        }
    }
}

/// What one look came to.
enum Looked {
    Found(Discovered),
    /// A writer beside this reader has begun the log meanwhile.
    Overtaken,
    /// By the word of this tail, a segment of the chain is not what it must be.
    Broken {
        broken: Broken,
        tail: u32,
    },
}

/// Looks once.
fn look<D: Directory>(
    dir: &D,
    settings: &Settings,
    purpose: Purpose,
    buffer: &mut Vec<u8>,
) -> Result<Looked, Error<D::Error>> {
    if purpose == Purpose::Write && !planted!(OpenedFolderUnsynced) {
        // A name that only a cache has must not become part of what is built upon.
        dir.sync_dir(settings.folder()).on(Operation::SyncDir, &settings.lock_name()?)?;
    }
    let mut observed = Vec::new();
    let mut tail_found = false;
    for number in list(dir, settings)?.into_iter().rev() {
        let name = settings.segment_name(number)?;
        if purpose == Purpose::Write && !tail_found && !planted!(OpenedTailUnsynced) {
            // What is read from here on is what the medium has: a process may have died with the tail in the cache only, or a failed
            // sync may have left the cache ahead of the medium.
            dir.sync_file(name.as_name()).on(Operation::Sync, &name)?;
        }
        let header = header(dir, &name)?;
        tail_found |= header.is_some();
        observed.push(Observed { number, header });
    }
    observed.reverse();
    let Some((tail, header)) = chain::tail(&observed) else {
        let unfinished = check_unfinished_only(dir, settings, &observed, buffer)?;
        let found = unfinished.then(|| Discovered { observed, ..Discovered::default() });
        return Ok(found.map_or(Looked::Overtaken, Looked::Found));
    };
    let log_id = header.common.log_id;
    for seen in observed.iter().filter(|seen| seen.number > tail) {
        check_unfinished(dir, settings, log_id, seen.number, buffer)?;
    }
    let (oldest, header_oldest) = (header.oldest, header.oldest);
    let mut found = Discovered { observed, log_id, oldest, header_oldest, ..Discovered::default() };
    if purpose == Purpose::Read {
        match chain::chain(&found.observed, found.oldest) {
            // Segments that are missing, or whose files are being used again, may have been pruned since the tail began: its prune frames tell.
            Err(Broken {
                kind: CorruptionKind::Hole { .. } | CorruptionKind::FileHeader, ..
            }) => {}
            result => {
                found.chain = result.map_err(|broken| damaged(settings, broken))?;
                return Ok(Looked::Found(found));
            }
        }
    }
    let only_tail = chain::chain(found.observed.as_slice(), tail);
    let only_tail = only_tail.map_err(|broken| damaged(settings, broken))?;
    if let Some(segment) = only_tail.last() {
        let end = scan_tail(dir, settings, log_id, segment, buffer)?;
        if !planted!(PruneMarkIgnored) {
            found.oldest = found.oldest.max(end.marks.oldest);
        }
        found.end = Some(end);
    }
    match chain::chain(&found.observed, found.oldest) {
        Ok(chain) => found.chain = chain,
        Err(broken) => return Ok(Looked::Broken { broken, tail }),
    }
    Ok(Looked::Found(found))
}

fn damaged<E: StoreError>(settings: &Settings, broken: Broken) -> Error<E> {
    match settings.segment_name(broken.segment) {
        Ok(file) => Corruption { file, offset: 0, entry_id: None, kind: broken.kind }.into(),
        Err(error) => error,
    }
}

/// A segment's header; `None` if it does not verify.
fn header<D: Directory>(dir: &D, name: &NameBuf) -> Result<Option<SegmentHeader>, Error<D::Error>> {
    let Some(file) = dir.open(name.as_name()).on(Operation::Open, name)? else {
        return Err(Error::Missing { file: name.clone() });
    };
    Ok(head(file, name.clone())?.0)
}

/// A segment's header, `None` if it does not verify, and a small window over its file.
type Head<R> = (Option<SegmentHeader>, Window<R>);

/// What a segment's file begins with.
pub(super) fn head<R>(file: R, name: NameBuf) -> Result<Head<R>, Error<R::Error>>
where
    R: ReadFile,
    R::Error: StoreError,
{
    let mut window = Window::new(file, name, Vec::new(), SEGMENT_HEADER_BYTES)?;
    let bytes = window.at(0, SEGMENT_HEADER_BYTES)?;
    match SegmentHeader::decode(Crc::detect(), bytes) {
        Decoded::Header(header) => Ok((Some(header), window)),
        Decoded::Blank | Decoded::Bad => Ok((None, window)),
        Decoded::Newer(newer) => Err(Error::Newer {
            file: window.name().clone(),
            version: newer.version,
            form: newer.form,
            features: newer.features,
        }),
    }
}

/// Opens a segment of the chain.
pub(crate) fn open_segment<D: Directory>(
    dir: &D,
    settings: &Settings,
    log_id: u64,
    segment: &Segment,
    buffer: Vec<u8>,
) -> Result<SegmentReader<D::Reader>, Error<D::Error>> {
    if segment.listed && !planted!(ListedHeaderUnread) {
        check_header(dir, settings, log_id, segment)?;
    }
    let (file, name) = open(dir, settings, segment.number)?;
    let frames = segment::frames(file, name, buffer, settings.reading(), log_id, segment)?;
    Ok(SegmentReader::new(frames, segment, settings.recycle))
}

/// Reads the header of a segment that was listed: damage that opening has not met is met where the segment is read.
fn check_header<D: Directory>(
    dir: &D,
    settings: &Settings,
    log_id: u64,
    segment: &Segment,
) -> Result<(), Error<D::Error>> {
    let name = settings.segment_name(segment.number)?;
    let common = Common { alignment: segment.alignment, form: segment.form, log_id };
    let is_ours = |header: SegmentHeader| {
        let same = header.common == common && header.segment == segment.number;
        same && header.first_id == segment.first_id && header.origin == segment.origin
    };
    let found = header(dir, &name)?;
    if found.is_some_and(is_ours) { Ok(()) } else { Err(bad_header(name)) }
}

/// Reads the tail, which nothing has sealed, to its end.
pub(super) fn scan_tail<D: Directory>(
    dir: &D,
    settings: &Settings,
    log_id: u64,
    segment: &Segment,
    buffer: &mut Vec<u8>,
) -> Result<End, Error<D::Error>> {
    let mut reader = open_segment(dir, settings, log_id, segment, core::mem::take(buffer))?;
    while reader.advance()? {}
    let end = reader.tail_end();
    *buffer = reader.into_buffer();
    Ok(end)
}

/// A segment behind the tail whose header does not verify: damage if a frame in it proves that it was synced.
fn check_unfinished<D: Directory>(
    dir: &D,
    settings: &Settings,
    log_id: u64,
    number: u32,
    buffer: &mut Vec<u8>,
) -> Result<(), Error<D::Error>> {
    let mut frames = headless(dir, settings, log_id, number, core::mem::take(buffer))?;
    let name = frames.name().clone();
    let good = judge_unfinished(&mut frames, log_id, number)?;
    *buffer = frames.into_window().into_buffer();
    // A writer beside this reader may have written the header since: then the segment is newer than what is being looked at.
    if !good && header(dir, &name)?.is_none() {
        return Err(bad_header(name));
    }
    Ok(())
}

/// No header verifies: rule 6. False if one does by now.
fn check_unfinished_only<D: Directory>(
    dir: &D,
    settings: &Settings,
    observed: &[Observed],
    buffer: &mut Vec<u8>,
) -> Result<bool, Error<D::Error>> {
    for (index, seen) in observed.iter().enumerate() {
        let mut frames = headless(dir, settings, 0, seen.number, core::mem::take(buffer))?;
        // The header was written with its padding, and may have been torn with it.
        let header_bytes = settings.header_bytes;
        let written_end = frames.search_written(header_bytes)?;
        let name = frames.name().clone();
        *buffer = frames.into_window().into_buffer();
        let written = written_end > header_bytes;
        if written || (index == 0 && seen.number != 1) {
            // As above.
            return if header(dir, &name)?.is_some() { Ok(false) } else { Err(bad_header(name)) };
        }
    }
    Ok(true)
}

fn bad_header<E: StoreError>(file: NameBuf) -> Error<E> {
    Corruption { file, offset: 0, entry_id: None, kind: CorruptionKind::FileHeader }.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;
    use crate::bytes::frame::Form;
    use crate::bytes::header::Origin;
    use crate::storage::{MemoryDirectory, MemoryError, Name};
    use crate::walog::WalOptions;

    #[test]
    fn a_listed_header_is_the_segments_own_in_all_that_the_list_says() {
        let dir = MemoryDirectory::new();
        let settings = WalOptions::new().check::<MemoryError>(&dir.capabilities()).unwrap();
        let (form, origin) = (Form::Full, Origin::Sequence);
        let common = Common { alignment: 8, form, log_id: 7 };
        let (segment, first_id, created_ms) = (3, 20, 0);
        let header = SegmentHeader {
            common,
            segment,
            oldest: 1,
            first_id,
            created_ms,
            previous: None,
            origin,
        };
        let listed = Segment {
            number: segment,
            alignment: 8,
            form,
            first_id,
            created_ms,
            origin,
            sealed: None,
            listed: true,
        };
        let is_ours = |header: SegmentHeader| {
            let name = Name::new("wal/00000003.WAL").unwrap();
            dir.put(name, header.encode(Crc::detect()).to_vec());
            match check_header(&dir, &settings, 7, &listed) {
                Ok(()) => true,
                Err(Error::Corrupt(Corruption { kind: CorruptionKind::FileHeader, .. })) => false,
                Err(error) => unreachable!("{error:?}"),
            }
        };
        assert!(is_ours(header));
        for other in [
            SegmentHeader { common: Common { log_id: 8, ..common }, ..header },
            SegmentHeader { common: Common { alignment: 16, ..common }, ..header },
            SegmentHeader { common: Common { form: Form::Compact, ..common }, ..header },
            SegmentHeader { segment: 4, ..header },
            SegmentHeader { first_id: 21, ..header },
            SegmentHeader { origin: Origin::Truncation, ..header },
        ] {
            assert!(!is_ours(other), "{other:?}");
        }
    }
}
