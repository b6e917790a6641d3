//! The options of sharing.

/// How a log is shared; the log itself has [`WalOptions`](durability_core::walog::WalOptions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedOptions {
    background: bool,
    staged_bytes: u32,
}

impl SharedOptions {
    /// With a background thread, and 8 MiB that may be staged.
    pub const fn new() -> Self {
        Self { background: true, staged_bytes: 8 << 20 }
    }

    /// Whether there is a background thread, one for the log. On by default; it sleeps where it has nothing to do.
    ///
    /// It commits for tickets that are awaited or have a callback; threads that [wait](super::Ticket::wait) commit by themselves and never need it. And it makes
    /// the next segment's file ready once a quarter of the tail is filled, with room if [`preallocate`](durability_core::walog::WalOptions::preallocate)
    /// says so, and syncs the outgoing segment, so that an append that rotates waits for neither.
    #[must_use]
    pub const fn background(mut self, background: bool) -> Self {
        self.background = background;
        self
    }

    /// How many bytes may be staged while a commit runs; who would stage more waits. The log's
    /// [buffer](durability_core::walog::WalOptions::buffer_bytes) is the least. Two buffers grow up to it, once they are needed.
    ///
    /// The background thread syncs whenever twice as much waits for a sync, so that neither a sync nor a rotation ever has much left to do, and appending at half of the
    /// medium's speed waits for neither.
    #[must_use]
    pub const fn staged_bytes(mut self, bytes: u32) -> Self {
        self.staged_bytes = bytes;
        self
    }

    pub(super) const fn staged_bytes_max(self) -> usize {
        self.staged_bytes as usize
    }

    pub(super) const fn has_background(self) -> bool {
        self.background
    }
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self::new()
    }
}
