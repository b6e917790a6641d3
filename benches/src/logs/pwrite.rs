//! B3: one `pwrite` and one `fdatasync` into a file of written zeros. The physical limit of durable appends.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use super::{Framed, Group};
use crate::metered::fill_with_zeros;
use crate::{Failure, Log, Meter, Plan};

/// Zeros are written in pieces of that many bytes: of those tried, what makes later commits the fastest.
pub const ZEROS_PIECE_BYTES: usize = 8 << 10;

/// A file of zeros that is written over.
#[derive(Debug)]
pub struct Pwrite {
    file: File,
    at: u64,
    frames: Framed,
    meter: Meter,
}

impl Pwrite {
    /// The file, where it is to go on, and the meter.
    pub(super) fn into_parts(self) -> (File, u64, Meter) {
        (self.file, self.at, self.meter)
    }
}

impl Log for Pwrite {
    type Committer = Group;

    const NAME: &'static str = "B3";
    const HOW: &'static str = "`pwrite` and `fdatasync` into one file of written zeros, frames as long as the library's; no segments, no reader";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        fs::create_dir_all(plan.folder)?;
        let path = plan.folder.join("log");
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let frame_bytes = Framed::frame_bytes(plan.records.bytes()) as u64;
        fill_with_zeros(&file, frame_bytes * plan.count as u64, ZEROS_PIECE_BYTES)?;
        File::open(plan.folder)?.sync_all()?;
        Ok(Self { file, at: 0, frames: Framed::default(), meter: plan.meter.clone() })
    }

    fn reopen(_: &Plan<'_>) -> Result<Self, Failure> {
        Err("B3 has no end that a reader could find".into())
    }

    #[inline]
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.frames.push(record);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let bytes = self.frames.bytes();
        self.file.write_all_at(bytes, self.at)?;
        self.meter.wrote(bytes.len());
        self.at += bytes.len() as u64;
        self.frames.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.flush()?;
        self.file.sync_data()?;
        self.meter.synced();
        Ok(())
    }

    fn close(mut self) -> Result<(), Failure> {
        self.sync()
    }

    fn replay(_: &Plan<'_>, _: impl FnMut(&[u8])) -> Result<u64, Failure> {
        Err("B3 has no reader".into())
    }

    /// B7.
    fn share(self) -> Group {
        Group::new(self)
    }
}
