//! Laws that a workload checks itself, while it runs.
//!
//! Must never be weaker after a fault: what is broken here is broken in any life.

use core::error::Error as StdError;

use crate::simulated::Violation;

/// Whatever went wrong.
pub(super) type Failed = Box<dyn StdError>;

/// The law, if it does not hold.
pub(super) fn hold(
    holds: bool,
    law: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { law, detail: detail() }) }
}
