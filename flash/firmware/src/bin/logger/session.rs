//! One boot: recover, be judged, log until the power fails.

use core::fmt;

use durability_core::EntryId;
use durability_core::checkpoint::CheckpointOptions;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::walog::{WalOptions, WalWriter};
use durability_firmware::chip::{BLOCK_BYTES, BYTES, Chip, ChipError, Driver};
use durability_firmware::heap;
use durability_flash::{FlashDirectory, FlashError, FlashOptions};
use serde::{Deserialize, Serialize};

use crate::costs::Stopwatch;
use crate::judge::{Failure, judge};
use crate::notes::{Notes, Reading, added};

/// Of two blocks each.
const SLOTS: usize = BYTES / (2 * BLOCK_BYTES);
/// Beyond it a checkpoint is due: files are slots.
const SEGMENTS_MAX: usize = 8;
/// Entries between checkpoints.
const CHECKPOINT_EVERY: u64 = 64;
const BATCH: usize = 4;
/// Frames with headers of 8 bytes.
const COMPACT: bool = cfg!(not(feature = "full"));
/// What these frames are called.
pub(crate) const FORM: &str = if COMPACT { "compact" } else { "ordinary" };
const BUFFER_BYTES: u32 = 256;

type Flash = FlashDirectory<Driver, SLOTS>;
type Wal<'d> = WalWriter<Reading, &'d Flash>;
type Publisher<'d> = CheckpointPublisher<&'d Flash>;
type Outcome<T> = Result<T, Failure<FlashError<ChipError>>>;

/// What the readings add up to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) entries: u64,
    pub(crate) sum: u32,
}

/// What is held as long as the log is open.
pub(crate) struct Sizes;

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wal, dir) = (size_of::<Wal<'_>>(), size_of::<Flash>() - size_of::<Driver>());
        write!(
            f,
            "the writer takes {wal} bytes and the directory of {SLOTS} slots {dir}; buffers have {BUFFER_BYTES}"
        )
    }
}

fn wal_options() -> WalOptions {
    WalOptions::new()
        .buffer_bytes(256)
        .read_bytes(256)
        .record_bytes_max(64)
        .batch_bytes_max(1024)
        .compact_frames(COMPACT)
}

fn checkpoint_options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).chunk_bytes_max(256).read_bytes(256)
}

/// Runs until the power fails.
pub(crate) fn run(chip: &'static mut Chip, notes: &mut Notes) -> Outcome<()> {
    notes.boots += 1;
    notes.fresh = 1;
    chip.forget();
    chip.cut_power_at(life(notes));

    let watch = Stopwatch::start(0);
    let options = FlashOptions::new().slot_blocks(2).name_bytes_max(24).seed(notes.seed);
    let mounted = Flash::mount(Driver(chip), options);
    let dir = mounted.map_err(Failure::Flash)?;
    watch.stop(driven(&dir), &mut notes.costs.mount);

    let watch = Stopwatch::start(driven(&dir));
    let mut wal = Wal::open(&dir, wal_options())?;
    watch.stop(driven(&dir), &mut notes.costs.open);

    let watch = Stopwatch::start(driven(&dir));
    let options = RecoverOptions::new().checkpoint(checkpoint_options());
    let mut recovered = recover_with_wal(&mut wal, &options, State::default(), State::add)?;
    watch.stop(driven(&dir), &mut notes.costs.recover);
    judge(&mut wal, &recovered.state, notes)?;

    let options = PublishOptions::new().checkpoint(checkpoint_options());
    let mut publisher = Publisher::new(&dir, options)?;
    loop {
        step(&dir, &mut wal, &mut recovered.state, notes)?;
        let due = notes.issued - notes.published >= CHECKPOINT_EVERY;
        if due || wal.segments().count() > SEGMENTS_MAX {
            let watch = Stopwatch::start(driven(&dir));
            publisher.publish(&mut wal, &recovered.state)?;
            watch.stop(driven(&dir), &mut notes.costs.publish);
            (notes.acknowledged, notes.published) = (notes.issued, notes.issued);
        }
        notes.costs.heap = notes.costs.heap.max(heap::most());
    }
}

/// Words until the power fails: a few, so that it does while recovering, or many.
fn life(notes: &mut Notes) -> u32 {
    let most = match notes.random.below(4) {
        0 => 20,
        1 => 100,
        2 => 500,
        _ => 2500,
    };
    1 + notes.random.below(most)
}

fn driven(dir: &Flash) -> u64 {
    dir.with_flash(|driver| driver.0.instructions)
}

/// One thing that a logger does.
fn step(dir: &Flash, wal: &mut Wal<'_>, state: &mut State, notes: &mut Notes) -> Outcome<()> {
    match notes.random.below(16) {
        0..12 => log(dir, wal, state, notes),
        // Without a sync: the next one covers it.
        12 => {
            let reading = notes.next();
            notes.fresh = 0;
            wal.append(&reading)?;
            state.log(&reading);
            Ok(())
        }
        13 => log_batch(dir, wal, state, notes),
        _ => {
            let watch = Stopwatch::start(driven(dir));
            if dir.prepare().map_err(Failure::Flash)? {
                watch.stop(driven(dir), &mut notes.costs.prepare);
            }
            Ok(())
        }
    }
}

fn log(dir: &Flash, wal: &mut Wal<'_>, state: &mut State, notes: &mut Notes) -> Outcome<()> {
    let reading = notes.next();
    let (segment, first) = (wal.raw().tail_segment(), core::mem::take(&mut notes.fresh) == 1);
    let watch = Stopwatch::start(driven(dir));
    wal.append(&reading)?;
    let durable = wal.flush_and_sync()?;
    let costs = &mut notes.costs;
    let cost = match () {
        // It makes the buffer, and may begin a segment.
        () if first => &mut costs.first,
        () if wal.raw().tail_segment() == segment => &mut costs.append,
        () => &mut costs.rotate,
    };
    watch.stop(driven(dir), cost);
    notes.acknowledged = durable.through().map_or(0, |id| id.get());
    state.log(&reading);
    Ok(())
}

fn log_batch(dir: &Flash, wal: &mut Wal<'_>, state: &mut State, notes: &mut Notes) -> Outcome<()> {
    let first = notes.issued + 1;
    let readings: [Reading; BATCH] = core::array::from_fn(|_| notes.next());
    notes.batch = [first, notes.issued];
    notes.fresh = 0;
    let watch = Stopwatch::start(driven(dir));
    wal.append_batch(&readings)?;
    let durable = wal.flush_and_sync()?;
    watch.stop(driven(dir), &mut notes.costs.batch);
    notes.acknowledged = durable.through().map_or(0, |id| id.get());
    readings.iter().for_each(|reading| state.log(reading));
    Ok(())
}

impl State {
    fn log(&mut self, reading: &Reading) {
        self.entries += 1;
        self.sum = added(self.sum, reading);
    }

    fn add(&mut self, _id: EntryId, reading: Reading) -> Outcome<()> {
        self.log(&reading);
        Ok(())
    }
}
