//! The end of a log that was closed: one look at the last bytes of the tail in place of reading all of it. FORMAT.md, "A log that was closed".
//!
//! Must never change anything, nor take the close frame itself for durable: only what stands before it is. Where anything is not as closing
//! leaves it, this has no opinion, and the tail is read.

use alloc::vec::Vec;

use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Decoded, Form, HEADER_BYTES, Header};
use crate::bytes::header::{Common, SEGMENT_HEADER_BYTES, SegmentHeader, segment_salt};
use crate::error::{Context as _, Error, Operation};
use crate::file::frames::Cursor;
use crate::file::window::Window;
use crate::storage::{Directory, ReadFile, StoreError};

use super::chain::{self, Observed};
use super::discover::{Discovered, head, list};
use super::listed;
use super::options::Settings;
use super::segment::{End, Ending, Marks};

/// The longest payload of the two frames that closing leaves last.
const PRUNE_BYTES: u64 = 8;

/// What the last bytes of a closed segment say.
#[derive(Debug)]
struct LastFrames {
    /// In front of the close frame.
    cursor: Cursor,
    /// What the prune frame in front of it says, if there is one, or the list of segments.
    oldest: Option<u32>,
    /// The payload of a close frame that lists the segments before this one.
    list: Option<Vec<u8>>,
}

/// Whether opening takes a close frame's word.
pub(super) fn is_looked_for(settings: &Settings) -> bool {
    // A compact close frame does not say how many entries precede it.
    !settings.scan_at_open && settings.reopen && settings.form == Form::Full
}

/// Looks at the headers of all segments and the end of the tail, and syncs nothing; `None` if that does not tell what there is of the log.
///
/// The *synced* flag of a close frame says that its writer's syncs, of the bytes before it and of the file's name, have returned; a cache
/// shows such a frame only if it was written, so all before it is on the medium. It may itself be in a cache only, one that a failed sync left
/// ahead of the medium even: so the log goes on from in front of it, and it is written again with what follows.
pub(super) fn look<D: Directory>(
    dir: &D,
    settings: &Settings,
) -> Result<Option<Discovered>, Error<D::Error>> {
    if !is_looked_for(settings) {
        return Ok(None);
    }
    let numbers = list(dir, settings)?;
    let Some((&tail, others)) = numbers.split_last() else { return Ok(None) };
    let name = settings.segment_name(tail)?;
    let Some(file) = dir.open(name.as_name()).on(Operation::Open, &name)? else { return Ok(None) };
    let (header, mut window) = head(file, name)?;
    let ours =
        |common: Common| common.form == settings.form && common.alignment == settings.alignment;
    let Some(header) = header.filter(|header| ours(header.common)) else {
        return Ok(None);
    };
    let crc = Crc::detect();
    let salt = segment_salt(crc, header.common.log_id, tail);
    let codec = Codec::new(crc, salt, header.common.alignment);
    let Some(mut end) = last_frames(&mut window, codec, settings)? else { return Ok(None) };
    drop(window);
    let list = end.list.take();
    let observed = match &list {
        Some(list) => listed::decode(list).filter(|observed| are_those(observed, others)),
        None => headers(dir, settings, others)?,
    };
    let Some(mut observed) = observed else { return Ok(None) };
    observed.push(Observed { number: tail, header: Some(header) });
    let Some(found) = judge(observed, header, &end) else { return Ok(None) };
    Ok(match list {
        Some(list) => by_list(found, &list),
        None => Some(found),
    })
}

/// Whether a list is of those files.
fn are_those(listed: &[Observed], numbers: &[u32]) -> bool {
    let same = listed.iter().map(|seen| seen.number).eq(numbers.iter().copied());
    same || planted!(ListBelievedAlone)
}

/// What was found, where the segments before the tail are known from a list; `None` unless that is what this log's writer makes of it: it is written again.
fn by_list(mut found: Discovered, list: &[u8]) -> Option<Discovered> {
    let (_tail, sealed) = found.chain.split_last_mut()?;
    for segment in sealed.iter_mut() {
        segment.listed = true;
    }
    let again = listed::encode(sealed, found.log_id, list.len().checked_add(HEADER_BYTES)?)?;
    (again == list).then_some(found)
}

/// The headers of those segments; `None` if one has gone.
fn headers<D: Directory>(
    dir: &D,
    settings: &Settings,
    numbers: &[u32],
) -> Result<Option<Vec<Observed>>, Error<D::Error>> {
    let mut observed = Vec::new();
    for &number in numbers {
        let name = settings.segment_name(number)?;
        let Some(file) = dir.open(name.as_name()).on(Operation::Open, &name)? else {
            return Ok(None);
        };
        observed.push(Observed { number, header: head(file, name)?.0 });
    }
    Ok(Some(observed))
}

/// Whether headers and end agree on a log.
fn judge(observed: Vec<Observed>, header: SegmentHeader, last: &LastFrames) -> Option<Discovered> {
    let mut oldest = header.oldest;
    if let Some(marked) = last.oldest.filter(|_| !planted!(LastPruneMarkIgnored)) {
        oldest = oldest.max(marked);
        // A mark found here may explain that segments are missing, and never make dead what is there: that takes reading the tail.
        if observed.iter().any(|seen| seen.number < oldest) {
            return None;
        }
    }
    let chain = chain::chain(&observed, oldest).ok()?;
    let ending = Ending { cursor: last.cursor, short: false, torn_bytes: 0 };
    let marks = Marks { oldest: last.oldest.unwrap_or(0), closed: true };
    Some(Discovered {
        observed,
        log_id: header.common.log_id,
        oldest,
        header_oldest: header.oldest,
        chain,
        end: Some(End { ending, marks, close_again: true }),
    })
}

/// The last two frames of a file that ends with a *synced* close frame, or the last one if that has a list.
fn last_frames<R>(
    window: &mut Window<R>,
    codec: Codec,
    settings: &Settings,
) -> Result<Option<LastFrames>, Error<R::Error>>
where
    R: ReadFile,
    R::Error: StoreError,
{
    let first_frame = codec.align(SEGMENT_HEADER_BYTES as u64);
    let file_end = window.len()?;
    let close_bytes = codec.frame_bytes(1);
    let Some(close_at) = file_end.checked_sub(close_bytes) else { return Ok(None) };
    if close_at < first_frame {
        return Ok(None);
    }
    let prune_at = close_at.saturating_sub(codec.frame_bytes(PRUNE_BYTES)).max(first_frame);
    let need = usize::try_from(file_end.saturating_sub(prune_at)).unwrap_or(0);
    let bytes = window.at(prune_at, need)?;
    if let Some(frame_bytes) = listed::frame_bytes(bytes, settings) {
        return Ok(match file_end.checked_sub(frame_bytes as u64) {
            Some(at) if at >= first_frame => {
                let bytes = window.at(at, frame_bytes)?.get(..frame_bytes);
                close_at_end(codec, at, bytes.unwrap_or_default()).and_then(with_list)
            }
            _ => None,
        });
    }
    let before = usize::try_from(close_at.saturating_sub(prune_at)).unwrap_or(0);
    let Some((before, close)) = bytes.split_at_checked(before) else { return Ok(None) };
    let Some((cursor, payload)) = close_at_end(codec, close_at, close) else { return Ok(None) };
    if Control::decode(payload) != Ok(Control::Close) {
        return Ok(None);
    }
    let prune = control(codec, prune_at, before);
    let prune = prune.filter(|(header, _)| header.position == cursor.position);
    let oldest = prune.and_then(|(_, payload)| match Control::decode(payload) {
        Ok(Control::Prune { oldest }) => Some(oldest),
        _ => None,
    });
    Ok(Some(LastFrames { cursor, oldest, list: None }))
}

/// A close frame that lists segments.
fn with_list((cursor, payload): (Cursor, &[u8])) -> Option<LastFrames> {
    let mut list = Vec::new();
    list.try_reserve_exact(payload.len()).ok()?;
    list.extend_from_slice(payload);
    let oldest = listed::decode(payload)?.first().map(|first| first.number);
    Some(LastFrames { cursor, oldest, list: Some(list) })
}

/// The place in front of the *synced* control frame that `bytes` are, if they verify there, and its payload.
fn close_at_end(codec: Codec, at: u64, bytes: &[u8]) -> Option<(Cursor, &[u8])> {
    let (header, payload) = control(codec, at, bytes)?;
    // Entries take sixteen bytes at least.
    let first_frame = codec.align(SEGMENT_HEADER_BYTES as u64);
    let entries_max = at.checked_sub(first_frame)? / HEADER_BYTES as u64;
    if codec.align(at) != at || !header.flags.synced || u64::from(header.position) > entries_max {
        return None;
    }
    // The checksum of the frame before is not known, and not needed: the close frame is written again before anything refers to it.
    Some((Cursor { offset: at, position: header.position, checksum: 0 }, payload))
}

/// The control frame that `bytes` are, if they verify at `offset`, and its payload.
fn control(codec: Codec, offset: u64, bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let Decoded::Frame(header) = codec.decode(offset, head) else { return None };
    let payload = rest.get(..usize::try_from(header.payload_bytes).ok()?)?;
    let whole = codec.frame_bytes(header.payload_bytes.into()) == bytes.len() as u64;
    let verifies = header.flags.control && whole && codec.verify(&header, payload);
    verifies.then_some((header, payload))
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a test may stop"
)]
mod tests {
    use super::*;
    use crate::bytes::frame::Flags;
    use crate::storage::{MemoryDirectory, MemoryError, Name};
    use crate::walog::WalOptions;

    /// A file of room, and at the end these control frames, with their positions and whether they are *synced*.
    fn ending(
        alignment: u32,
        room: usize,
        frames: &[(Control, u32, bool)],
    ) -> Option<(u64, u32, Option<u32>)> {
        let codec = Codec::new(Crc::detect(), 77, alignment);
        let mut bytes = alloc::vec![0; room];
        for &(control, position, synced) in frames {
            let (payload, length) = control.encode();
            let payload = &payload[..length];
            let flags = Flags { synced, control: true, more: false };
            let length = u32::try_from(length).unwrap();
            let (head, _) =
                codec.encode(bytes.len() as u64, flags, position, length, |crc, seed| {
                    crc.update(seed, payload)
                });
            let frame_bytes = usize::try_from(codec.frame_bytes(length.into())).unwrap();
            let end = bytes.len() + frame_bytes;
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(payload);
            bytes.resize(end, 0);
        }
        let dir = MemoryDirectory::new();
        let name = Name::new("A.WAL").unwrap();
        dir.put(name, bytes);
        let mut window =
            Window::new(dir.open(name).unwrap().unwrap(), name.into(), Vec::new(), 256).unwrap();
        let settings = WalOptions::new().check::<MemoryError>(&dir.capabilities()).unwrap();
        let found = last_frames(&mut window, codec, &settings).unwrap()?;
        Some((found.cursor.offset, found.cursor.position, found.oldest))
    }

    const FIRST: usize = SEGMENT_HEADER_BYTES;

    #[test]
    fn a_close_frame_is_believed_if_it_is_synced_and_its_entries_fit_in_front_of_it() {
        for (entries_bytes, position, synced, believed) in [
            (0, 0, true, true),
            (0, 0, false, false),
            (0, 1, true, false),
            (24, 1, true, true),
            (24, 1, false, false),
            (24, 2, true, false),
            (24, 3, true, false),
            (24, 9, false, false),
            (160, 10, true, true),
            (160, 11, true, false),
        ] {
            let at = FIRST + entries_bytes;
            let found = ending(4, at, &[(Control::Close, position, synced)]);
            assert_eq!(
                found,
                believed.then_some((at as u64, position, None)),
                "{entries_bytes} {position} {synced}"
            );
        }
        // A frame stands at a multiple of the alignment, behind the header.
        assert_eq!(ending(64, 128, &[(Control::Close, 0, true)]), Some((128, 0, None)));
        for at in [64, 132, 160] {
            assert_eq!(ending(64, at, &[(Control::Close, 0, true)]), None, "at {at}");
        }
    }

    #[test]
    fn a_prune_mark_counts_if_no_entry_follows_it() {
        for (position, oldest) in [(2, Some(5)), (1, None), (3, None)] {
            let frames =
                [(Control::Prune { oldest: 5 }, position, false), (Control::Close, 2, true)];
            let found = ending(4, FIRST + 40, &frames);
            assert_eq!(found, Some((FIRST as u64 + 40 + 24, 2, oldest)), "{position}");
        }
    }
}
