//! Commits that end where a sector ends, for devices that may damage a sector while it is written over.
//!
//! Must never let a write begin inside of a sector that holds what was acknowledged.

use crate::bytes::control::{Control, PAD};
use crate::error::Error;
use crate::storage::Directory;

use super::hooks::Hooks;
use super::options::PAD_BYTES_MAX;
use super::raw_writer::RawWalWriter;

/// The payload of the longest pad: what is left of a unit may be too short for a frame, so that it takes the next one, too.
static PAYLOAD: [u8; PAD_BYTES_MAX as usize + 512] = {
    let mut payload = [0; PAD_BYTES_MAX as usize + 512];
    payload[0] = PAD;
    payload
};

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// Fills what is about to be synced up to the end of a unit.
    pub(super) fn pad_commit(&mut self) -> Result<(), Error<D::Error>> {
        let unit = u64::from(self.settings.commit_alignment);
        let rest = self.past_unit(self.tail.offset());
        if rest == 0 {
            return Ok(());
        }
        let mut frame_bytes = unit.saturating_sub(rest);
        if frame_bytes < self.frame_bytes(1) {
            frame_bytes = frame_bytes.saturating_add(unit);
        }
        if !self.fits_file(frame_bytes) {
            // The next segment begins with the next entry, whose file is another.
            return Ok(());
        }
        let frame_bytes = usize::try_from(frame_bytes).unwrap_or(0);
        let payload_bytes = frame_bytes.saturating_sub(self.codec().header_bytes());
        self.append_control_payload(PAYLOAD.get(..payload_bytes).unwrap_or_default())
    }

    /// Whether appending at the tail's end writes to no sector that holds an entry.
    pub(super) fn ends_with_a_unit(&self) -> bool {
        // Where the log goes on in front of the close frame, it is not counted yet.
        let behind_close = self.tail.closed() && !self.tail.close_again();
        let close_bytes = self.frame_bytes(Control::Close.encode().1 as u64);
        let close = if behind_close { close_bytes } else { 0 };
        self.past_unit(self.tail.offset().saturating_sub(close)) == 0
    }

    /// How far a place is behind the beginning of its unit.
    fn past_unit(&self, offset: u64) -> u64 {
        // A unit below the frames' alignment is none: they fill it anyway.
        let unit = u64::from(self.settings.commit_alignment.max(self.settings.alignment));
        offset & unit.wrapping_sub(1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use crate::ReadMode;
    use crate::storage::{MemoryDirectory, Name};
    use crate::walog::{RawWalReader, RawWalWriter, Staged, StagedWriter, WalOptions};

    fn bytes(dir: &MemoryDirectory, number: u32) -> Vec<u8> {
        let name = alloc::format!("wal/{number:08X}.WAL");
        dir.contents(Name::new(&name).unwrap()).unwrap_or_default()
    }

    fn entries(dir: &MemoryDirectory, options: &WalOptions) -> Vec<Vec<u8>> {
        let mut reader = RawWalReader::open(dir.clone(), options.clone()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        let mut all = Vec::new();
        while let Some(entry) = entries.next().unwrap() {
            all.push(entry.payload.to_vec());
        }
        all
    }

    /// What is in the file at a sync, sector by sector, is in it ever after.
    #[test]
    fn no_write_touches_a_sector_that_a_sync_has_covered() {
        for (unit, alignment) in [(512, 4), (4096, 4), (512, 16), (512, 256), (64, 4)] {
            let options = WalOptions::new().commit_alignment(unit).alignment(alignment);
            let dir = MemoryDirectory::new();
            let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
            let mut expected = Vec::new();
            for length in (0..1200).step_by(37) {
                let record = vec![7; length];
                let _id = wal.append(&record).unwrap();
                expected.push(record);
                let _durable = wal.flush_and_sync().unwrap();
                let end = bytes(&dir, wal.tail_segment()).len();
                assert_eq!(end % unit as usize, 0, "unit {unit}, alignment {alignment}");
            }
            wal.close().unwrap();
            assert_eq!(entries(&dir, &options), expected);
        }
    }

    #[test]
    fn a_commit_that_runs_elsewhere_ends_with_a_sector_too() {
        let options = WalOptions::new().commit_alignment(512).mark_after_sync(false);
        let dir = MemoryDirectory::new();
        let wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        let mut wal = StagedWriter::new(wal).unwrap();
        for length in (0..1200).step_by(37) {
            assert!(matches!(wal.stage(&vec![7; length]).unwrap(), Staged::Done(_)));
            let mut commit = wal.begin(true).unwrap().unwrap();
            assert!(matches!(wal.stage(b"meanwhile").unwrap(), Staged::Done(_)));
            commit.run(&dir).unwrap();
            let _durable = wal.end(commit).unwrap();
            assert_eq!(bytes(&dir, 1).len() % 512, 0);
        }
        assert_eq!(entries(&dir, &options).len(), 2 * 33 - 1);
    }

    #[test]
    fn a_log_goes_on_in_place_only_where_no_entry_shares_the_sector() {
        let (plain, padded) = (WalOptions::new(), WalOptions::new().commit_alignment(512));
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), plain).unwrap();
        let _id = wal.append(b"somewhere in a sector").unwrap();
        wal.close().unwrap();
        for (segment, record) in [(2, "a new segment"), (2, "the same again")] {
            let mut wal = RawWalWriter::open(dir.clone(), padded.clone()).unwrap();
            let _id = wal.append(record.as_bytes()).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
            assert_eq!(wal.tail_segment(), segment);
            wal.close().unwrap();
        }
        assert_eq!(entries(&dir, &padded).len(), 3);
    }
}
