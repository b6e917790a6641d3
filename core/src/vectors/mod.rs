//! Holds the code to FORMAT.md: parses the tables and the hex vectors out of that file and checks them both ways.
//!
//! Must never have a byte or an offset of its own: what is expected stands in the document.

pub(crate) mod document;
mod files;
mod frames;
mod headers;
