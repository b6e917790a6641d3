//! How a reader takes the end of a log.

/// How a reader takes the torn tail that a crash may leave at the end of a log.
///
/// Damage in any other place is an error in both modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadMode {
    /// A torn tail is [`Error::TornTail`](crate::Error::TornTail), after all whole entries have been read.
    #[default]
    Strict,
    /// A torn tail is the end, and is in the report.
    BestEffort,
}
