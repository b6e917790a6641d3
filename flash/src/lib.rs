#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod plant;

mod directory;
mod erase;
mod error;
mod files;
mod layout;
mod observe;
mod options;
mod record;
mod region;
#[cfg(feature = "async")]
mod waiting;

pub use directory::{FlashDirectory, Usage};
pub use embedded_storage;
pub use error::FlashError;
pub use files::{FlashAppender, FlashReader};
pub use options::FlashOptions;
pub use record::Shape;
#[cfg(feature = "async")]
pub use waiting::{
    AsyncError, AsyncFlashDirectory, AsyncWalReader, AsyncWalWriter, DeferredError, Doubt,
    FlashOperation, InPlace,
};
