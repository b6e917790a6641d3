//! Laws on what a backend announces, and on the error that says "I do not have this".
//!
//! Must never judge whether an announced operation works: its own law does.

use durability_core::embedded_io::{Error as _, ErrorKind};
use durability_core::storage::{Directory, StoreError as _};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};

/// The write granule is a power of two from 1 to 256, the tear unit is not zero, and the sizes hold at least one granule, are
/// whole granules, and do not contradict each other.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn capabilities_are_sane<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("capabilities_are_sane", dir);
    let told = dir.capabilities();
    let granule = told.write_granule();
    let sane = granule.is_power_of_two() && granule <= 256;
    ground.holds("the write granule", sane, "a power of two from 1 to 256", granule)?;
    let tear = told.tear_unit();
    ground.holds("the tear unit", tear > 0, "at least one byte", tear)?;
    let max = told.file_bytes_max();
    let sane = max >= u64::from(granule);
    ground.holds("the largest file", sane, "room for at least one granule", max)?;
    if let Some(segment) = told.segment_bytes() {
        let whole = segment > 0 && segment.is_multiple_of(u64::from(granule));
        ground.holds("the segment size", whole, "whole granules, at least one", segment)?;
        let fits = segment <= max;
        ground.holds("the segment size", fits, "at most the largest file", segment)?;
    }
    Ok(Kept::Tested)
}

/// The capabilities do not change while the directory is in use.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn capabilities_do_not_change<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("capabilities_do_not_change", dir);
    let first = dir.capabilities();
    let file = name("wal/00000001.WAL");
    let mut appender = ground.create(file, 0)?;
    let found = dir.capabilities();
    let step = "asking again beside an open file";
    ground.holds(step, found == first, format!("{first:?}"), found)?;
    ground.write(&mut appender, &ground.bytes(1, 64))?;
    ground.finish(appender)?;
    ground.works("removing", dir.remove(file))?;
    let found = dir.capabilities();
    ground.holds("asking again after use", found == first, format!("{first:?}"), found)?;
    Ok(Kept::Tested)
}

/// [`StoreError::unsupported`](durability_core::storage::StoreError::unsupported) is of kind `Unsupported`, says so of
/// itself, and is no full medium.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn unsupported_says_so<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("unsupported_says_so", dir);
    let error = D::Error::unsupported();
    let kind = error.kind();
    let step = "the kind of the unsupported error";
    ground.holds(step, kind == ErrorKind::Unsupported, "Unsupported", kind)?;
    let told = error.is_unsupported();
    ground.holds("is_unsupported() of it", told, "true", told)?;
    let full = error.is_no_space();
    ground.holds("is_no_space() of it", !full, "false", full)?;
    Ok(Kept::Tested)
}
