//! A NOR flash chip whose driver has to be awaited, and whose futures can be dropped.
//!
//! Must never do anything that the chip would not do, nor finish what was dropped unless it is told that the chip would.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash as SyncNorFlash, ReadNorFlash as SyncReadNorFlash,
};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use super::{NorChip, NorError, Tearing};

/// What an operation leaves whose future was dropped before it was done, or in which the driver failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing: the chip was not yet told.
    Nothing,
    /// All of it: the chip goes on by itself.
    All,
    /// What a power cut leaves in the middle of it.
    Half(Tearing),
}

/// A [`NorChip`] behind the driver traits of `embedded-storage-async`. A clone is another handle on the same chip.
///
/// Each operation is pending for so many polls before it is done.
///
/// ```
/// use durability_testkit::backends::{AsyncNorChip, Leaves, NorChip};
/// use durability_testkit::executor::{block_on, poll_at_most};
/// use embedded_storage_async::nor_flash::NorFlash as _;
///
/// let mut driver = AsyncNorChip::<1, 4, 4096>::new(NorChip::new(2));
/// driver.pending(2);
/// block_on(driver.write(0, &[7; 8]))?;
/// driver.leaves(Leaves::Nothing);
/// assert!(poll_at_most(driver.write(8, &[7; 8]), &mut 2).is_none(), "dropped while it was pending");
/// assert_eq!(driver.with(|chip| chip.bytes()[..12].to_vec()), [[7; 8].as_slice(), &[0xFF; 4]].concat());
/// # Ok::<(), durability_testkit::backends::NorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AsyncNorChip<const READ: usize, const WRITE: usize, const ERASE: usize> {
    shared: Rc<RefCell<Shared<READ, WRITE, ERASE>>>,
}

#[derive(Debug)]
struct Shared<const READ: usize, const WRITE: usize, const ERASE: usize> {
    chip: NorChip<READ, WRITE, ERASE>,
    pending: u32,
    leaves: Leaves,
    /// Operations until the driver fails.
    fails_in: Option<u64>,
    /// It says that all went well then.
    lies: bool,
    /// Operations begun.
    begun: u64,
    /// Programs and erases that are pending.
    in_flight: u32,
    /// Programs and erases that were dropped.
    dropped: u64,
}

/// What is asked of a chip.
enum Work<'a> {
    Read(u32, &'a mut [u8]),
    Program(u32, &'a [u8]),
    Erase(u32, u32),
}

impl Work<'_> {
    const fn changes(&self) -> bool {
        !matches!(self, Self::Read(..))
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> AsyncNorChip<READ, WRITE, ERASE> {
    /// A driver whose operations are pending once.
    pub fn new(chip: NorChip<READ, WRITE, ERASE>) -> Self {
        let shared = Shared {
            chip,
            pending: 1,
            leaves: Leaves::Nothing,
            fails_in: None,
            lies: false,
            begun: 0,
            in_flight: 0,
            dropped: 0,
        };
        Self { shared: Rc::new(RefCell::new(shared)) }
    }

    /// From now on, operations are pending so many times.
    pub fn pending(&self, times: u32) {
        self.shared.borrow_mut().pending = times;
    }

    /// What dropped and failed operations leave from now on.
    pub fn leaves(&self, leaves: Leaves) {
        self.shared.borrow_mut().leaves = leaves;
    }

    /// The `nth` operation from now on fails; 1 is the next one.
    pub fn fail_at(&self, nth: u64) {
        let mut shared = self.shared.borrow_mut();
        (shared.fails_in, shared.lies) = (Some(nth), false);
    }

    /// The `nth` operation from now on fails, and the driver does not say so, as worn out flash may do.
    pub fn lie_at(&self, nth: u64) {
        let mut shared = self.shared.borrow_mut();
        (shared.fails_in, shared.lies) = (Some(nth), true);
    }

    /// Operations begun so far, reads included.
    pub fn begun(&self) -> u64 {
        self.shared.borrow().begun
    }

    /// Programs and erases that were dropped before they were done.
    pub fn dropped(&self) -> u64 {
        self.shared.borrow().dropped
    }

    /// Whether a program or an erase is pending.
    pub fn is_at_work(&self) -> bool {
        self.shared.borrow().in_flight > 0
    }

    /// Lends the chip.
    pub fn with<T>(&self, action: impl FnOnce(&mut NorChip<READ, WRITE, ERASE>) -> T) -> T {
        action(&mut self.shared.borrow_mut().chip)
    }

    async fn work(&self, work: Work<'_>) -> Result<(), NorError> {
        let mut flight = Flight::new(self, work);
        let mut pending = self.shared.borrow().pending;
        poll_fn(|context| {
            if pending == 0 {
                return Poll::Ready(());
            }
            pending -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        flight.land()
    }
}

/// An operation that was begun and is not yet done.
struct Flight<'a, const READ: usize, const WRITE: usize, const ERASE: usize> {
    driver: &'a AsyncNorChip<READ, WRITE, ERASE>,
    work: Option<Work<'a>>,
}

impl<'a, const READ: usize, const WRITE: usize, const ERASE: usize> Flight<'a, READ, WRITE, ERASE> {
    fn new(driver: &'a AsyncNorChip<READ, WRITE, ERASE>, work: Work<'a>) -> Self {
        let mut shared = driver.shared.borrow_mut();
        shared.begun += 1;
        shared.in_flight += u32::from(work.changes());
        Self { driver, work: Some(work) }
    }

    fn land(&mut self) -> Result<(), NorError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let mut shared = self.driver.shared.borrow_mut();
        shared.in_flight -= u32::from(work.changes());
        let fails_in = shared.fails_in.take();
        if fails_in.is_some_and(|fails_in| fails_in <= 1) {
            leave(&mut shared, work);
            return if shared.lies { Ok(()) } else { Err(NorError::Failed) };
        }
        shared.fails_in = fails_in.map(|fails_in| fails_in - 1);
        act(&mut shared.chip, work)
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> Drop
    for Flight<'_, READ, WRITE, ERASE>
{
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let mut shared = self.driver.shared.borrow_mut();
        shared.in_flight -= u32::from(work.changes());
        shared.dropped += u64::from(work.changes());
        leave(&mut shared, work);
    }
}

fn act<const READ: usize, const WRITE: usize, const ERASE: usize>(
    chip: &mut NorChip<READ, WRITE, ERASE>,
    work: Work<'_>,
) -> Result<(), NorError> {
    match work {
        Work::Read(offset, buffer) => chip.read(offset, buffer),
        Work::Program(offset, bytes) => chip.write(offset, bytes),
        Work::Erase(from, to) => chip.erase(from, to),
    }
}

/// What the chip makes of an operation that nobody waits for any more.
fn leave<const READ: usize, const WRITE: usize, const ERASE: usize>(
    shared: &mut Shared<READ, WRITE, ERASE>,
    work: Work<'_>,
) {
    match shared.leaves {
        Leaves::Nothing => {}
        // Nobody is told how it went.
        Leaves::All => {
            let _ = act(&mut shared.chip, work);
        }
        Leaves::Half(tearing) => {
            let operations = match &work {
                Work::Program(_, bytes) => bytes.len() / WRITE,
                _ => 1,
            };
            shared.chip.cut_power_at(operations.div_ceil(2) as u64, tearing);
            let _ = act(&mut shared.chip, work);
            shared.chip.power_on();
        }
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for AsyncNorChip<READ, WRITE, ERASE>
{
    type Error = NorError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for AsyncNorChip<READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    async fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), NorError> {
        self.work(Work::Read(offset, buffer)).await
    }

    fn capacity(&self) -> usize {
        self.with(|chip| chip.capacity())
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for AsyncNorChip<READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.work(Work::Erase(from, to)).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.work(Work::Program(offset, bytes)).await
    }
}
