//! GUARANTEES.md, "The window", as a function: from the bytes before and after the damage to what must be seen.
//!
//! Must never call the code under test.

use crate::common::format::{Codec, Frame, LOG_HEADER, SEGMENT_HEADER};

/// What must be seen of a damaged log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prediction {
    /// An error.
    Detected,
    /// The entries of this file up to and with this position, and a torn tail from this offset on, if any.
    Shows { entries: u32, torn_at: Option<usize> },
    /// The log is what it is without this file: it ends with the one before, or is empty.
    WithoutFile,
}

/// A file before the damage: its frames, and what of it counts.
#[derive(Debug)]
pub(crate) struct File<'a> {
    bytes: &'a [u8],
    frames: Vec<Frame>,
    header: usize,
    /// Where it ends by its successor's word; `None` for the last one.
    sealed: Option<usize>,
    before: Before,
}

/// What there is before a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Another file, which the log ends with if this one is lost.
    File,
    /// Nothing, and there never was.
    Nothing,
    /// Nothing any more.
    Pruned,
}

impl<'a> File<'a> {
    pub(crate) fn segment(bytes: &'a [u8], sealed: Option<usize>, before: Before) -> Self {
        let mut frames = Codec::of_segment(bytes).frames(bytes);
        frames.retain(|frame| sealed.is_none_or(|end| frame.at < end));
        Self { bytes, frames, header: SEGMENT_HEADER, sealed, before }
    }

    /// A record log; where it was resumed, its frames go on behind the dead bytes.
    pub(crate) fn record_log(bytes: &'a [u8]) -> Self {
        let codec = Codec::of_file(bytes, LOG_HEADER);
        let mut frames: Vec<Frame> = Vec::new();
        let mut at = codec.first;
        while at < bytes.len() {
            match codec.frame(bytes, at).filter(|frame| frame.whole) {
                Some(frame) => {
                    at = frame.end;
                    frames.push(frame);
                }
                None => at += codec.alignment,
            }
        }
        Self { bytes, frames, header: LOG_HEADER, sealed: None, before: Before::Nothing }
    }

    /// Entries in the file.
    pub(crate) fn entries(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.position)
    }

    /// Where its last frame ends.
    fn end(&self) -> usize {
        self.frames.last().map_or(self.header, |frame| frame.end)
    }

    /// What must be seen if the file has become `damaged`.
    pub(crate) fn predict(&self, damaged: Option<&[u8]>) -> Prediction {
        let Some(damaged) = damaged else {
            return if self.sealed.is_some() {
                Prediction::Detected
            } else {
                Prediction::WithoutFile
            };
        };
        let intact =
            |range: core::ops::Range<usize>| damaged.get(range.clone()) == self.bytes.get(range);
        let bad = self.frames.iter().position(|frame| !intact(frame.bytes()));
        if self.sealed.is_some() {
            // 1: no window.
            let whole = intact(0..self.header) && bad.is_none();
            let entries = self.entries();
            return if whole {
                Prediction::Shows { entries, torn_at: None }
            } else {
                Prediction::Detected
            };
        }
        // What vouches: a frame with the flag whose header still verifies, and of a compact one all of it, behind the first damage.
        let vouched = |from: usize| {
            let behind = self.frames.iter().filter(|frame| frame.at >= from && frame.synced());
            behind.clone().any(|frame| intact(frame.says()))
        };
        if !intact(0..self.header) {
            let written = damaged.get(self.header..).is_some_and(|rest| !blank(rest));
            let damage = match self.before {
                Before::File => vouched(0),
                Before::Nothing => written,
                Before::Pruned => true,
            };
            return if damage { Prediction::Detected } else { Prediction::WithoutFile };
        }
        let Some(bad) = bad else {
            // Nothing that counts was touched; room that is no longer blank is a torn tail without an entry in it.
            let room = damaged.get(self.end()..).unwrap_or_default();
            let torn_at = (!blank(room)).then(|| self.end());
            return Prediction::Shows { entries: self.entries(), torn_at };
        };
        if vouched(self.frames[bad].at + 1) {
            return Prediction::Detected;
        }
        // The log ends before the damaged frame, and before the batch that it belongs to.
        let open = self.frames[..bad].iter().rev().take_while(|frame| frame.more()).count();
        let first = self.frames[bad - open];
        let entries = first.position - u32::from(!first.control());
        let rest = damaged.get(self.ends_at(bad - open)..).unwrap_or_default();
        let torn_at = (!blank(rest)).then(|| self.ends_at(bad - open));
        Prediction::Shows { entries, torn_at }
    }

    /// Where the log ends if the frame of this index is the first that is missing: behind the frame before it.
    fn ends_at(&self, index: usize) -> usize {
        let before = index.checked_sub(1).and_then(|before| self.frames.get(before));
        before.map_or_else(|| self.frames[0].at, |frame| frame.end)
    }
}

fn blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
