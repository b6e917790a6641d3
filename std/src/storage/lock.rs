//! The lock: the operating system's own, on an open file, so that it dies with its holder.
//!
//! Must never decide by what is written in the lock file (the holder's process id is for messages alone), never wait,
//! and never remove the file: two processes could then hold locks on two files of one name.

use std::fs::{File, TryLockError};
use std::io;
use std::process;

use durability_core::storage::Locking;

use super::platform;

/// Bytes of a process id in a lock file: ten decimal digits and a line feed.
const ID_BYTES: usize = 11;
/// How often a process id is read again that is no living process's: the new holder may be about to write its own.
const READS_MAX: usize = 8;

/// A lock in an [`FsDirectory`](super::FsDirectory); dropping it, or the end of the process, releases it.
#[derive(Debug)]
pub struct FsLock {
    file: File,
}

impl Drop for FsLock {
    fn drop(&mut self) {
        // Closing would do, unless a child process is being started just now and still shares the open file.
        let _closing_follows = self.file.unlock();
    }
}

/// Takes the lock on an open lock file of its own, which must be readable and writable.
pub(super) fn acquire(file: File) -> io::Result<Locking<FsLock>> {
    if planted!(LockNotTaken) {
        return Ok(Locking::Acquired(FsLock { file }));
    }
    match file.try_lock() {
        Ok(()) => {
            write_holder(&file);
            Ok(Locking::Acquired(FsLock { file }))
        }
        Err(TryLockError::WouldBlock) => Ok(Locking::Held { holder: read_holder(&file) }),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Notes who holds the lock. Failing is no reason to refuse it: on a full disk, recovery must still work.
fn write_holder(file: &File) {
    let id = format!("{:0width$}\n", process::id(), width = ID_BYTES - 1);
    // A file with anything else in it is somebody's, and not ours to write to.
    if !matches!(read_note(file), Ok(Some(_))) {
        return;
    }
    if !matches!(platform::write_at(file, id.as_bytes(), 0), Ok(ID_BYTES)) {
        // Nobody's name is better than the last holder's.
        let _nobody_or_the_last = file.set_len(0);
    }
}

/// The process id in a lock file that somebody holds, if it is a living process's.
fn read_holder(file: &File) -> Option<u32> {
    for _ in 0..READS_MAX {
        let note = read_note(file).ok()??;
        let id =
            note.strip_suffix(b"\n").and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        match id {
            Some(id) if !platform::is_gone(id) => return Some(id),
            _ => std::thread::yield_now(),
        }
    }
    None
}

/// What is in a lock file; `None` if no lock of ours could have written it, not even halfway.
fn read_note(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut note = [0; ID_BYTES + 1];
    let count = platform::read_at(file, &mut note, 0)?;
    let note = note.get(..count).unwrap_or_default();
    let ours = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'\n' | 0);
    Ok((count <= ID_BYTES && note.iter().all(ours)).then(|| note.to_vec()))
}
