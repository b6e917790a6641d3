//! What kind of disk to simulate.
//!
//! Must never offer a disk kinder than the failure model by default: every leniency is a switch.

use durability_core::storage::Capabilities;

/// What kind of disk to simulate: its units, its optional operations, and how nasty it is.
///
/// The default has all optional operations, a tear unit of 512 bytes, and every behaviour that the failure
/// model allows. Small workloads want a small [tear unit](Self::with_tear_unit), or nothing ever tears.
///
/// ```
/// use durability_testkit::simulated::DiskOptions;
/// let flash = DiskOptions::new().with_tear_unit(16).with_write_granule(16).with_blank(0xFF).without_rename();
/// assert!(!flash.capabilities().rename());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskOptions {
    pub(super) write_granule: u32,
    pub(super) tear_unit: u32,
    pub(super) segment_bytes: Option<u64>,
    pub(super) file_bytes_max: u64,
    pub(super) bytes_max: u64,
    pub(super) read_bytes_max: usize,
    pub(super) rename: bool,
    pub(super) reopen: bool,
    pub(super) read_while_appending: bool,
    pub(super) reserve: bool,
    pub(super) blank: u8,
    pub(super) write_behind: bool,
    pub(super) program_once: bool,
    pub(super) naive_sync_file: bool,
    pub(super) rename_keeps_old_name: bool,
    pub(super) junk: bool,
    pub(super) stale_from: Option<usize>,
}

impl DiskOptions {
    /// See [`DiskOptions`].
    pub const fn new() -> Self {
        Self {
            write_granule: 1,
            tear_unit: 512,
            segment_bytes: None,
            file_bytes_max: u64::MAX,
            bytes_max: u64::MAX,
            read_bytes_max: usize::MAX,
            rename: true,
            reopen: true,
            read_while_appending: true,
            reserve: false,
            blank: 0,
            write_behind: false,
            program_once: false,
            naive_sync_file: false,
            rename_keeps_old_name: false,
            junk: true,
            stale_from: None,
        }
    }

    /// Bytes that a crash keeps or loses as a whole; at least 1.
    #[must_use]
    pub const fn with_tear_unit(mut self, bytes: u32) -> Self {
        self.tear_unit = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Writes that do not begin and end on a multiple of this are refused; at least 1.
    #[must_use]
    pub const fn with_write_granule(mut self, bytes: u32) -> Self {
        self.write_granule = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// The segment size to announce.
    #[must_use]
    pub const fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// The largest file.
    #[must_use]
    pub const fn with_file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// The sum of the lengths of all files; beyond it the disk is full.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// The most that one read returns, to exercise loops around short reads; at least 1.
    #[must_use]
    pub const fn with_read_bytes_max(mut self, bytes: usize) -> Self {
        self.read_bytes_max = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// No [`rename`](durability_core::storage::Directory::rename).
    #[must_use]
    pub const fn without_rename(mut self) -> Self {
        self.rename = false;
        self
    }

    /// No [`reopen`](durability_core::storage::Directory::reopen).
    #[must_use]
    pub const fn without_reopen(mut self) -> Self {
        self.reopen = false;
        self
    }

    /// Opening a file for reading while it is being appended to is refused.
    #[must_use]
    pub const fn without_read_while_appending(mut self) -> Self {
        self.read_while_appending = false;
        self
    }

    /// `create` makes the reserved room part of the file at once: its length is ahead of its data. `trim` cuts it off.
    #[must_use]
    pub const fn with_reserve(mut self) -> Self {
        self.reserve = true;
        self
    }

    /// What bytes that were never written read as: 0 (the default), or `0xFF` on flash.
    #[must_use]
    pub const fn with_blank(mut self, byte: u8) -> Self {
        self.blank = byte;
        self
    }

    /// Written bytes stay in the process until they are flushed or synced, and are lost with it.
    #[must_use]
    pub const fn with_write_behind(mut self) -> Self {
        self.write_behind = true;
        self
    }

    /// Writing over bytes that are not blank is refused, as on raw flash.
    #[must_use]
    pub const fn with_program_once(mut self) -> Self {
        self.program_once = true;
        self
    }

    /// `sync_file` is a mere `fsync`: it does not reveal that an earlier failed sync lost pages. Against the contract;
    /// there to show the difference.
    #[must_use]
    pub const fn with_naive_sync_file(mut self) -> Self {
        self.naive_sync_file = true;
        self
    }

    /// A rename may also come through a crash half done, with both names on the file.
    #[must_use]
    pub const fn with_rename_keeping_old_name(mut self) -> Self {
        self.rename_keeps_old_name = true;
        self
    }

    /// Lost units read as their old content or as blank, never as junk: fewer states.
    #[must_use]
    pub const fn without_junk(mut self) -> Self {
        self.junk = false;
        self
    }

    /// From this offset on, junk is what the file that was removed last held at the same place, as far as it reached: blocks are used
    /// again, and a write that is lost leaves in them what was there before. To a log, no junk looks better than its own old frames.
    ///
    /// This is more than the failure model allows, where lost bytes of a file that grew are blank; file systems without ordered data do it.
    #[must_use]
    pub const fn with_stale_junk_from(mut self, offset: usize) -> Self {
        self.stale_from = Some(offset);
        self
    }

    /// What a disk of this kind announces.
    pub const fn capabilities(&self) -> Capabilities {
        let mut all = Capabilities::new()
            .with_write_granule(self.write_granule)
            .with_tear_unit(self.tear_unit)
            .with_file_bytes_max(self.file_bytes_max);
        if let Some(bytes) = self.segment_bytes {
            all = all.with_segment_bytes(bytes);
        }
        if self.rename {
            all = all.with_rename();
        }
        if self.reopen {
            all = all.with_reopen();
        }
        if self.read_while_appending {
            all = all.with_read_while_appending();
        }
        all
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self::new()
    }
}
