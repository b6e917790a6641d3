//! Ids: what the caller sees of a record's place in a log.

use core::fmt;
use core::num::NonZeroU64;

/// The number of an entry in its log: from 1, without gaps, never given twice to acknowledged entries.
///
/// ```
/// use durability_core::EntryId;
/// let id = EntryId::new(7).ok_or("ids start at 1")?;
/// assert_eq!(id.get(), 7);
/// assert_eq!(id, 7);
/// assert!(EntryId::new(0).is_none());
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EntryId(NonZeroU64);

impl EntryId {
    /// The first id of every log.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// The greatest id there is.
    pub const LAST: Self = Self(NonZeroU64::MAX);

    /// The id of that number; `None` for 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// The number of an optional id, with 0 for "none": the form that stands on disk.
pub(crate) const fn number(id: Option<EntryId>) -> u64 {
    match id {
        Some(id) => id.get(),
        None => 0,
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<EntryId> for u64 {
    fn from(id: EntryId) -> Self {
        id.get()
    }
}

impl From<NonZeroU64> for EntryId {
    fn from(number: NonZeroU64) -> Self {
        Self(number)
    }
}

impl PartialEq<u64> for EntryId {
    fn eq(&self, other: &u64) -> bool {
        self.get() == *other
    }
}
