//! The port to whatever keeps bytes: what a backend must do, and what the layers above may rely on.
//!
//! Must never know anything of logs or checkpoints: a POSIX file system, memory, FAT, littlefs and raw NOR
//! flash all fit behind it.

#[cfg(feature = "alloc")]
use alloc::string::String;

use embedded_io::ErrorKind;

use super::{Capabilities, Folder, Name};

/// What every backend's error can tell.
///
/// `embedded_io` has no kind for a full medium, and a full medium is the one failure that callers treat
/// differently from all others.
pub trait StoreError: embedded_io::Error + 'static {
    /// Whether the medium, or a quota on it, is full.
    fn is_no_space(&self) -> bool;

    /// The error for an operation that this backend does not have.
    ///
    /// Its `kind()` must be [`ErrorKind::Unsupported`].
    fn unsupported() -> Self
    where
        Self: Sized;

    /// Whether this is the answer of a backend that does not have the operation.
    fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
    }
}

/// A file opened for reading.
///
/// # For implementers
/// - `read` and `read_at` may return fewer bytes than asked for; 0 means the end of the file, and only that.
/// - An error of kind [`ErrorKind::Interrupted`] means "nothing was done, try again"; callers retry it.
/// - A reader opened before an append need not see it, but must not fail because of it.
#[allow(clippy::len_without_is_empty)] // the length is only a bound: "empty" would be read as "holds no records"
pub trait ReadFile: embedded_io::Read + embedded_io::Seek {
    /// An upper bound on the bytes that can be read.
    ///
    /// Only a bound: a preallocated file, a flash slot or a FAT file after a power cut may be longer than what
    /// was ever written. Formats must delimit themselves.
    ///
    /// # Errors
    /// Whatever the backend meets.
    fn len(&mut self) -> Result<u64, Self::Error>;

    /// Reads at an offset, wherever the cursor stands; where it stands afterwards is unspecified.
    ///
    /// # Errors
    /// Whatever the backend meets.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.seek(embedded_io::SeekFrom::Start(offset))?;
        self.read(buffer)
    }
}

/// A file opened for appending, at a known position.
///
/// # For implementers
/// - `write` appends at [`position`](Self::position) and moves it by what it returns. A short count is allowed, but
///   must be a multiple of the [write granule](Capabilities::write_granule). `Ok(0)` is treated as a failure.
/// - An error of kind [`ErrorKind::Interrupted`] means "nothing was done, try again"; callers retry it.
/// - After any other error, how much of the data arrived is unknown, and no caller will write to this handle again.
/// - `flush` (of `embedded_io::Write`) hands everything to the system so that it survives the end of the process.
///   It promises nothing about power loss.
///
/// # For users
/// - Every write begins and ends on a multiple of the write granule.
#[allow(clippy::len_without_is_empty)]
pub trait AppendFile: embedded_io::Write {
    /// Where the next byte goes.
    fn position(&self) -> u64;

    /// Makes all bytes written so far durable, with the length that is needed to read them.
    ///
    /// **Durability.** After `Ok`, everything written through this handle survives power loss, *provided* that the
    /// file's name is durable too ([`Directory::sync_dir`]). After `Err`, nothing is known of what was written
    /// since the last `Ok`; trying again proves nothing, and callers must not.
    ///
    /// # Errors
    /// Whatever the backend meets. An implementation must report a failure at least once, through the handle that
    /// wrote.
    fn sync_data(&mut self) -> Result<(), Self::Error>;

    /// Gives back room that was [reserved](Directory::create) beyond [`position`](Self::position).
    ///
    /// Called once nothing more will be appended for now. A wish, like the reservation: the default does nothing. It must never
    /// change what lies below the position.
    ///
    /// # Errors
    /// Whatever the backend meets.
    fn trim(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The answer to a request for a lock.
#[derive(Debug)]
pub enum Locking<L> {
    /// The lock is ours until the guard is dropped.
    Acquired(L),
    /// Somebody else has it.
    Held {
        /// The holder's process id, where the system can tell.
        holder: Option<u32>,
    },
}

/// A place that keeps named files and survives crashes as the failure model of GUARANTEES.md says.
///
/// All methods take `&self`: a backend with state keeps it behind its own interior mutability, usually by implementing
/// the trait for `&Store`, `Rc<Store>` or `Arc<Store>`. The file types are owned, so that a log can own its
/// directory and its open file at once.
///
/// # Contract for implementers
/// 1. *Names* arrive checked ([`Name`]). `create` makes missing folders. A name must never reach outside of the
///    directory, by symlinks either.
/// 2. *Absence* is `Ok(None)`, and so is a name that `create` finds taken. Errors are for failures only.
/// 3. *What a crash may do* before a sync: keep any subset of the written sectors
///    ([`tear_unit`](Capabilities::tear_unit)), of the created names and of the removals, each on its own. It must not
///    change bytes outside of the sectors being written (A4).
/// 4. *Syncs are honest* (A3): [`AppendFile::sync_data`], [`sync_file`](Self::sync_file) and
///    [`sync_dir`](Self::sync_dir) return `Ok` only if power loss can no longer undo what they cover.
/// 5. *A removed name* may come back after a crash until its folder is synced, with its old content.
///
/// # What users may rely on
/// - Nothing else. Notably not: that a length is exact, that names appear in order, that a reader sees an
///   appender's bytes (unless [`read_while_appending`](Capabilities::read_while_appending)), that `flush` syncs.
///
/// The test kit (`durability-testkit`) checks an implementation against this with one call.
pub trait Directory {
    /// What failed operations return.
    type Error: StoreError;
    /// A file open for reading.
    type Reader: ReadFile + embedded_io::ErrorType<Error = Self::Error>;
    /// A file open for appending.
    type Appender: AppendFile + embedded_io::ErrorType<Error = Self::Error>;
    /// Holds a lock until dropped; `()` where there is a single owner by construction.
    type Lock;

    /// What this backend can do, and in which units. Must not change while the directory is in use.
    fn capabilities(&self) -> Capabilities;

    /// Opens a file for reading; `None` if there is none of that name.
    ///
    /// # Errors
    /// Whatever the backend meets.
    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, Self::Error>;

    /// Creates a file, and missing folders above it; `None` if the name is taken.
    ///
    /// `reserve` asks for that many bytes of room to be made ready, so that appending within it allocates nothing:
    /// blocks written with zeros on a file system, erased ones on flash. It is a wish; a backend may do nothing.
    /// The reserved room must read as zeros, as `0xFF`, or as absent. It may not read as anything older. (A crash before this has
    /// returned may leave the name and anything at all in the room; callers must be able to tell.)
    ///
    /// **Durability.** Neither the name nor anything written is durable before `sync_data` *and*
    /// [`sync_dir`](Self::sync_dir).
    ///
    /// # Errors
    /// Whatever the backend meets. After an error the name may or may not exist.
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, Self::Error>;

    /// Opens an existing file to append from byte `at`, which is a multiple of the write granule; `None` if
    /// there is no such file.
    ///
    /// Callers only do this where nothing but room (see [`create`](Self::create)) or bytes of no meaning lie from `at` on;
    /// what lies below `at` is kept, and what lies from there on may stay until it is written over.
    ///
    /// # Errors
    /// [`StoreError::unsupported`] without [`Capabilities::reopen`], and where bytes from `at` on cannot be written again, with nothing changed;
    /// whatever the backend meets.
    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, Self::Error> {
        let _ = (name, at);
        Err(Self::Error::unsupported())
    }

    /// Removes a file; `Ok` as well if there is none.
    ///
    /// # Errors
    /// Whatever the backend meets.
    fn remove(&self, name: Name<'_>) -> Result<(), Self::Error>;

    /// Calls `each` with the name of every *file* directly in `folder`, in any order, without the folder's own
    /// name. A folder that does not exist holds no files.
    ///
    /// Names that no [`Name`] could have are left out.
    ///
    /// # Errors
    /// Whatever the backend meets. `each` may have seen part of the names by then.
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Self::Error>;

    /// Makes durable what a reader opened *after* this call will read from the file, whoever wrote it.
    ///
    /// Recovery calls it on a file that another process wrote, *before* reading it. It is stronger than an `fsync`
    /// through a fresh descriptor: an earlier failed sync may have left bytes in a cache that the medium does
    /// not have, marked clean. An implementation must not let a later reader see those: it drops the cached bytes after
    /// syncing, or reads around the cache, or fails.
    ///
    /// # Errors
    /// [`StoreError::unsupported`] where there is no barrier; whatever the backend meets. A missing file is an
    /// error.
    fn sync_file(&self, name: Name<'_>) -> Result<(), Self::Error> {
        let _ = name;
        Err(Self::Error::unsupported())
    }

    /// Makes all creations, renames and removals in `folder` so far durable, and the names of the folder and of
    /// every folder above it, up to and including the directory itself. A folder that does not exist is `Ok`.
    ///
    /// # Errors
    /// [`StoreError::unsupported`] where there is no barrier; whatever the backend meets.
    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), Self::Error> {
        let _ = folder;
        Err(Self::Error::unsupported())
    }

    /// Takes the exclusive lock called `name`, without waiting.
    ///
    /// The lock must exclude other holders in this process as well as in others, must be gone once the guard is dropped or the
    /// process has died, however it died, and must never need cleaning up. A lock may leave a file of its name
    /// behind.
    ///
    /// # Errors
    /// Whatever the backend meets. A lock that is taken is not an error but [`Locking::Held`].
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, Self::Error>;

    /// A number that this directory has, with overwhelming probability, not returned before, in any process or
    /// boot: random bits, or a persistent counter.
    ///
    /// It becomes the id of a new log, which keeps what is left of an older log from being taken for the new one's.
    fn nonce(&self) -> u64;

    /// Renames a file, atomically replacing one that may have the new name. Missing folders above it are created.
    ///
    /// **Durability.** After a crash the new name holds the old content or the new, whole; which one is open
    /// until [`sync_dir`](Self::sync_dir) on the folder of `to`. The content must have been synced before.
    ///
    /// # Errors
    /// [`StoreError::unsupported`] without [`Capabilities::rename`]; whatever the backend meets. A missing
    /// source is an error.
    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Self::Error> {
        let _ = (from, to);
        Err(Self::Error::unsupported())
    }

    /// The operating system's path of a file, for tools and messages; `None` where there is no such path, or where
    /// it is not Unicode. Reading or writing through it is outside every guarantee.
    #[cfg(feature = "alloc")]
    fn file_path(&self, name: Name<'_>) -> Option<String> {
        let _ = name;
        None
    }
}
