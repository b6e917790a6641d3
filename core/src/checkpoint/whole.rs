//! A whole value to and from one file.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::storage::{Directory, Name};

use super::options::CheckpointOptions;
use super::reader::CheckpointReader;
use super::writer::CheckpointWriter;
use super::{CheckpointMeta, CheckpointSummary};

/// Writes a value as a checkpoint in a new file, and makes it durable.
///
/// **Durability.** As [`CheckpointWriter::finish`].
///
/// # Errors
/// [`Error::Exists`] if there is a file of that name; as [`CheckpointWriter::create`], [`put`](CheckpointWriter::put) and
/// [`finish`](CheckpointWriter::finish) besides.
pub fn write_checkpoint<T, D>(
    dir: D,
    path: Name<'_>,
    meta: CheckpointMeta,
    options: CheckpointOptions,
    state: &T,
) -> Result<CheckpointSummary, Error<D::Error>>
where
    T: Serialize + ?Sized,
    D: Directory,
{
    let mut writer = CheckpointWriter::create(dir, path, meta, options)?;
    writer.put(state)?;
    writer.finish()
}

/// Writes a value as a checkpoint in place of the one at `path`, and makes it durable.
///
/// **Durability.** As [`CheckpointWriter::replace`]: after any crash the old one or the new one, whole.
///
/// # Errors
/// As [`CheckpointWriter::replace`], [`put`](CheckpointWriter::put) and [`finish`](CheckpointWriter::finish).
///
/// ```
/// use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, read_checkpoint, replace_checkpoint};
/// use durability_core::storage::{MemoryDirectory, Name};
/// let (dir, path) = (MemoryDirectory::new(), Name::new("STATE.CKP")?);
/// let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
/// for state in [1_u64, 2, 3] {
///     let _ = replace_checkpoint(&dir, path, meta, options, &state)?;
/// }
/// assert_eq!(read_checkpoint::<u64, _>(&dir, path, options)?.1, 3);
/// assert_eq!(dir.names(), ["STATE.CKP"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace_checkpoint<T, D>(
    dir: D,
    path: Name<'_>,
    meta: CheckpointMeta,
    options: CheckpointOptions,
    state: &T,
) -> Result<CheckpointSummary, Error<D::Error>>
where
    T: Serialize + ?Sized,
    D: Directory,
{
    let mut writer = CheckpointWriter::replace(dir, path, meta, options)?;
    writer.put(state)?;
    writer.finish()
}

/// Reads a checkpoint as one value; nothing is returned before the whole file has been verified.
///
/// # Errors
/// [`Error::Decode`] if it is not of this type or holds more than one value; as [`CheckpointReader::open`],
/// [`take`](CheckpointReader::take) and [`finish`](CheckpointReader::finish) besides.
pub fn read_checkpoint<T, D>(
    dir: D,
    path: Name<'_>,
    options: CheckpointOptions,
) -> Result<(CheckpointMeta, T), Error<D::Error>>
where
    T: DeserializeOwned,
    D: Directory,
{
    let mut reader = CheckpointReader::open(dir, path, options)?;
    match reader.take() {
        Ok(state) => Ok((reader.finish()?.meta(), state)),
        // That a file is not whole says more than that its bytes make no sense.
        Err(error @ Error::Decode { .. }) => reader.verify().and(Err(error)),
        Err(error) => Err(error),
    }
}
