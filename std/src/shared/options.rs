//! The options of sharing.

/// How a log is shared; the log itself has [`WalOptions`](durability_core::walog::WalOptions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedOptions {
    background: bool,
}

impl SharedOptions {
    /// With a background thread.
    pub const fn new() -> Self {
        Self { background: true }
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

    pub(super) const fn has_background(self) -> bool {
        self.background
    }
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self::new()
    }
}
