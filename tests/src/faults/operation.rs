//! The operations that are counted, the faults that can befall them, and the counts.
//!
//! Must never hold state: [`Counters`](super::Counters) does.

/// An operation on a directory or on one of its files.
///
/// `position`, `capabilities`, `nonce` and `file_path` touch no medium and are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Directory::open`](durability_core::storage::Directory::open).
    Open,
    /// [`Directory::create`](durability_core::storage::Directory::create).
    Create,
    /// [`Directory::reopen`](durability_core::storage::Directory::reopen).
    Reopen,
    /// `write` of an appender.
    Write,
    /// `flush` of an appender.
    Flush,
    /// [`AppendFile::sync_data`](durability_core::storage::AppendFile::sync_data).
    SyncData,
    /// [`AppendFile::trim`](durability_core::storage::AppendFile::trim).
    Trim,
    /// `read` and `read_at` of a reader.
    Read,
    /// `seek` of a reader.
    Seek,
    /// [`ReadFile::len`](durability_core::storage::ReadFile::len).
    Length,
    /// [`Directory::remove`](durability_core::storage::Directory::remove).
    Remove,
    /// [`Directory::list`](durability_core::storage::Directory::list).
    List,
    /// [`Directory::sync_file`](durability_core::storage::Directory::sync_file).
    SyncFile,
    /// [`Directory::sync_dir`](durability_core::storage::Directory::sync_dir).
    SyncDir,
    /// [`Directory::lock`](durability_core::storage::Directory::lock).
    Lock,
    /// [`Directory::rename`](durability_core::storage::Directory::rename).
    Rename,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Open,
        Self::Create,
        Self::Reopen,
        Self::Write,
        Self::Flush,
        Self::SyncData,
        Self::Trim,
        Self::Read,
        Self::Seek,
        Self::Length,
        Self::Remove,
        Self::List,
        Self::SyncFile,
        Self::SyncDir,
        Self::Lock,
        Self::Rename,
    ];

    /// Whether it asks for a barrier.
    pub const fn is_sync(self) -> bool {
        matches!(self, Self::SyncData | Self::SyncFile | Self::SyncDir)
    }

    /// Whether it may change what the medium holds.
    pub const fn changes(self) -> bool {
        self.is_sync()
            || matches!(
                self,
                Self::Create
                    | Self::Reopen
                    | Self::Write
                    | Self::Flush
                    | Self::Trim
                    | Self::Remove
                    | Self::Rename
            )
    }
}

/// What happens to an operation that fails by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done, and an I/O error returned.
    Io,
    /// Nothing is done, and an error returned that says the medium is full.
    NoSpace,
    /// A write stores the first half of its whole granules, if that is any, and returns their count; the next write through the
    /// same handle, or this one if there was nothing to store, is [`Io`](Self::Io). Any other operation is `Io` at once.
    ShortWrite,
    /// Nothing is done, and an error of kind `Interrupted` returned: "try again".
    Interrupted,
    /// The operation is done, and an I/O error returned all the same, as by a barrier whose answer was lost.
    IoAfter,
}

/// One counted operation, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What was asked for.
    pub operation: Operation,
    /// The file or folder; for a rename the old name.
    pub name: String,
    /// Bytes given to a write, or the size of a read's buffer; 0 for the rest.
    pub bytes: u64,
    /// The fault that befell it, if one did.
    pub fault: Option<Fault>,
}

/// How often each operation was asked for, failed ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub(super) operations: [u64; Operation::ALL.len()],
    /// Bytes that writes stored.
    pub bytes_written: u64,
    /// Bytes that reads returned.
    pub bytes_read: u64,
}

impl Counts {
    /// How often this operation was asked for.
    pub fn of(&self, operation: Operation) -> u64 {
        Operation::ALL
            .iter()
            .zip(self.operations)
            .find_map(|(each, count)| (*each == operation).then_some(count))
            .unwrap_or(0)
    }

    /// All operations together.
    pub fn total(&self) -> u64 {
        self.operations.iter().sum()
    }

    /// All barriers together.
    pub fn syncs(&self) -> u64 {
        Operation::ALL.iter().filter(|each| each.is_sync()).map(|each| self.of(*each)).sum()
    }

    /// What was added since an earlier count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (count, before) in difference.operations.iter_mut().zip(earlier.operations) {
            *count = count.saturating_sub(before);
        }
        difference.bytes_written = self.bytes_written.saturating_sub(earlier.bytes_written);
        difference.bytes_read = self.bytes_read.saturating_sub(earlier.bytes_read);
        difference
    }

    pub(super) fn add(&mut self, operation: Operation) -> u64 {
        for (each, count) in Operation::ALL.iter().zip(&mut self.operations) {
            if *each == operation {
                *count += 1;
                return *count;
            }
        }
        0
    }
}
