//! Whole-file operations that are atomic and durable at once, on any directory that can rename.
//!
//! Must never touch a file that it did not make, except the one file that the caller names.

use alloc::vec::Vec;
use core::fmt::Write as _;

use embedded_io::{Error as _, ErrorKind, Write as _};

use super::{AppendFile, Directory, DurableError, DurableStep, Name, NameBuf, NameError};

/// How every temporary file's name begins.
const TEMPORARY_PREFIX: &str = "durable-tmp-";
/// Hex digits in each of the two numbers that follow: the target's hash, and a nonce.
const NUMBER_DIGITS: usize = 16;
/// How many leftovers of crashes one write clears away at most. A crash leaves one.
const LEFTOVERS_MAX: usize = 16;
/// How many nonces are tried until a name is free. One is enough, unless the backend's nonces repeat.
const NONCES_MAX: usize = 8;

/// Atomic, durable replacement of whole files, for every [`Directory`] that can rename.
pub trait DurableDirectory: Directory {
    /// Replaces the content of the file at `path`, or creates it, in one step that is durable on return.
    ///
    /// The bytes go to a temporary file in the same folder, which is synced and renamed; then the folder is synced. The
    /// temporary file's name is `durable-tmp-`, 16 hex digits of the target's name's hash, `-`, and 16 hex digits of a
    /// [nonce](Directory::nonce). It is removed on failure; what a crash leaves of it is removed by the next
    /// write to the same target. No other file is touched, whatever its name.
    ///
    /// At a time, one caller may write to one target. A second one does no damage, but may make the first one fail.
    ///
    /// **Durability.** After `Ok`, the new content survives power loss. After `Err`, and after a crash midway, the file
    /// holds the old content or the new, whole; the old, unless the step that failed is [`DurableStep::Rename`] or
    /// [`DurableStep::SyncDir`].
    ///
    /// # Errors
    /// [`DurableError::Name`] for a bad path, or one whose temporary file's name would be too long (a folder of more than
    /// 74 bytes); [`DurableError::TemporaryName`] for a path that looks like a temporary file;
    /// [`DurableError::NotSupported`] where the backend cannot rename (nothing was done), or has no such barrier,
    /// or where the length is no multiple of its [write granule](super::Capabilities::write_granule);
    /// [`DurableError::Backend`] for its failure.
    ///
    /// ```
    /// use durability_core::storage::{DurableDirectory, MemoryDirectory, Name};
    /// let dir = MemoryDirectory::new();
    /// dir.atomic_write_durable("conf/state", b"one")?;
    /// dir.atomic_write_durable("conf/state", b"two")?;
    /// assert_eq!(dir.contents(Name::new("conf/state")?).as_deref(), Some(&b"two"[..]));
    /// assert_eq!(dir.names(), ["conf/state"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn atomic_write_durable(
        &self,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), DurableError<Self::Error>>;

    /// Renames a file, replacing one that may have the new name, durably on return.
    ///
    /// **Durability.** After `Ok`, the file's content under its new name survives power loss, and the old name is gone for
    /// good. After `Err`, and after a crash midway, the new name holds its old content (or is absent as before), or
    /// the renamed file, whole.
    ///
    /// # Errors
    /// [`DurableError::Name`] for a bad path, [`DurableError::NotSupported`] where the backend cannot rename (nothing
    /// was done) or has no such barrier, [`DurableError::Backend`] for its failure; a missing source is one.
    fn atomic_rename_durable(&self, from: &str, to: &str) -> Result<(), DurableError<Self::Error>>;
}

impl<D: Directory + ?Sized> DurableDirectory for D {
    fn atomic_write_durable(
        &self,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), DurableError<Self::Error>> {
        let target = Name::new(path)?;
        if is_temporary(target.file()) {
            return Err(DurableError::TemporaryName);
        }
        let capabilities = self.capabilities();
        if !capabilities.rename() {
            return Err(DurableError::NotSupported { step: DurableStep::Rename });
        }
        if !bytes.len().is_multiple_of(capabilities.write_granule().max(1) as usize) {
            return Err(DurableError::NotSupported { step: DurableStep::Write });
        }
        remove_leftovers(self, target);
        let (temporary, file) = create_temporary(self, target)?;
        replace(self, file, temporary.as_name(), target, bytes).inspect_err(|_| {
            // What remains is garbage to every reader; should this fail too, the next write removes it.
            let _garbage_costs_only_room = self.remove(temporary.as_name());
        })?;
        if planted!(RenameUnsynced) {
            return Ok(());
        }
        // Crash before this returns: the new name may be lost, and the old content is there. After it: the new content.
        self.sync_dir(target.folder()).map_err(DurableError::at(DurableStep::SyncDir))
    }

    fn atomic_rename_durable(&self, from: &str, to: &str) -> Result<(), DurableError<Self::Error>> {
        let (from, to) = (Name::new(from)?, Name::new(to)?);
        if !self.capabilities().rename() {
            return Err(DurableError::NotSupported { step: DurableStep::Rename });
        }
        // Crash: nothing has happened yet. Without this, the new name could become durable before the bytes.
        self.sync_file(from).map_err(DurableError::at(DurableStep::SyncFile))?;
        // Crash: the new name has what it had, or all of the new content, which is durable already.
        self.rename(from, to).map_err(DurableError::at(DurableStep::Rename))?;
        // The new name first, so that no sync of ours makes the old one's removal durable while the new one is not.
        self.sync_dir(to.folder()).map_err(DurableError::at(DurableStep::SyncDir))?;
        if from.folder() != to.folder() {
            // Crash: the new name is durable; the old one may still be there, too.
            self.sync_dir(from.folder()).map_err(DurableError::at(DurableStep::SyncDir))?;
        }
        Ok(())
    }
}

/// Writes and syncs the temporary file, and gives it the target's name.
fn replace<D: Directory + ?Sized>(
    dir: &D,
    mut file: D::Appender,
    temporary: Name<'_>,
    target: Name<'_>,
    bytes: &[u8],
) -> Result<(), DurableError<D::Error>> {
    // Crash: the old content is untouched, and the temporary file is garbage.
    write_whole::<D>(&mut file, bytes)?;
    // Crash: as before. Without this, the rename could become durable before the bytes.
    if !planted!(RenamedUnsynced) {
        file.sync_data().map_err(DurableError::at(DurableStep::SyncFile))?;
    }
    // Some systems do not rename an open file.
    drop(file);
    // Crash: the target names the old file or the new one; both are whole and durable.
    dir.rename(temporary, target).map_err(DurableError::at(DurableStep::Rename))
}

fn write_whole<D: Directory + ?Sized>(
    file: &mut D::Appender,
    bytes: &[u8],
) -> Result<(), DurableError<D::Error>> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match file.write(rest) {
            // A write that writes nothing would never end.
            Ok(0) => return Err(DurableError::WroteNothing),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(DurableError::at(DurableStep::Write)(error)),
        }
    }
    Ok(())
}

fn create_temporary<D: Directory + ?Sized>(
    dir: &D,
    target: Name<'_>,
) -> Result<(NameBuf, D::Appender), DurableError<D::Error>> {
    let at_create = DurableError::at(DurableStep::Create);
    for _ in 0..NONCES_MAX {
        let name = temporary_name(target, dir.nonce())?;
        // Exclusive: a file that has this name already is never written to.
        if let Some(file) = dir.create(name.as_name(), 0).map_err(&at_create)? {
            return Ok((name, file));
        }
    }
    Err(DurableError::NoFreeName)
}

/// Removes what crashed writes to `target` left behind. A failure is none of the caller's business: leftovers only cost
/// room, and if the medium is failing, the write that follows says so.
fn remove_leftovers<D: Directory + ?Sized>(dir: &D, target: Name<'_>) {
    let folder = target.folder();
    let hash = hash_of(target);
    let mut leftovers = Vec::new();
    let _listed_or_not = dir.list(folder, &mut |file| {
        // Names are collected first: not every backend allows removals while it lists.
        if leftovers.len() < LEFTOVERS_MAX
            && (parse_temporary(file) == Some(hash)
                || planted!(ForeignFileRemoved) && is_temporary(file))
        {
            leftovers.extend(NameBuf::join(folder, file));
        }
    });
    for name in leftovers {
        let _removed_or_not = dir.remove(name.as_name());
    }
}

fn temporary_name(target: Name<'_>, nonce: u64) -> Result<NameBuf, NameError> {
    let mut file = heapless::String::<64>::new();
    let fits = write!(file, "{TEMPORARY_PREFIX}{:016x}-{nonce:016x}", hash_of(target));
    debug_assert!(fits.is_ok(), "a temporary name has 45 bytes");
    NameBuf::join(target.folder(), &file)
}

fn is_temporary(file: &str) -> bool {
    parse_temporary(file).is_some()
}

/// The hash in a temporary file's name; `None` for every other file's name.
fn parse_temporary(file: &str) -> Option<u64> {
    let (hash, nonce) = file.strip_prefix(TEMPORARY_PREFIX)?.split_once('-')?;
    parse_number(nonce)?;
    parse_number(hash)
}

fn parse_number(digits: &str) -> Option<u64> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if digits.len() != NUMBER_DIGITS || !digits.bytes().all(lower_hex) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// FNV-1a (64 bits) of the target's name within its folder: ties a temporary file to its target in a fixed length.
fn hash_of(target: Name<'_>) -> u64 {
    target.file().bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::storage::{MemoryDirectory, MemoryError};

    fn name(text: &str) -> Name<'_> {
        Name::new(text).unwrap()
    }

    /// Another hash would not know what an earlier version has left behind.
    #[test]
    fn a_temporary_file_is_tied_to_its_target_by_a_hash_that_stays() {
        for (text, hash) in [("a", 0xAF63_DC4C_8601_EC8C), ("x/foobar", 0x8594_4171_F739_67E8)] {
            assert_eq!(hash_of(name(text)), hash);
        }
    }

    #[test]
    fn leftovers_are_cleared_away_sixteen_at_a_time() {
        let dir = MemoryDirectory::new();
        for nonce in 0..40 {
            dir.put(temporary_name(name("data"), 1 << 40 | nonce).unwrap().as_name(), vec![1]);
        }
        for left in [24, 8, 0, 0] {
            dir.atomic_write_durable("data", b"new").unwrap();
            assert_eq!(dir.names().len(), left + 1);
        }
    }

    #[test]
    fn atomic_write_replaces_the_whole_content_and_leaves_no_other_file() {
        let dir = MemoryDirectory::new();
        dir.atomic_write_durable("a/data", b"a long first content").unwrap();
        dir.atomic_write_durable("a/data", b"short").unwrap();
        assert_eq!(dir.contents(name("a/data")).unwrap(), b"short");
        dir.atomic_write_durable("a/data", b"").unwrap();
        assert_eq!(dir.contents(name("a/data")).unwrap(), b"");
        assert_eq!(dir.names(), ["a/data"]);
    }

    #[test]
    fn a_failed_atomic_write_keeps_the_old_content_and_removes_its_temporary_file() {
        let dir = MemoryDirectory::with_bytes_max(10);
        dir.atomic_write_durable("data", b"old").unwrap();
        let failed = dir.atomic_write_durable("data", b"does not fit");
        assert!(matches!(
            failed,
            Err(DurableError::Backend { step: DurableStep::Write, source: MemoryError::NoSpace })
        ));
        assert_eq!(dir.contents(name("data")).unwrap(), b"old");
        assert_eq!(dir.names(), ["data"]);
    }

    #[test]
    fn foreign_files_survive_an_atomic_write_whatever_their_name() {
        let dir = MemoryDirectory::new();
        let other = temporary_name(name("other"), 7).unwrap().to_string();
        let own = temporary_name(name("data"), 7).unwrap().to_string();
        let foreign = [
            "data.tmp".to_string(),
            "data~".replace('~', "-"),
            "durable-tmp-".replace("tmp-", "tmp"),
            format!("{own}.x"),
            own.to_uppercase(),
            own.replace('-', "_"),
            own.trim_end_matches('7').to_string(),
            format!("sub/{own}"),
            other,
        ];
        for file in &foreign {
            dir.put(name(file), file.clone().into_bytes());
        }
        dir.atomic_write_durable("data", b"content").unwrap();
        for file in &foreign {
            assert_eq!(dir.contents(name(file)).as_deref(), Some(file.as_bytes()), "{file}");
        }
        assert_eq!(dir.names().len(), foreign.len() + 1);
    }

    #[test]
    fn what_a_crash_left_is_removed_by_the_next_write_to_the_same_target() {
        let dir = MemoryDirectory::new();
        for nonce in [0, 1, u64::MAX] {
            let left = temporary_name(name("wal/data"), nonce).unwrap();
            dir.put(left.as_name(), vec![1; 9]);
        }
        dir.atomic_write_durable("wal/data", b"content").unwrap();
        assert_eq!(dir.names(), ["wal/data"]);
    }

    #[test]
    fn a_target_that_looks_like_a_temporary_file_is_refused() {
        let dir = MemoryDirectory::new();
        let odd = temporary_name(name("data"), 7).unwrap().to_string();
        assert!(matches!(dir.atomic_write_durable(&odd, b""), Err(DurableError::TemporaryName)));
        assert!(dir.names().is_empty());
    }

    #[test]
    fn a_folder_too_long_for_the_temporary_name_is_refused_before_anything_happens() {
        let dir = MemoryDirectory::new();
        let path = format!("{}/{}/x", "f".repeat(60), "g".repeat(20));
        assert!(matches!(
            dir.atomic_write_durable(&path, b""),
            Err(DurableError::Name(NameError::TooLong { .. }))
        ));
        assert!(dir.names().is_empty());
    }

    #[test]
    fn atomic_rename_replaces_the_target_and_a_missing_source_is_an_error() {
        let dir = MemoryDirectory::new();
        dir.put(name("a"), b"new".to_vec());
        dir.put(name("b/c"), b"old".to_vec());
        dir.atomic_rename_durable("a", "b/c").unwrap();
        assert_eq!(dir.names(), ["b/c"]);
        assert_eq!(dir.contents(name("b/c")).unwrap(), b"new");
        assert!(matches!(
            dir.atomic_rename_durable("a", "b/c"),
            Err(DurableError::Backend { source: MemoryError::NotFound, .. })
        ));
        assert_eq!(dir.contents(name("b/c")).unwrap(), b"new");
    }

    #[test]
    fn bad_paths_are_refused() {
        let dir = MemoryDirectory::new();
        for bad in ["", "..", "/a", "a/../b"] {
            assert!(matches!(dir.atomic_write_durable(bad, b""), Err(DurableError::Name(_))));
            assert!(matches!(dir.atomic_rename_durable(bad, "a"), Err(DurableError::Name(_))));
            assert!(matches!(dir.atomic_rename_durable("a", bad), Err(DurableError::Name(_))));
        }
    }
}
