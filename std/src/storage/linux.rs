//! What only Linux has: writes around the cache, and writes that are durable when they return.
//!
//! Must never switch more of a descriptor than whether it goes around the cache.

use std::fs::File;
use std::io::{self, IoSlice};

use rustix::fs::{AtFlags, OFlags, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};

/// The least that is written at once: a page, which is what the cache would write, and what devices with larger sectors than they tell want.
const BLOCK_BYTES_MIN: u32 = 4 << 10;

/// What addresses, offsets and lengths must be multiples of, a power of two; `None` where writes cannot go around the cache.
pub(super) fn block(file: &File) -> Option<usize> {
    let asked = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok();
    let told = asked.filter(|told| told.stx_mask & StatxFlags::DIOALIGN.bits() != 0);
    let block = match told {
        // Linux before 6.1, or a file system that does not tell: a page will do, or the first write is refused.
        None => BLOCK_BYTES_MIN,
        Some(told) if told.stx_dio_offset_align == 0 => return None,
        Some(told) => BLOCK_BYTES_MIN.max(told.stx_dio_mem_align).max(told.stx_dio_offset_align),
    };
    usize::try_from(block).ok().filter(|block| block.is_power_of_two())
}

/// Lets writes go around the cache, or through it again. Whether the system does as told: a file system may refuse.
pub(super) fn switch(file: &File, on: bool) -> io::Result<bool> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    match rustix::fs::fcntl_setfl(
        file,
        if on { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT },
    ) {
        Err(Errno::INVAL | Errno::OPNOTSUPP) if on => Ok(false),
        switched => Ok(switched.map(|()| true)?),
    }
}

/// Writes at an offset, durably, in one system call; what was written before it through the same file need not be durable after it.
pub(super) fn write_durably_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    if planted!(FsDirectUnsynced) {
        return super::platform::write_at(file, data, offset);
    }
    Ok(rustix::io::pwritev2(file, &[IoSlice::new(data)], offset, ReadWriteFlags::DSYNC)?)
}

/// Whether a write failed because the system, or the file system, does not write like that. Nothing was written then.
pub(super) fn is_refused(error: &io::Error) -> bool {
    let refused = [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS];
    Errno::from_io_error(error).is_some_and(|error| refused.contains(&error))
}
