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

/// Raw flash: each byte is written once, nothing is renamed or opened again.
pub(super) const fn flash() -> DiskOptions {
    let once = plain().with_write_granule(16).with_program_once().with_blank(0xFF);
    once.without_rename().without_reopen().without_read_while_appending()
}

/// Writes that are lost leave what a removed segment held there, behind its header: a whole header of an older segment under a newer one's
/// name is damage (FORMAT.md, "Where a WAL ends", rule 2).
const fn recycling() -> DiskOptions {
    plain().with_stale_junk_from(64)
}

/// Every kind but the plain one, each with a name.
pub(super) const fn all() -> [(&'static str, DiskOptions); 12] {
    [
        ("flash", flash()),
        ("flash without junk", flash().without_junk()),
        ("stale junk", recycling()),
        ("torn at 16 bytes", plain().with_tear_unit(16)),
        ("torn at 64 bytes", plain().with_tear_unit(64)),
        ("no reopening", plain().without_reopen()),
        ("no renaming", plain().without_rename()),
        ("no reading of what is appended to", plain().without_read_while_appending()),
        ("granules of 4 bytes, short reads", plain().with_write_granule(4).with_read_bytes_max(7)),
        ("granules of 16 bytes", plain().with_write_granule(16).with_tear_unit(16)),
        ("blank is 0xFF", plain().with_blank(0xFF)),
        ("written behind", plain().with_write_behind()),
    ]
}

/// Files are as long as their room from the beginning.
pub(super) const fn reserving() -> [(&'static str, DiskOptions); 3] {
    [
        ("room is reserved", plain().with_reserve()),
        ("room is reserved and 0xFF", plain().with_reserve().with_blank(0xFF)),
        ("room is reserved, stale junk", recycling().with_reserve()),
    ]
}
