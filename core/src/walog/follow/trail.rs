//! What was shown of a tail before anything proved it durable, so that it can be told from what may stand there later.
//!
//! A writer beside the reader may die, or lose what a failed sync covered, and another may go on in the same file with other entries
//! under the same ids. The bytes already read must not be taken for those.

use crate::bytes::crc::Crc;
use crate::file::frames::Cursor;

/// The frames of a file since the last one that proved those before it.
#[derive(Debug)]
pub(super) struct Trail {
    crc: Crc,
    /// In front of the last frame with the *synced* flag: what lies before it was durable.
    from: Cursor,
    /// In front of the last frame.
    last: Cursor,
    /// Over the checksums of all frames since `from`; each covers its frame, header included.
    digest: u32,
    /// All of them were seen in this one load of the window.
    load: Option<u32>,
    /// A second look has found them unchanged up to here.
    checked: Option<u64>,
}

impl Trail {
    pub(super) fn new(from: Cursor) -> Self {
        Self { crc: Crc::detect(), from, last: from, digest: 0, load: None, checked: None }
    }

    /// The reader has passed a frame.
    #[inline]
    pub(super) fn pass(&mut self, before: Cursor, after: Cursor, synced: bool, load: u32) {
        if synced || self.from.offset == before.offset {
            (self.from, self.digest, self.load) = (before, 0, Some(load));
        } else if self.load != Some(load) {
            self.load = None;
        }
        self.last = before;
        self.digest = mix(self.crc, self.digest, after);
    }

    pub(super) const fn from(&self) -> Cursor {
        self.from
    }

    pub(super) const fn last(&self) -> Cursor {
        self.last
    }

    pub(super) const fn digest(&self) -> u32 {
        self.digest
    }

    pub(super) const fn crc(&self) -> Crc {
        self.crc
    }

    /// Whether a look now would see the very bytes that were seen before.
    #[inline]
    pub(super) fn is_known(&self, here: Cursor, load: u32) -> bool {
        self.load == Some(load)
            || self.checked == Some(here.offset)
            || here.offset <= self.from.offset
    }

    /// A second look has found everything up to `here` unchanged; in a single load of the window, if `load` is one.
    pub(super) const fn set_checked(&mut self, here: Cursor, load: Option<u32>) {
        (self.checked, self.load) = (Some(here.offset), load);
    }

    /// Time has passed: what was looked at may have changed.
    pub(super) const fn doubt(&mut self) {
        (self.checked, self.load) = (None, None);
    }
}

#[inline]
pub(super) fn mix(crc: Crc, digest: u32, after: Cursor) -> u32 {
    crc.update(digest, &after.checksum.to_le_bytes())
}
