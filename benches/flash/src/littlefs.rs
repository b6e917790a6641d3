//! littlefs 2: files of 64 KiB, the oldest deleted when there is no room; each sync closes the file, as its safe interface does.

use core::fmt;

use littlefs2::consts::{U16, U256};
use littlefs2::driver::Storage;
use littlefs2::fs::{Allocation, FileAllocation, Filesystem};
use littlefs2::io::{Error, Result as Answer};
use littlefs2::path::PathBuf;

use crate::chip::{BLOCK_BYTES, Chip, REGION_BYTES, WORD_BYTES};
use crate::contender::{Failure, Log};

/// Bytes of payload in a file.
const FILE_BYTES: usize = 64 << 10;
const RECORD_BYTES_MAX: usize = 256;

struct Blocks(Chip);

impl Storage for Blocks {
    const READ_SIZE: usize = WORD_BYTES;
    const WRITE_SIZE: usize = WORD_BYTES;
    const BLOCK_SIZE: usize = BLOCK_BYTES;
    const BLOCK_COUNT: usize = REGION_BYTES / BLOCK_BYTES;
    const BLOCK_CYCLES: isize = 500;
    type CACHE_SIZE = U256;
    type LOOKAHEAD_SIZE = U16;

    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Answer<usize> {
        self.0.read_at(offset, bytes).map_err(|_| Error::IO)?;
        Ok(bytes.len())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Answer<usize> {
        self.0.program_at(offset, bytes).map_err(|_| Error::IO)?;
        Ok(bytes.len())
    }

    fn erase(&mut self, offset: usize, length: usize) -> Answer<usize> {
        self.0.erase_range(offset, offset + length).map_err(|_| Error::IO)?;
        Ok(length)
    }
}

/// The mounted file system. What it borrows is leaked: the run is short.
pub(crate) struct Files {
    mounted: Filesystem<'static, Blocks>,
    gathered: [u8; 16 * RECORD_BYTES_MAX],
    gathered_bytes: usize,
    record_bytes: usize,
    oldest: u32,
    newest: u32,
    newest_bytes: usize,
}

fn failed(error: Error) -> Failure {
    format!("littlefs: {error:?}").into()
}

/// Eight digits.
fn name(number: u32) -> Result<PathBuf, Failure> {
    let (mut digits, mut rest) = (*b"00000000", number);
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10)?;
        rest /= 10;
    }
    PathBuf::try_from(&digits[..]).map_err(|error| format!("{error:?}").into())
}

impl Files {
    fn open(chip: &Chip, record_bytes: usize) -> Result<Self, Failure> {
        let storage = Box::leak(Box::new(Blocks(chip.clone())));
        let allocation = Box::leak(Box::new(Allocation::new()));
        let mounted = Filesystem::mount(allocation, storage).map_err(failed)?;
        let gathered = [0; 16 * RECORD_BYTES_MAX];
        Ok(Self {
            mounted,
            gathered,
            gathered_bytes: 0,
            record_bytes,
            oldest: 0,
            newest: 0,
            newest_bytes: 0,
        })
    }

    fn write(&self) -> Result<Answer<()>, Failure> {
        let path = name(self.newest)?;
        let records = &self.gathered[..self.gathered_bytes];
        Ok(self.mounted.open_file_with_options_and_then(
            |options| options.write(true).create(true).append(true),
            &path,
            |file| file.write(records).map(|_| ()),
        ))
    }
}

impl Log for Files {
    const NAME: &'static str = "littlefs 2 (littlefs2 0.8)";

    fn format(chip: &Chip, record_bytes: usize) -> Result<Self, Failure> {
        Filesystem::format(&mut Blocks(chip.clone())).map_err(failed)?;
        Self::open(chip, record_bytes)
    }

    /// With the names of the files, to find the newest.
    fn mount(chip: &Chip, record_bytes: usize) -> Result<Self, Failure> {
        let mut files = Self::open(chip, record_bytes)?;
        let mut numbers = Vec::new();
        let root = PathBuf::try_from("/").map_err(|error| format!("{error:?}"))?;
        let listed = files.mounted.read_dir_and_then(&root, |entries| {
            for entry in entries {
                numbers.extend(entry?.file_name().as_str().parse::<u32>());
            }
            Ok(())
        });
        listed.map_err(failed)?;
        files.oldest = numbers.iter().min().copied().unwrap_or(0);
        files.newest = numbers.iter().max().copied().unwrap_or(0);
        let newest = files.mounted.metadata(&name(files.newest)?).map_err(failed)?;
        files.newest_bytes = newest.len();
        Ok(files)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        let end = self.gathered_bytes + record.len();
        self.gathered[self.gathered_bytes..end].copy_from_slice(record);
        self.gathered_bytes = end;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        if self.newest_bytes + self.gathered_bytes > FILE_BYTES {
            self.newest += 1;
            self.newest_bytes = 0;
        }
        loop {
            match self.write()? {
                Ok(()) => break,
                Err(Error::NO_SPACE) if self.oldest < self.newest => {
                    self.mounted.remove(&name(self.oldest)?).map_err(failed)?;
                    self.oldest += 1;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        self.newest_bytes += self.gathered_bytes;
        self.gathered_bytes = 0;
        Ok(())
    }

    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut buffer = [0; RECORD_BYTES_MAX];
        let record_bytes = self.record_bytes;
        for number in self.oldest..=self.newest {
            let shown = self.mounted.open_file_and_then(&name(number)?, |file| {
                while file.read(&mut buffer[..record_bytes])? > 0 {
                    each(&buffer[..record_bytes]);
                }
                Ok(())
            });
            shown.map_err(failed)?;
        }
        Ok(())
    }

    /// With what was leaked, and one open file.
    fn ram(&self) -> usize {
        size_of::<Self>() - size_of_val(&self.gathered)
            + size_of::<Allocation<Blocks>>()
            + size_of::<FileAllocation<Blocks>>()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("newest", &self.newest).finish_non_exhaustive()
    }
}
