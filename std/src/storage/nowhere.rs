//! Where there is no way around the system's cache that is known here.
//!
//! Must never say that there is one: the other functions are not called then.

use std::fs::File;
use std::io;

pub(super) fn block(_file: &File) -> Option<usize> {
    None
}

#[allow(clippy::unnecessary_wraps)] // as on Linux, where it can fail
pub(super) fn switch(_file: &File, _on: bool) -> io::Result<bool> {
    Ok(false)
}

pub(super) fn write_durably_at(_file: &File, _data: &[u8], _offset: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_refused(_error: &io::Error) -> bool {
    true
}
