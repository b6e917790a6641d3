//! Floor 2: one file. Buffered frames out, verified frames in, and the search behind a bad one.

pub(crate) mod frames;
pub(crate) mod search;
pub(crate) mod sink;
pub(crate) mod window;
