//! What the front for awaited flash promises beside what the log does: the same bytes in the same order, power cuts, dropped futures, failing drivers, counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_core::walog::{FixedWalReader, FixedWalWriter, WalOptions};
use durability_core::{EntryId, ReadMode};
use durability_flash::embedded_storage::nor_flash::{ErrorType, NorFlash as SyncNorFlash};
use durability_flash::{
    AsyncError, AsyncFlashDirectory, AsyncWalReader, AsyncWalWriter, FlashDirectory,
    FlashOperation, FlashOptions,
};
use durability_testkit::backends::{AsyncNorChip, Leaves, NorChip, NorError, Tearing};
use durability_testkit::executor::{block_on, poll_at_most};
use durability_testkit::flash::{AsyncLogProgram, Campaign, Outside, Script, explore};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

const SLOTS: usize = 8;
const BUFFER: usize = 256;

type Driver<const WRITE: usize, const ERASE: usize> = AsyncNorChip<1, WRITE, ERASE>;
type Dir<'m, const WRITE: usize, const ERASE: usize> =
    AsyncFlashDirectory<'m, Driver<WRITE, ERASE>, SLOTS>;
type Wal<'d, 'm, 'b, const WRITE: usize, const ERASE: usize> =
    AsyncWalWriter<'d, 'm, 'b, Driver<WRITE, ERASE>, SLOTS>;
type Failed = AsyncError<NorError>;
/// As in the documents.
type Sixteen<'m> = AsyncFlashDirectory<'m, Driver<4, 4096>, 16>;

fn flash() -> FlashOptions {
    FlashOptions::new().name_bytes_max(24)
}

fn wal() -> WalOptions {
    WalOptions::new().compact_frames(true)
}

/// The record of a number.
fn record(number: usize, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (number * 31 + at * 7).to_le_bytes()[0]).collect()
}

/// Records that a step appends, and how long they are.
fn records(step: char) -> &'static [usize] {
    match step {
        'a' => &[20],
        'A' => &[90],
        'z' => &[0],
        'b' => &[30, 9, 41],
        _ => &[],
    }
}

const SCRIPT: &str = "aasAAAsbsAAAfaesAAAAAsrpeeAAsAAAAbAAscaAsAAAAApsAAAAAAAAsaA";

/// All that can be left of an operation that was dropped, or failed.
fn leaves() -> impl Iterator<Item = Leaves> {
    [Leaves::Nothing, Leaves::All].into_iter().chain(Tearing::ALL.map(Leaves::Half))
}

/// Memory to lend.
struct Memory {
    queue: Vec<u8>,
    ahead: Vec<u8>,
    buffer: Vec<u8>,
}

impl Memory {
    fn enough<const WRITE: usize, const ERASE: usize>() -> Self {
        let queue = Dir::<'_, WRITE, ERASE>::queue_bytes(&flash(), BUFFER);
        let ahead = Dir::<'_, WRITE, ERASE>::ahead_bytes(&flash(), BUFFER);
        // Each record of a batch takes a granule at least.
        Self { queue: vec![0; queue + 3 * WRITE], ahead: vec![0; ahead], buffer: vec![0; BUFFER] }
    }
}

fn sync_steps<const WRITE: usize, const ERASE: usize>(
    chip: &mut NorChip<1, WRITE, ERASE>,
    script: &str,
    mut states: impl FnMut(&[u8]),
) {
    let (mut buffer, mut count) = ([0; BUFFER], 0);
    for life in script.split('c') {
        let dir = FlashDirectory::<_, SLOTS>::mount(&mut *chip, flash()).unwrap();
        let mut log = FixedWalWriter::open(&dir, wal(), &mut buffer).unwrap();
        for step in life.chars() {
            match step {
                's' => drop(log.flush_and_sync().unwrap()),
                'f' => log.flush().unwrap(),
                'p' => log.truncate_prefix(log.next_entry_id()).unwrap(),
                'e' => drop(dir.prepare_step().unwrap()),
                'r' => {}
                _ => {
                    let batch: Vec<_> = (count..)
                        .zip(records(step))
                        .map(|(number, bytes)| record(number, *bytes))
                        .collect();
                    count += batch.len();
                    let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                    let _ids = log.append_batch(&batch).unwrap();
                }
            }
            if matches!(step, 's' | 'f' | 'p' | 'e') {
                dir.with_flash(|chip| states(chip.bytes()));
            }
        }
        log.close().unwrap();
        dir.with_flash(|chip| states(chip.bytes()));
    }
}

/// How a step came out.
enum Ended {
    Done,
    /// The future was dropped.
    Dropped,
    Failed(Failed),
}

/// A script as it is run, and what the outside world knows.
struct Story<const WRITE: usize, const ERASE: usize> {
    driver: Driver<WRITE, ERASE>,
    /// Records appended, from id 1.
    issued: Vec<Vec<u8>>,
    acknowledged: usize,
    /// Polls until a future is dropped, and from then on until another one is.
    polls: u64,
    polls_then: u64,
    trouble: u64,
    /// Those in which the chip was at work.
    doubts: u64,
}

impl<const WRITE: usize, const ERASE: usize> Story<WRITE, ERASE> {
    fn new(chip: NorChip<1, WRITE, ERASE>) -> Self {
        let driver = Driver::new(chip);
        let (issued, polls, polls_then) = (Vec::new(), u64::MAX, u64::MAX);
        Self { driver, issued, acknowledged: 0, polls, polls_then, trouble: 0, doubts: 0 }
    }

    /// Polls a future as often as there are polls left.
    fn poll<T>(&mut self, future: impl Future<Output = Result<T, Failed>>) -> Result<T, Ended> {
        let ended = poll_at_most(future, &mut self.polls);
        if ended.is_none() {
            self.polls = core::mem::replace(&mut self.polls_then, u64::MAX);
        }
        match ended {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(Ended::Failed(error)),
            None => Err(Ended::Dropped),
        }
    }

    fn step(&mut self, log: &mut Wal<'_, '_, '_, WRITE, ERASE>, step: char) -> Ended {
        let done = match step {
            's' => self.poll(log.flush_and_sync()).map(|durable| {
                assert_eq!(durable.through(), log.last_entry_id());
                self.acknowledged = self.issued.len();
            }),
            'f' => self.poll(log.flush()),
            'p' => self.poll(log.truncate_prefix(log.next_entry_id())).map(|()| {
                self.acknowledged = self.issued.len();
            }),
            'e' => self.poll(log.prepare_step()).map(drop),
            'r' => self.read(log),
            _ => {
                let batch: Vec<_> = (self.issued.len()..)
                    .zip(records(step))
                    .map(|(number, bytes)| record(number, *bytes))
                    .collect();
                let lent: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                let before = log.next_entry_id();
                let appended = self.poll(log.append_batch(&lent)).map(drop);
                match appended {
                    Ok(()) => self.issued.extend(batch),
                    Err(_) => assert_eq!(log.next_entry_id(), before, "nothing was appended"),
                }
                appended
            }
        };
        assert!(log.durable_through().map_or(0, EntryId::get) <= self.issued.len() as u64);
        match done {
            Ok(()) => Ended::Done,
            Err(ended) => ended,
        }
    }

    /// Reads what is open, an entry at a time.
    fn read(&mut self, log: &mut Wal<'_, '_, '_, WRITE, ERASE>) -> Result<(), Ended> {
        self.poll(log.flush())?;
        let mut buffer = [0; BUFFER];
        let mut reader = self.poll(log.reader(wal(), ReadMode::Strict, &mut buffer))?;
        let mut count = 0;
        loop {
            let before = reader.last_entry_id();
            match self.poll(reader.next()) {
                Ok(Some(entry)) => {
                    assert_eq!(Some(entry.id.get() - 1), before.map(EntryId::get).or(Some(0)));
                    let index = usize::try_from(entry.id.get()).unwrap() - 1;
                    assert_eq!(entry.payload, self.issued[index]);
                    count = index + 1;
                }
                Ok(None) => break,
                // Nothing was passed.
                Err(Ended::Dropped) => assert_eq!(reader.last_entry_id(), before),
                Err(Ended::Failed(AsyncError::Driver { operation, .. })) => {
                    assert_eq!(operation, FlashOperation::Read);
                    self.trouble += 1;
                }
                Err(ended) => return Err(ended),
            }
        }
        assert_eq!(count, self.issued.len());
        Ok(())
    }

    /// Opens the log, and takes what it recovers for what there is.
    fn open<'d, 'm, 'b>(
        &mut self,
        dir: &'d mut Dir<'m, WRITE, ERASE>,
        buffer: &'b mut [u8],
    ) -> Result<Wal<'d, 'm, 'b, WRITE, ERASE>, Ended> {
        let log = self.poll(AsyncWalWriter::open(dir, wal(), buffer))?;
        assert_eq!(log.doubt(), None);
        let recovered = usize::try_from(log.next_entry_id().get()).unwrap() - 1;
        assert!(
            (self.acknowledged..=self.issued.len()).contains(&recovered),
            "{recovered} of {}, {} acknowledged",
            self.issued.len(),
            self.acknowledged
        );
        self.issued.truncate(recovered);
        self.acknowledged = recovered;
        Ok(log)
    }

    /// The writer refuses whatever it is asked for.
    fn refuses(&mut self, log: &mut Wal<'_, '_, '_, WRITE, ERASE>) {
        self.doubts += 1;
        let told = |result: Result<(), Failed>| {
            assert!(matches!(result, Err(AsyncError::InDoubt(_))), "{result:?}");
        };
        let begun = self.driver.begun();
        block_on(async {
            told(log.append(b"more").await.map(drop));
            told(log.append_batch(&[b"more"]).await.map(drop));
            told(log.flush().await);
            told(log.flush_and_sync().await.map(drop));
            told(log.prepare_step().await.map(drop));
            told(log.truncate_prefix(log.next_entry_id()).await);
            told(log.truncate_to_segments(1).await);
            told(log.reader(wal(), ReadMode::Strict, &mut [0; BUFFER]).await.map(drop));
        });
        assert!(log.is_poisoned());
        assert_eq!(self.driver.begun(), begun, "and leaves the chip alone");
    }

    /// Runs a script to its end, whatever comes in between, and reads what is there then.
    fn tell(&mut self, script: &str, memory: &mut Memory) {
        let Memory { queue, ahead, buffer } = memory;
        let mut steps = script.chars().peekable();
        let mut dir = block_on(Dir::mount(self.driver.clone(), flash(), queue, ahead)).unwrap();
        'lives: loop {
            assert!(self.trouble < 20, "opening again does not recover");
            let Ok(mut log) = self.open(&mut dir, buffer) else {
                // Whatever it was, opening again recovers.
                self.trouble += 1;
                continue;
            };
            while let Some(&step) = steps.peek() {
                if step == 'c' {
                    steps.next();
                    // Whoever fails to close opens again.
                    match self.poll(log.close()) {
                        Ok(()) => self.acknowledged = self.issued.len(),
                        Err(_) => self.trouble += 1,
                    }
                    continue 'lives;
                }
                let dropped = self.driver.dropped();
                match self.step(&mut log, step) {
                    Ended::Done => drop(steps.next()),
                    Ended::Dropped => {
                        self.trouble += 1;
                        let at_work = self.driver.dropped() > dropped;
                        assert_eq!(log.doubt().is_some(), at_work, "{step} after {steps:?}");
                        if at_work {
                            self.refuses(&mut log);
                            continue 'lives;
                        }
                        assert!(!log.is_poisoned(), "{step}");
                    }
                    Ended::Failed(error) => {
                        self.trouble += 1;
                        let AsyncError::Driver { operation, driver, .. } = error else {
                            panic!("{step}: {error}");
                        };
                        assert_eq!(driver, NorError::Failed);
                        let doubt = operation != FlashOperation::Read;
                        assert_eq!(log.doubt().is_some(), doubt, "{step}: {error}");
                        if doubt {
                            self.refuses(&mut log);
                            continue 'lives;
                        }
                    }
                }
            }
            while !matches!(self.step(&mut log, 's'), Ended::Done) {
                self.trouble += 1;
                if log.doubt().is_some() {
                    continue 'lives;
                }
            }
            break;
        }
        assert_eq!(dir.in_place().reads, 0, "every read was awaited");
        drop(dir);
        self.judge();
    }

    /// What is there is what was issued, by the reader that is not awaited.
    fn judge(&self) {
        let chip = self.driver.with(|chip| chip.clone());
        let dir = FlashDirectory::<_, SLOTS>::mount(chip, flash()).unwrap();
        let mut buffer = [0; BUFFER];
        let mut reader = FixedWalReader::open(&dir, wal(), ReadMode::Strict, &mut buffer).unwrap();
        while let Some(entry) = reader.next().unwrap() {
            assert_eq!(entry.payload, self.issued[usize::try_from(entry.id.get()).unwrap() - 1]);
        }
        assert_eq!(reader.last_entry_id().map_or(0, EntryId::get), self.issued.len() as u64);
    }
}

fn same_bytes<const WRITE: usize, const ERASE: usize>() {
    let mut states = Vec::new();
    let mut chip = NorChip::<1, WRITE, ERASE>::new(2 * SLOTS);
    sync_steps(&mut chip, SCRIPT, |bytes| states.push(bytes.to_vec()));
    let mut states = states.into_iter();
    let mut story = Story::new(NorChip::<1, WRITE, ERASE>::new(2 * SLOTS));
    let mut memory = Memory::enough::<WRITE, ERASE>();
    for life in SCRIPT.split('c') {
        let Memory { queue, ahead, buffer } = &mut memory;
        let mut dir = block_on(Dir::mount(story.driver.clone(), flash(), queue, ahead)).unwrap();
        let mut log = story.open(&mut dir, buffer).ok().unwrap();
        for (at, step) in life.chars().enumerate() {
            if let Ended::Failed(error) = story.step(&mut log, step) {
                panic!("{WRITE}, {life}, {at}: {error}");
            }
            if matches!(step, 's' | 'f' | 'p' | 'e') {
                let bytes = story.driver.with(|chip| chip.bytes().to_vec());
                assert!(states.next() == Some(bytes), "{WRITE}, {life}, after {at}");
            }
        }
        block_on(log.close()).unwrap();
        story.acknowledged = story.issued.len();
        let bytes = story.driver.with(|chip| chip.bytes().to_vec());
        assert!(states.next() == Some(bytes), "{WRITE}, {life}, closed");
        assert_eq!(dir.in_place().reads, 0);
    }
    let (ours, theirs) = (story.driver.with(|chip| chip.figures()), chip.figures());
    assert_eq!((ours.programs, ours.erases), (theirs.programs, theirs.erases), "{WRITE}");
    assert_eq!(ours.programmed_bytes, theirs.programmed_bytes);
}

#[test]
fn flash_holds_the_same_bytes_after_every_step_as_without_awaiting() {
    same_bytes::<1, 512>();
    same_bytes::<4, 512>();
    same_bytes::<16, 512>();
    same_bytes::<32, 1024>();
    same_bytes::<256, 4096>();
}

fn cut_twice<const WRITE: usize, const ERASE: usize>(
    first: &str,
    later: &str,
    ahead: usize,
) -> u64 {
    let program = AsyncLogProgram::<SLOTS> {
        flash: flash(),
        wal: wal(),
        buffer_bytes: BUFFER,
        ahead_bytes: ahead,
        scripts: vec![first.parse::<Script>().unwrap(), later.parse().unwrap()],
    };
    let chip = NorChip::<1, WRITE, ERASE>::new(2 * SLOTS);
    match explore(&program, chip, Outside::default(), &Campaign::new(2).one_in(2, 400)) {
        Ok(figures) => figures.all_cuts(),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn power_may_be_cut_in_every_program_and_erase_and_again_in_the_life_after() {
    let enough = Dir::<'_, 4, 512>::ahead_bytes(&flash(), BUFFER);
    let first =
        "e e a60 s a80 a90 b3 s a90 a90 f i a90 a90 s p a90 r a90 a90 a90 s a9 p a90 a90 a90 s";
    let later = "a33 s a90 a90 a90 a90 p i a12 s r a90 a90 a90 a90 s p";
    let mut cuts = cut_twice::<4, 512>(first, later, enough);
    cuts += cut_twice::<16, 512>(first, later, Dir::<'_, 16, 512>::ahead_bytes(&flash(), BUFFER));
    cuts += cut_twice::<256, 2048>("a60 s b1 s a90 a90 a90 s p a1 s", "a9 s p", 1 << 13);
    // Without memory all is read in place, and the same.
    cuts += cut_twice::<32, 512>(first, later, 0);
    println!("{cuts} cuts");
    assert!(cuts > 10_000, "{cuts}");
}

/// Drops a future after each number of polls, and after so many more another one.
fn dropped_everywhere<const WRITE: usize, const ERASE: usize>(
    pending: u32,
    then: u64,
) -> (u64, u64) {
    let (mut drops, mut doubts) = (0, 0);
    let mut memory = Memory::enough::<WRITE, ERASE>();
    for leaves in leaves() {
        for polls in 1.. {
            let mut story = Story::new(NorChip::<1, WRITE, ERASE>::new(2 * SLOTS));
            story.driver.pending(pending);
            story.driver.leaves(leaves);
            (story.polls, story.polls_then) = (polls, then);
            story.tell(SCRIPT, &mut memory);
            if story.trouble == 0 {
                break;
            }
            (drops, doubts) = (drops + story.trouble, doubts + story.doubts);
        }
    }
    (drops, doubts)
}

#[test]
fn a_future_may_be_dropped_at_every_await() {
    let mut all = (0, 0);
    for (drops, doubts) in [
        dropped_everywhere::<4, 512>(1, u64::MAX),
        dropped_everywhere::<4, 512>(3, u64::MAX),
        dropped_everywhere::<32, 1024>(1, u64::MAX),
        // In the recovery from the first one, too.
        dropped_everywhere::<4, 512>(1, 1),
        dropped_everywhere::<4, 512>(1, 4),
        dropped_everywhere::<4, 512>(1, 19),
        dropped_everywhere::<16, 512>(1, 30),
    ] {
        all = (all.0 + drops, all.1 + doubts);
    }
    println!("{} dropped, {} while the chip was at work", all.0, all.1);
    assert!(all.1 > 500 && all.0 > all.1 + 500, "{all:?}");
}

#[test]
fn the_driver_may_fail_at_every_operation() {
    let mut memory = Memory::enough::<4, 512>();
    let (mut failures, mut doubts) = (0, 0);
    for leaves in leaves() {
        for nth in 1.. {
            let mut story = Story::new(NorChip::<1, 4, 512>::new(2 * SLOTS));
            story.driver.leaves(leaves);
            // Mounting is done by then.
            story.driver.fail_at(nth + 2 * SLOTS as u64);
            story.tell(SCRIPT, &mut memory);
            if story.trouble == 0 {
                break;
            }
            (failures, doubts) = (failures + story.trouble, doubts + story.doubts);
        }
    }
    println!("{failures} failures, {doubts} in doubt");
    assert!(doubts > 100 && failures > doubts + 100, "{failures} failures, {doubts} in doubt");
}

#[test]
fn headers_that_do_not_read_back_are_told_of_before_anything_behind_them_is_acknowledged() {
    let mut memory = Memory::enough::<4, 512>();
    let mut told = 0;
    for nth in 1..60 {
        let driver = Driver::<4, 512>::new(NorChip::new(2 * SLOTS));
        let Memory { queue, ahead, buffer } = &mut memory;
        let mut dir = block_on(Dir::mount(driver.clone(), flash(), queue, ahead)).unwrap();
        driver.lie_at(nth);
        let acknowledged = block_on(async {
            let mut log = AsyncWalWriter::open(&mut dir, wal(), buffer).await?;
            log.append(&[7; 20]).await?;
            log.flush_and_sync().await
        });
        match acknowledged {
            // The worst that a lie about a record, and not about a header, can do is what it does to any log.
            Ok(_) => {}
            Err(AsyncError::ReadBack { slot }) => {
                assert_eq!(slot, 0);
                let again = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer));
                assert_eq!(again.unwrap().doubt(), None, "and opening again recovers");
                told += 1;
            }
            Err(error) => panic!("{nth}: {error}"),
        }
    }
    // Of the slot the wear record, the ready record and both headers; one of each pair may be missing.
    assert!(told > 0, "{told}");
    println!("{told} told");
}

#[test]
fn memory_is_what_the_documents_say() {
    type Plain = NorChip<1, 4, 4096>;

    let front = size_of::<Dir<'_, 4, 4096>>() - size_of::<Driver<4, 4096>>();
    let plain = size_of::<FlashDirectory<Plain, SLOTS>>() - size_of::<Plain>();
    println!("the front takes {} bytes more", front - plain);
    assert!(front - plain <= 200, "{front}, {plain}");
    assert_eq!(Sixteen::queue_bytes(&flash(), 256), 1292);
    assert_eq!(Sixteen::queue_bytes(&flash(), 512), 1292 + 3 * 256);
    assert_eq!(Sixteen::ahead_bytes(&flash(), 256), 12_064);
    let mut memory = Memory::enough::<4, 4096>();
    let driver = Driver::<4, 4096>::new(NorChip::new(2 * SLOTS));
    let Memory { queue, ahead, buffer } = &mut memory;
    let mut dir = block_on(Dir::mount(driver, flash(), queue, ahead)).unwrap();
    println!("opening {}", size_of_val(&AsyncWalWriter::open(&mut dir, wal(), buffer)));
    let mut log = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer)).unwrap();
    println!("the writer {}", size_of_val(&log));
    println!("append {}", size_of_val(&log.append(&[])));
    println!("sync {}", size_of_val(&log.flush_and_sync()));
}

/// A driver that may go from thread to thread.
struct Nowhere;

impl ErrorType for Nowhere {
    type Error = NorError;
}

impl ReadNorFlash for Nowhere {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), NorError> {
        Err(NorError::Failed)
    }

    fn capacity(&self) -> usize {
        1 << 20
    }
}

impl NorFlash for Nowhere {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, _: u32, _: u32) -> Result<(), NorError> {
        Err(NorError::Failed)
    }

    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), NorError> {
        Err(NorError::Failed)
    }
}

#[test]
fn a_tombstone_of_which_one_bit_is_there_is_not_programmed_again() {
    let mut story = Story::<4, 512>::new(NorChip::new(2 * SLOTS));
    let mut memory = Memory::enough::<4, 512>();
    story.tell("AAAAAAAAAAAAAAAAAAAAAAAA", &mut memory);
    // In every slot, so that it is where the first segment is.
    for slot in 1..=u32::try_from(SLOTS).unwrap() {
        story.driver.with(|chip| {
            SyncNorFlash::write(chip, slot * 1024 - 8, &[0xFE, 0xFF, 0xFF, 0xFF]).unwrap();
        });
    }
    let Memory { queue, ahead, buffer } = &mut memory;
    let mut dir = block_on(Dir::mount(story.driver.clone(), flash(), queue, ahead)).unwrap();
    let mut log = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer)).unwrap();
    assert!(log.segments() > 2);
    block_on(log.truncate_prefix(log.next_entry_id())).unwrap();
    assert_eq!(log.segments(), 1);
    assert_eq!(log.in_place().reads, 0);
}

#[test]
fn a_directory_goes_where_its_driver_goes() {
    const fn goes<T: Send>() {}
    goes::<AsyncFlashDirectory<'_, Nowhere, SLOTS>>();
}

#[test]
fn what_a_dropped_writer_has_not_flushed_is_left_to_the_next_one() {
    let mut memory = Memory::enough::<4, 512>();
    let driver = Driver::<4, 512>::new(NorChip::new(2 * SLOTS));
    let Memory { queue, ahead, buffer } = &mut memory;
    let mut dir = block_on(Dir::mount(driver, flash(), queue, ahead)).unwrap();
    let mut log = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer)).unwrap();
    let id = block_on(log.append(&[7; 20])).unwrap();
    drop(log);
    let log = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer)).unwrap();
    assert_eq!(log.last_entry_id(), Some(id));
    assert_eq!(log.durable_through(), Some(id));
}

#[test]
fn a_future_that_is_forgotten_is_told_of_and_not_waited_for() {
    let mut memory = Memory::enough::<4, 512>();
    let driver = Driver::<4, 512>::new(NorChip::new(2 * SLOTS));
    let Memory { queue, ahead, buffer } = &mut memory;
    let mut dir = block_on(Dir::mount(driver, flash(), queue, ahead)).unwrap();
    let mut log = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer)).unwrap();
    block_on(log.append(&[7; 20])).unwrap();
    let mut flush = Box::pin(log.flush());
    assert!(poll_at_most(flush.as_mut(), &mut 1).is_none());
    core::mem::forget(flush);
    assert!(matches!(block_on(log.append(&[7; 20])), Err(AsyncError::Forgotten)));
    drop(log);
    let opened = block_on(AsyncWalWriter::open(&mut dir, wal(), buffer));
    assert!(matches!(opened, Err(AsyncError::Forgotten)));
}

#[test]
fn a_queue_that_is_too_small_is_refused_when_the_log_is_opened() {
    let needed = Dir::<'_, 4, 512>::queue_bytes(&flash(), BUFFER);
    let mut memory = Memory::enough::<4, 512>();
    for found in [0, 1, BUFFER, needed - 1] {
        let driver = Driver::<4, 512>::new(NorChip::new(2 * SLOTS));
        let mut queue = vec![0; found];
        let mounted = Dir::mount(driver.clone(), flash(), &mut queue, &mut memory.ahead);
        let mut dir = block_on(mounted).unwrap();
        let opened = block_on(AsyncWalWriter::open(&mut dir, wal(), &mut memory.buffer));
        let refused = matches!(opened, Err(AsyncError::QueueBytes { found: told, needed: wanted })
            if told == found && wanted == needed);
        assert!(refused, "{:?}", opened.map(drop));
        assert_eq!(driver.with(|chip| chip.operations()), 0, "and nothing was done");
    }
}

#[test]
fn a_batch_that_the_queue_may_not_hold_is_refused_without_effect() {
    let mut memory = Memory::enough::<4, 4096>();
    memory.queue.resize(memory.queue.len() + 88, 0);
    let driver = Driver::<4, 4096>::new(NorChip::new(2 * SLOTS));
    let mut dir =
        block_on(Dir::mount(driver, flash(), &mut memory.queue, &mut memory.ahead)).unwrap();
    block_on(async {
        let mut log = AsyncWalWriter::open(&mut dir, wal(), &mut memory.buffer).await.unwrap();
        // With a header of 8 bytes each: 356 bytes are lent for them.
        let (small, large) = (vec![&[7_u8; 40][..]; 7], vec![&[7_u8; 40][..]; 8]);
        log.append_batch(&small).await.unwrap();
        let refused = log.append_batch(&large).await;
        assert!(matches!(refused, Err(AsyncError::Log(durability_core::Error::Limit { .. }))));
        assert_eq!(log.next_entry_id().get(), 8);
        let _durable = log.flush_and_sync().await.unwrap();
    });
}

#[test]
fn a_prepared_region_is_not_read_for_appends_but_for_the_headers_of_new_files() {
    let mut memory = Memory::enough::<4, 4096>();
    let driver = Driver::<4, 4096>::new(NorChip::new(2 * SLOTS));
    let mut dir =
        block_on(Dir::mount(driver.clone(), flash(), &mut memory.queue, &mut memory.ahead))
            .unwrap();
    while block_on(dir.prepare()).unwrap() {}
    assert_eq!(dir.usage().ready, SLOTS);
    drop(dir);
    // The same, whatever was there.
    driver.with(NorChip::scribble);
    let formatted = Dir::format(driver.clone(), flash(), &mut memory.queue, &mut memory.ahead);
    let mut dir = block_on(formatted).unwrap();
    assert_eq!(dir.usage().ready, SLOTS);
    let mut log = block_on(AsyncWalWriter::open(&mut dir, wal(), &mut memory.buffer)).unwrap();
    let mut sync_buffer = [0; BUFFER];
    let prepared = FlashDirectory::<_, SLOTS>::format(NorChip::<1, 4, 4096>::new(16), flash());
    let sync_dir = prepared.unwrap();
    let mut sync_log = FixedWalWriter::open(&sync_dir, wal(), &mut sync_buffer).unwrap();
    let before = driver.with(|chip| chip.figures());
    let sync_before = sync_dir.with_flash(|chip| chip.figures());
    let mut segments = 0;
    for _ in 0..1000 {
        let reads = driver.with(|chip| chip.figures().reads);
        block_on(async {
            log.append(&[7; 32]).await.unwrap();
            let _durable = log.flush_and_sync().await.unwrap();
        });
        sync_log.append(&[7; 32]).unwrap();
        let _durable = sync_log.flush_and_sync().unwrap();
        let more = driver.with(|chip| chip.figures().reads) - reads;
        if log.segments() == segments {
            assert_eq!(more, 0, "a record is not read for");
        } else {
            assert!(more <= 2, "a new file's headers are, and its slot's end: {more}");
        }
        segments = log.segments();
    }
    assert!(segments > 4);
    let after = driver.with(|chip| chip.figures());
    let sync_after = sync_dir.with_flash(|chip| chip.figures());
    assert_eq!(after.programs - before.programs, sync_after.programs - sync_before.programs);
    assert_eq!(after.erases, before.erases);
    assert_eq!(log.in_place().reads, 0);
}

#[test]
fn a_reader_reads_little_more_than_the_log() {
    let mut story = Story::<4, 4096>::new(NorChip::new(2 * SLOTS));
    let mut memory = Memory::enough::<4, 4096>();
    story.tell(&"AAAAAAs".repeat(90), &mut memory);
    for ahead in [memory.ahead.len(), 4096, 2048, 0] {
        let (queue, ahead) = (&mut memory.queue, &mut vec![0; ahead]);
        let lent = ahead.len();
        let mut dir = block_on(Dir::mount(story.driver.clone(), flash(), queue, ahead)).unwrap();
        let before = story.driver.with(|chip| chip.figures());
        let count = block_on(async {
            let mode = ReadMode::Strict;
            let buffer = &mut memory.buffer;
            let mut reader = AsyncWalReader::open(&mut dir, wal(), mode, buffer).await.unwrap();
            let mut count = 0;
            while let Some(entry) = reader.next().await.unwrap() {
                assert_eq!(entry.payload, story.issued[count]);
                count += 1;
            }
            count
        });
        assert_eq!(count, story.issued.len());
        let after = story.driver.with(|chip| chip.figures());
        let read = after.read_bytes - before.read_bytes;
        let log = 98 * count as u64;
        println!("{lent}: {read} bytes of {log} read, {:?}", dir.in_place());
        // A window that is small beside the buffer is moved often.
        let limit = if lent >= 4096 { log * 3 / 2 } else { log * 4 };
        assert!(read < limit, "{lent}: {read} of {log}");
        assert_eq!(dir.in_place().reads == 0, lent >= 4096, "{lent}: {:?}", dir.in_place());
        assert_eq!(dir.in_place().waited, dir.in_place().reads);
    }
}
