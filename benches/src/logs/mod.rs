//! The logs that are always there: the library's, and the baselines.

mod framed;
mod group;
mod library;
mod mutexed;
mod pwrite;
mod stream;
mod streamed;

pub use framed::Framed;
pub use group::Group;
pub use library::Library;
pub use mutexed::Mutexed;
pub use pwrite::{Pwrite, ZEROS_PIECE_BYTES};
pub use stream::Stream;
pub use streamed::Streamed;
