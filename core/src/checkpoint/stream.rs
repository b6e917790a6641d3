//! Checkpoints as `embedded_io` streams.

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use crate::error::Error;
use crate::storage::{Directory, StoreError};

use super::reader::CheckpointReader;
use super::writer::CheckpointWriter;

impl<E: StoreError> embedded_io::Error for Error<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store { source, .. } => source.kind(),
            Self::NoProgress { .. } => ErrorKind::WriteZero,
            Self::Corrupt(_) | Self::TornTail { .. } | Self::Unfinished { .. } => {
                ErrorKind::InvalidData
            }
            Self::Decode { .. } => ErrorKind::InvalidData,
            Self::Newer { .. } | Self::NewerFrame { .. } => ErrorKind::Unsupported,
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Name(_) | Self::BadOption { .. } | Self::Encode { .. } => ErrorKind::InvalidInput,
            _ => ErrorKind::Other,
        }
    }
}

impl<D: Directory> ErrorType for CheckpointWriter<D> {
    type Error = Error<D::Error>;
}

impl<D: Directory> Write for CheckpointWriter<D> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: a checkpoint does not count before it is [finished](CheckpointWriter::finish).
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.check()
    }
}

impl<D: Directory> ErrorType for CheckpointReader<D> {
    type Error = Error<D::Error>;
}

impl<D: Directory> Read for CheckpointReader<D> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        Self::read(self, buffer)
    }
}
