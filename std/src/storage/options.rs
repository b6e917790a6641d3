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
}

impl FsOptions {
    /// The defaults: preallocation on.
    pub const fn new() -> Self {
        Self { preallocate: true }
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
}

impl Default for FsOptions {
    fn default() -> Self {
        Self::new()
    }
}
