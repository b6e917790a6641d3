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

    /// Whether there is a background thread, one for the log: it commits for tickets that are awaited or have a callback. On by default; it sleeps
    /// where it has nothing to do. Threads that [wait](super::Ticket::wait) commit by themselves and never need it.
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
