//! The kinds of disks that workloads run on.
//!
//! Must never be kinder than a disk that somebody has.

use crate::simulated::{DiskOptions, SurvivorLimits};

/// How many combinations to try.
pub(super) const fn survivors(exhaustive_max: usize, samples: usize) -> SurvivorLimits {
    SurvivorLimits::new().with_exhaustive_max(exhaustive_max).with_samples(samples)
}

/// Everything that is optional, and units so small that frames are torn.
pub(super) const fn plain() -> DiskOptions {
    DiskOptions::new().with_tear_unit(32)
}

/// Files are as long as their room from the beginning.
pub(super) const fn reserving() -> DiskOptions {
    plain().with_reserve()
}

/// Raw flash: each byte is written once, nothing is renamed or opened again.
pub(super) const fn flash() -> DiskOptions {
    let once = plain().with_write_granule(16).with_program_once().with_blank(0xFF);
    once.without_rename().without_reopen().without_read_while_appending()
}

/// Writes that are lost leave what a removed segment held there, behind its header: a whole header of an older segment under a newer one's
/// name is damage (FORMAT.md, "Where a WAL ends", rule 2).
pub(super) const fn recycling() -> DiskOptions {
    plain().with_stale_junk_from(64)
}

/// Plain disks but for one thing each.
pub(super) const fn others() -> [DiskOptions; 9] {
    [
        plain().with_tear_unit(16),
        DiskOptions::new().with_tear_unit(64),
        plain().without_reopen(),
        plain().without_rename(),
        plain().without_read_while_appending(),
        plain().with_write_granule(4).with_read_bytes_max(7),
        plain().with_write_granule(16).with_tear_unit(16),
        plain().with_blank(0xFF),
        plain().with_write_behind(),
    ]
}
