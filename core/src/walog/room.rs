//! Whether what is to be appended fits: into a frame, a batch, the tail, a file.
//!
//! Must never refuse with anything done, nor let a frame begin that its file cannot hold.

use crate::error::{Error, Limit};
use crate::storage::Directory;

use super::hooks::Hooks;
use super::raw_writer::RawWalWriter;

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// Whether the open tail takes that many bytes without rotating.
    #[inline]
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let end = self.tail.offset().saturating_add(bytes);
        end <= self.settings.segment_bytes && self.settings.segment_age_ms_max.is_none()
    }

    /// Whether the open tail takes that many bytes of a full frame, and nothing else is to be asked.
    #[inline]
    pub(super) fn has_plain_room(&self, bytes: u64) -> bool {
        let end = self.tail.offset().saturating_add(bytes);
        self.tail.is_open() && end <= self.settings.segment_bytes && self.settings.plain
    }

    #[inline]
    pub(super) fn frame_bytes(&self, payload_bytes: u64) -> u64 {
        // A power of two: no division. The sum is far below 2^64, since payloads are slices or bounded by a limit.
        let mask = u64::from(self.settings.alignment).wrapping_sub(1);
        payload_bytes.wrapping_add(self.settings.frame_extra_bytes) & !mask
    }

    #[inline]
    pub(super) fn check_record(&self, found: u64) -> Result<u64, Error<D::Error>> {
        let limit = u64::from(self.settings.append_bytes_max);
        if found > limit {
            return Err(Error::Limit { what: Limit::RecordBytes, found, limit });
        }
        self.check_segment(self.frame_bytes(found))?;
        Ok(found)
    }

    pub(super) fn check_batch(&self, entries: u64, bytes: u64) -> Result<u32, Error<D::Error>> {
        let limit = u64::from(self.settings.batch_entries_max);
        if entries > limit {
            return Err(Error::Limit { what: Limit::BatchEntries, found: entries, limit });
        }
        let limit = self.settings.batch_bytes_max;
        if bytes > limit {
            return Err(Error::Limit { what: Limit::BatchBytes, found: bytes, limit });
        }
        self.check_segment(bytes)?;
        Ok(u32::try_from(entries).unwrap_or(u32::MAX))
    }

    /// Whether frames fit into a segment that holds nothing else.
    #[inline]
    fn check_segment(&self, bytes: u64) -> Result<(), Error<D::Error>> {
        let limit = self.settings.file_bytes_max;
        let found = bytes.saturating_add(self.settings.header_bytes);
        if found > limit {
            return Err(Error::Limit { what: Limit::FileBytes, found, limit });
        }
        Ok(())
    }

    /// Sees to it that the tail is open and takes that many bytes of frames.
    #[inline]
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), Error<D::Error>> {
        if self.tail.is_open() && self.has_room(bytes) {
            return Ok(());
        }
        self.make_room_slowly(bytes)
    }

    #[cold]
    fn make_room_slowly(&mut self, bytes: u64) -> Result<(), Error<D::Error>> {
        if !self.tail.is_open() && !self.goes_on_in_place() {
            self.may_begin()?;
        }
        self.open_tail()?;
        if self.is_full(bytes) {
            self.may_begin()?;
            self.rotate()?;
        }
        Ok(())
    }

    /// Whether the log must rotate before that many bytes of frames.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        let end = self.tail.offset().saturating_add(bytes);
        let created = self.chain.last().map_or(0, |segment| segment.created_ms);
        let old = self
            .settings
            .segment_age_ms_max
            .is_some_and(|age| self.hooks.now_ms().saturating_sub(created) >= age);
        // An entry takes eight bytes at least: no segment and batch come near 2^32 of them.
        let full = end > self.settings.segment_bytes;
        (full || old) && self.tail.position() > 0 || end > self.settings.file_bytes_max
    }

    /// Refuses one segment too many, with nothing done and nothing poisoned.
    fn may_begin(&mut self) -> Result<(), Error<D::Error>> {
        self.check_segments().inspect_err(|_| self.poisoned = false)
    }

    /// Whether a control frame still fits the tail.
    pub(super) fn fits_file(&self, bytes: u64) -> bool {
        self.tail.offset().saturating_add(bytes) <= self.settings.file_bytes_max
    }
}
