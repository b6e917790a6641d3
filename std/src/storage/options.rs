//! How an [`FsDirectory`](super::FsDirectory) behaves, chosen once at opening.

/// How an [`FsDirectory`](super::FsDirectory) behaves.
///
/// ```
/// use durability::storage::FsOptions;
/// let options = FsOptions::new().preallocate(false);
/// assert!(!options.preallocates());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsOptions {
    preallocate: bool,
    direct_io: bool,
}

impl FsOptions {
    /// The defaults: preallocation on, direct I/O off.
    pub const fn new() -> Self {
        Self { preallocate: true, direct_io: false }
    }

    /// Whether files created with bytes to reserve are filled with zeros and synced at once; `true` by default.
    ///
    /// A later sync of an append within those bytes has no metadata to wait for: the size is known, and the blocks are allocated and
    /// marked as written. The price is one write of the reserved bytes at creation. Switch it off on file systems that copy on
    /// write, where overwriting allocates all the same, and where the device is so slow to sync that the metadata does not
    /// matter.
    #[must_use]
    pub const fn preallocate(mut self, on: bool) -> Self {
        self.preallocate = on;
        self
    }

    /// See [`preallocate`](Self::preallocate).
    pub const fn preallocates(&self) -> bool {
        self.preallocate
    }

    /// Whether appends go around the system's cache (`O_DIRECT`), on Linux, within the room that a file has; `false` by default.
    ///
    /// A commit in the steady state is then one system call, a write that is durable when it returns (`RWF_DSYNC`), for which the device may need no flush
    /// of its whole cache. It takes effect where a file has room that is written already: in a log whose options say `preallocate`, or whose segments are
    /// prepared. Behind the last whole block of the room, in files without room, on other systems, and on file systems that refuse it, bytes go
    /// through the cache as ever: silently, since what is promised is the same. [`FsAppender::is_direct`](super::FsAppender::is_direct) tells.
    ///
    /// **Durability.** As without it. What was appended is held back in memory until a flush or a sync, 1 MiB at most for each file that is open for
    /// appending. A block that is not full is written again, with the same bytes before the new ones, as the cache does it; on devices that may damage a
    /// sector that is written over, pad commits to 4096 bytes (`commit_alignment`), and no block is ever written twice.
    ///
    /// Leave it off where most appends are not synced (every flush waits for the device), where a mark follows every sync (`mark_after_sync`: that is one more
    /// write to wait for, and the sync after it is a call of its own), where entries are read soon after they were
    /// appended (they are read from the device, not from the cache), where other programs write to the same files, and
    /// on network and FUSE file systems, which may take `RWF_DSYNC` for less than `fdatasync`.
    ///
    /// ```
    /// use durability::storage::{FsDirectory, FsOptions};
    /// use durability::walog::{RawWalWriter, WalOptions};
    /// # let scratch = tempfile::tempdir()?;
    /// # let path = scratch.path().join("data");
    /// let dir = FsDirectory::with_options(&path, FsOptions::new().direct_io(true))?;
    /// let mut wal = RawWalWriter::open(dir, WalOptions::new().segment_bytes(1 << 20).preallocate(true))?;
    /// wal.append(b"record")?;
    /// let durable = wal.flush_and_sync()?;
    /// # assert_eq!(durable.through().map(|id| id.get()), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn direct_io(mut self, on: bool) -> Self {
        self.direct_io = on;
        self
    }

    /// See [`direct_io`](Self::direct_io).
    pub const fn uses_direct_io(&self) -> bool {
        self.direct_io
    }
}

impl Default for FsOptions {
    fn default() -> Self {
        Self::new()
    }
}
