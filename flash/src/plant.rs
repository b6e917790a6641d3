//! The flash directory's end of the core's planted bugs: see `core/src/planted.rs`.
//!
//! Must never be more than the constant `false` in a build that anybody relies on.

/// Whether a bug is planted here.
#[cfg(not(durability_mutants))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Whether a bug is planted here.
#[cfg(durability_mutants)]
macro_rules! planted {
    ($bug:ident) => {
        durability_core::planted::is_planted(durability_core::planted::Bug::$bug)
    };
}
