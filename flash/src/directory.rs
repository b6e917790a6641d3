//! The directory over the slots of a region.
//!
//! Must never hold the region borrowed while it calls back.

use core::cell::RefCell;
use core::fmt;

use durability_core::storage::{Capabilities, Directory, Folder, Locking, Name};
use embedded_storage::nor_flash::{ErrorType, NorFlash};

use crate::erase::erase_all;
use crate::files::{FlashAppender, FlashReader, Handle};
use crate::observe::State;
use crate::options::NO_NAME;
use crate::region::{Region, Result};
use crate::{FlashError, FlashOptions};

/// A directory on a region of raw NOR flash, divided into `SLOTS` slots of erase blocks, each of which holds one file.
///
/// `&FlashDirectory` is the [`Directory`]: logs and checkpoints are opened on a reference, and there is one owner by construction.
///
/// **Durability.** What [`create`](Directory::create), [`remove`](Directory::remove) and a write return `Ok` for survives any power cut; the
/// barriers have nothing left to do. This relies on a driver whose `write` and `erase` return when the chip is done.
///
/// **Limits.** A file holds what [`Capabilities::file_bytes_max`] says, less than a slot; there are as many files as slots. No rename.
/// In memory: the driver, 16 bytes a slot, and less than 120 bytes. On the stack: less than 1 KiB, and 1.25 for mounting.
///
/// ```
/// use durability_core::walog::{WalOptions, WalWriter};
/// use durability_flash::{FlashDirectory, FlashOptions};
/// # let chip = durability_testkit::backends::NorChip::<1, 4, 4096>::new(32);
/// // chip: any `NorFlash`; 16 slots of two blocks of 4 KiB
/// let dir = FlashDirectory::<_, 16>::mount(chip, FlashOptions::new().name_bytes_max(24))?;
/// while dir.prepare()? {} // erases ahead: now, or whenever there is time
///
/// let options = WalOptions::new().buffer_bytes(256).read_bytes(256);
/// let mut wal = WalWriter::open(&dir, options)?;
/// wal.append(&(21.5_f32, "degrees"))?;
/// wal.flush_and_sync()?; // survives power loss from here on
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FlashDirectory<F: ErrorType, const SLOTS: usize> {
    pub(crate) region: RefCell<Region<F, SLOTS>>,
}

/// How a region is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Usage {
    /// Slots that hold files.
    pub files: usize,
    /// Slots that a file can be put into without an erase.
    pub ready: usize,
    /// Slots that have to be erased first.
    pub dirty: usize,
    /// How often the slot was erased that was erased the least.
    pub erases_min: u32,
    /// How often the slot was erased that was erased the most.
    pub erases_max: u32,
}

impl<F: NorFlash, const SLOTS: usize> FlashDirectory<F, SLOTS> {
    /// The directory that is on a region. Changes nothing there: a blank chip, or one that holds anything else, is a directory without
    /// files, and is erased as slots are needed.
    ///
    /// Reads some dozens of bytes of each slot.
    ///
    /// # Errors
    /// [`FlashError`] if the chip and the options make no region, if a slot was written for a region of another
    /// shape or by a newer version, or if the driver fails.
    pub fn mount(flash: F, options: FlashOptions) -> Result<Self, F> {
        let mut region = Region::new(flash, &options)?;
        region.run(Region::mount)?;
        Ok(Self { region: RefCell::new(region) })
    }

    /// Erases the region, whatever it holds, and makes every slot ready.
    ///
    /// **Durability.** A power cut leaves some of the slots erased.
    ///
    /// # Errors
    /// As [`mount`](Self::mount), but for what slots hold.
    pub fn format(flash: F, options: FlashOptions) -> Result<Self, F> {
        let mut region = Region::new(flash, &options)?;
        region.run(|region| {
            erase_all(region)?;
            while region.make_ready()?.is_some() {}
            Ok(())
        })?;
        Ok(Self { region: RefCell::new(region) })
    }

    /// Makes one slot ready for a file, by erasing it; `false` if there was none to be made ready.
    ///
    /// As long as a slot is ready, neither a new file nor anything else that a log does waits for an erase.
    ///
    /// **Durability.** A power cut leaves the slot ready, or to be erased again.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn prepare(&self) -> Result<bool, F> {
        Ok(self.region.borrow_mut().run(Region::make_ready)?.is_some())
    }

    /// As [`prepare`](Self::prepare), but returns after at most one erase of one block; `false` once there is nothing left to do.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn prepare_step(&self) -> Result<bool, F> {
        Ok(self.region.borrow_mut().run(Region::erase_step)?.is_some())
    }

    /// How the region is used.
    pub fn usage(&self) -> Usage {
        let region = self.region.borrow();
        let count = |wanted: fn(State) -> bool| {
            region.table.iter().filter(|slot| wanted(slot.state)).count()
        };
        let erases = || region.table.iter().map(|slot| slot.erases);
        Usage {
            files: count(|state| state == State::File),
            ready: count(|state| state == State::Ready),
            dirty: count(|state| matches!(state, State::Begun | State::Dirty)),
            erases_min: erases().min().unwrap_or(0),
            erases_max: erases().max().unwrap_or(0),
        }
    }

    /// Lends the driver: for its figures, or to let the chip sleep. Whatever programs or erases within the region breaks every promise.
    pub fn with_flash<T>(&self, action: impl FnOnce(&mut F) -> T) -> T {
        action(&mut self.region.borrow_mut().flash)
    }

    /// Gives the driver back.
    pub fn into_flash(self) -> F {
        self.region.into_inner().flash
    }
}

impl<F: NorFlash, const SLOTS: usize> FlashDirectory<F, SLOTS> {
    fn handle(&self, name: Name<'_>) -> Result<Option<Handle<'_, F, SLOTS>>, F> {
        let slot = self.region.borrow_mut().run(|region| region.find(name.as_str()))?;
        Ok(slot.map(|slot| Handle::new(self, slot)))
    }
}

impl<'a, F, const SLOTS: usize> Directory for &'a FlashDirectory<F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    type Error = FlashError<F::Error>;
    type Reader = FlashReader<'a, F, SLOTS>;
    type Appender = FlashAppender<'a, F, SLOTS>;
    type Lock = ();

    fn capabilities(&self) -> Capabilities {
        let region = self.region.borrow();
        let bytes = u64::from(region.layout.data_bytes());
        let told = Capabilities::new()
            .with_write_granule(region.layout.granule.into())
            // A torn granule keeps any of its bits.
            .with_tear_unit(1)
            .with_segment_bytes(bytes)
            .with_file_bytes_max(bytes)
            .with_read_while_appending();
        if region.reopens() { told.with_reopen() } else { told }
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, F> {
        Ok(self.handle(name)?.map(FlashReader::new))
    }

    fn create(&self, name: Name<'_>, _reserve: u64) -> Result<Option<Self::Appender>, F> {
        let slot = {
            let mut region = self.region.borrow_mut();
            region.run(|region| match region.find(name.as_str())? {
                Some(_) => Ok(None),
                None => region.create(name.as_str()).map(Some),
            })?
        };
        Ok(slot.map(|slot| FlashAppender::new(Handle::new(self, slot), 0)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, F> {
        let Some(handle) = self.handle(name)? else { return Ok(None) };
        handle.check_blank(at)?;
        Ok(Some(FlashAppender::new(handle, at)))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), F> {
        let mut region = self.region.borrow_mut();
        region.run(|region| match region.find(name.as_str())? {
            Some(slot) => region.remove(slot),
            None => Ok(()),
        })
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), F> {
        for slot in 0..SLOTS {
            let mut buffer = NO_NAME;
            let name = {
                let mut region = self.region.borrow_mut();
                let file = region.table.get(slot).is_some_and(|slot| slot.state == State::File);
                if file { region.run(|region| region.name(slot, &mut buffer))? } else { None }
            };
            let text = name.and_then(|name| core::str::from_utf8(name).ok());
            let name = text.and_then(|text| Name::new(text).ok());
            if let Some(file) = name.and_then(|name| folder.holds(name)) {
                each(file);
            }
        }
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), F> {
        // Programming was durable when it returned.
        self.handle(name)?.map(|_| ()).ok_or(FlashError::NotFound)
    }

    fn sync_dir(&self, _folder: Folder<'_>) -> Result<(), F> {
        Ok(())
    }

    fn lock(&self, _name: Name<'_>) -> Result<Locking<()>, F> {
        Ok(Locking::Acquired(()))
    }

    fn nonce(&self) -> u64 {
        self.region.borrow_mut().nonce()
    }
}

impl<F: ErrorType, const SLOTS: usize> fmt::Debug for FlashDirectory<F, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashDirectory").field("slots", &SLOTS).finish_non_exhaustive()
    }
}
