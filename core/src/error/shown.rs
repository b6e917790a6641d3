//! Parts of messages that may be absent.

use core::fmt;

use crate::EntryId;

/// Displays an optional id.
pub(super) struct Last(pub(super) Option<EntryId>);

impl fmt::Display for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "{id}"),
            None => f.write_str("none"),
        }
    }
}

/// Displays who may hold a lock.
pub(super) struct Holder(pub(super) Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(process) => write!(f, "process {process}"),
            None => f.write_str("another writer"),
        }
    }
}

/// Displays why bytes were not of a type.
pub(super) struct Reason<'a>(pub(super) Option<&'a postcard::Error>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => write!(f, "{error}"),
            None => f.write_str("bytes are left over"),
        }
    }
}
