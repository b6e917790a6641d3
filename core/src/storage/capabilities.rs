//! What a backend can do, and in which units.

/// What a [`Directory`](super::Directory) can do beyond the required operations, and in which units it works.
///
/// ```
/// use durability_core::storage::Capabilities;
/// let flash = Capabilities::new().with_write_granule(16).with_tear_unit(16).with_segment_bytes(4096);
/// assert!(!flash.rename());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Capabilities {
    write_granule: u32,
    tear_unit: u32,
    segment_bytes: Option<u64>,
    file_bytes_max: u64,
    reopen: bool,
    rename: bool,
    read_while_appending: bool,
}

impl Capabilities {
    /// The least a backend can have: byte writes, 512-byte sectors, and no optional operation.
    pub const fn new() -> Self {
        Self {
            write_granule: 1,
            tear_unit: 512,
            segment_bytes: None,
            file_bytes_max: u64::MAX,
            reopen: false,
            rename: false,
            read_while_appending: false,
        }
    }

    /// Bytes in the smallest unit of writing, a power of two from 1 to 256. Frames are padded to it, and no granule
    /// is written twice. Other values are refused when a log is opened.
    #[must_use]
    pub const fn with_write_granule(mut self, bytes: u32) -> Self {
        self.write_granule = bytes;
        self
    }

    /// Bytes in the unit that a crash keeps or loses as a whole.
    #[must_use]
    pub const fn with_tear_unit(mut self, bytes: u32) -> Self {
        self.tear_unit = bytes;
        self
    }

    /// The size that suits a log segment here (an erase block, a slot): the default where the caller names none,
    /// and the limit where files cannot be larger.
    #[must_use]
    pub const fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// The largest file that the backend can hold.
    #[must_use]
    pub const fn with_file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// [`Directory::reopen`](super::Directory::reopen) works.
    #[must_use]
    pub const fn with_reopen(mut self) -> Self {
        self.reopen = true;
        self
    }

    /// [`Directory::rename`](super::Directory::rename) works and is atomic.
    #[must_use]
    pub const fn with_rename(mut self) -> Self {
        self.rename = true;
        self
    }

    /// A reader may be open, and sees flushed bytes, while the file is being appended to.
    #[must_use]
    pub const fn with_read_while_appending(mut self) -> Self {
        self.read_while_appending = true;
        self
    }

    /// See [`with_write_granule`](Self::with_write_granule).
    pub const fn write_granule(&self) -> u32 {
        self.write_granule
    }

    /// See [`with_tear_unit`](Self::with_tear_unit).
    pub const fn tear_unit(&self) -> u32 {
        self.tear_unit
    }

    /// See [`with_segment_bytes`](Self::with_segment_bytes).
    pub const fn segment_bytes(&self) -> Option<u64> {
        self.segment_bytes
    }

    /// See [`with_file_bytes_max`](Self::with_file_bytes_max).
    pub const fn file_bytes_max(&self) -> u64 {
        self.file_bytes_max
    }

    /// See [`with_reopen`](Self::with_reopen).
    pub const fn reopen(&self) -> bool {
        self.reopen
    }

    /// See [`with_rename`](Self::with_rename).
    pub const fn rename(&self) -> bool {
        self.rename
    }

    /// See [`with_read_while_appending`](Self::with_read_while_appending).
    pub const fn read_while_appending(&self) -> bool {
        self.read_while_appending
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}
