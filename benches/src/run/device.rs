//! How often the disk was told to empty its cache, as Linux counts it for the whole device: for every side, peers too.
//!
//! Other programs' syncs count as well; on a machine that does nothing else there are none.

use std::fs;
use std::path::Path;

/// Where the number of flushes stands in a device's statistics (Linux, `Documentation/block/stat.rst`).
const FLUSHES: usize = 15;

/// A count to compare with a later one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flushes {
    count: Option<u64>,
}

impl Flushes {
    /// The count of the device that has the folder.
    pub(super) fn of(folder: &Path) -> Self {
        Self { count: count(folder) }
    }

    /// How many more there are now; `None` where the system does not tell.
    pub(super) fn since(self, folder: &Path) -> Option<u64> {
        count(folder)?.checked_sub(self.count?)
    }
}

#[cfg(target_os = "linux")]
fn count(folder: &Path) -> Option<u64> {
    use std::os::linux::fs::MetadataExt;
    let device = fs::metadata(folder).ok()?.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let device = Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
    // A part of a disk has no count of its own.
    let whole = if device.join("partition").exists() { device.join("..") } else { device };
    let stat = fs::read_to_string(whole.join("stat")).ok()?;
    stat.split_whitespace().nth(FLUSHES)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn count(_: &Path) -> Option<u64> {
    None
}
