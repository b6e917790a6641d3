//! An append that rotates beside one that only writes its buffer out, at half of what the disk can take.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::finding::Part;
use super::goals::{ROTATION, verdict};
use super::sample::Spread;
use super::session::{Session, Shape};
use super::tables::micros;
use crate::{Failure, Library, Log, Plan, Records, Scratch, Stream, Streamed, Tally};

const RECORD_BYTES: usize = 1 << 10;
const SEGMENT_BYTES: u64 = 64 << 20;
/// Sides take turns of so many rotations.
const TURN: u32 = 10;
/// The pace is kept in steps of so many records.
const STEP: usize = 64;

/// What was timed of one side, in nanoseconds.
#[derive(Default)]
struct Timed {
    rotating: Vec<f64>,
    writing: Vec<f64>,
}

/// One turn of a side.
type Turn = fn(&Session<'_>, &Records, bool, u32, f64, &mut Timed) -> Result<(), Failure>;

/// Makes the table. `write_mb_s` is what the disk can take.
pub(super) fn rotate(session: &mut Session<'_>, write_mb_s: f64) -> Result<(), Failure> {
    let records = Records::new(RECORD_BYTES);
    let pace = write_mb_s / 2.0;
    // With zeros in it first, a segment is written twice: at half the pace, the disk gets as much as from the others.
    let slower = pace / 2.0;
    let sides: [(&str, bool, f64, Turn); 6] = [
        ("ours, shared", false, pace, turn::<Streamed>),
        ("ours, shared, room written before", true, pace, turn::<Streamed>),
        ("ours, shared, room written before, half as fast", true, slower, turn::<Streamed>),
        ("ours, one thread does all", false, pace, turn::<Driven<Library>>),
        ("ours, one thread does all, room written before", true, pace, turn::<Driven<Library>>),
        ("B1", false, pace, turn::<Driven<Stream>>),
    ];
    let mut timed: [Timed; 6] = Default::default();
    let mut left = session.sizes.rotations;
    while left > 0 {
        let now = left.min(TURN);
        left -= now;
        for ((_, prepared, mb_s, turn), timed) in sides.iter().zip(&mut timed) {
            turn(session, &records, *prepared, now, *mb_s, timed)?;
        }
    }
    let mut text = String::from(
        "| side | rotating, µs | writing its buffer out, µs | multiple of the medians | goal |\n|---|---|---|---|---|\n",
    );
    for ((name, ..), timed) in sides.iter().zip(timed) {
        let (rotating, writing) = (Spread::of(timed.rotating), Spread::of(timed.writing));
        let multiple = rotating.median / writing.median;
        // Where one thread does all, nothing can run beside it.
        let goal = if name.starts_with("ours, shared") {
            verdict(&format!("≤ {ROTATION}"), multiple <= ROTATION)
        } else {
            String::new()
        };
        let (rotating, writing) = (micros(&rotating), micros(&writing));
        let _ = writeln!(text, "| {name} | {rotating} | {writing} | **{multiple:.2}** | {goal} |");
    }
    let title = format!(
        "An append that rotates, {} rotations, 1 KiB records at {:.0} MB/s",
        session.sizes.rotations,
        write_mb_s / 2.0
    );
    session.block("rotation", &title, text);
    Ok(())
}

/// A log that is streamed into, and tells what its appends did.
trait Streaming: Sized {
    fn create(plan: &Plan<'_>) -> Result<Self, Failure>;
    fn append(&mut self, record: &[u8]) -> Result<(), Failure>;
    /// How often an append has rotated.
    fn rotations(&self) -> u32;
    /// How often an append has written.
    fn writes(&self) -> u64;
    fn close(self) -> Result<(), Failure>;
}

/// Any log that does nothing beside its appends.
struct Driven<L> {
    log: L,
    tally: Tally,
    first: u32,
}

impl<L: Log> Streaming for Driven<L> {
    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let log = L::create(plan)?;
        let first = log.segment().ok_or("the log does not tell its segment")?;
        Ok(Self { log, tally: plan.meter.tally.clone(), first })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.log.append(record)
    }

    fn rotations(&self) -> u32 {
        self.log.segment().map_or(0, |segment| segment - self.first)
    }

    fn writes(&self) -> u64 {
        self.tally.counts().writes
    }

    fn close(self) -> Result<(), Failure> {
        self.log.close()
    }
}

impl Streaming for Streamed {
    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        Self::append(self, record)
    }

    fn rotations(&self) -> u32 {
        Self::rotations(self)
    }

    fn writes(&self) -> u64 {
        Self::writes(self)
    }

    fn close(self) -> Result<(), Failure> {
        Self::close(self)
    }
}

fn turn<S: Streaming>(
    session: &Session<'_>,
    records: &Records,
    prepared: bool,
    rotations: u32,
    mb_s: f64,
    timed: &mut Timed,
) -> Result<(), Failure> {
    let scratch = Scratch::within(session.options.folder.as_deref())?;
    let folder = scratch.join("log");
    let shape = Shape { records, count: 0, segment_bytes: SEGMENT_BYTES, prepared };
    let plan = shape.plan(&folder, Part::fast("rotation"));
    let mut log = S::create(&plan)?;
    let first = log.rotations();
    // The first segment is left before anything is timed.
    let (begin, end) = (first + 1, first + 1 + rotations);
    let started = Instant::now();
    let mut index = 0;
    let (mut segment, mut writes) = (first, log.writes());
    while segment < end {
        if index % STEP == 0 {
            keep_pace(started, index * RECORD_BYTES, mb_s);
        }
        let record = records.get(index);
        index += 1;
        let before = Instant::now();
        log.append(record)?;
        let nanos = before.elapsed().as_nanos() as f64;
        let (segment_after, writes_after) = (log.rotations(), log.writes());
        if segment >= begin {
            if segment_after != segment {
                timed.rotating.push(nanos);
            } else if writes_after != writes {
                timed.writing.push(nanos);
            }
        }
        (segment, writes) = (segment_after, writes_after);
    }
    log.close()
}

/// Waits until it is time for more bytes than these.
fn keep_pace(started: Instant, bytes: usize, mb_s: f64) {
    let due = Duration::from_secs_f64(bytes as f64 / (mb_s * 1e6));
    loop {
        match due.checked_sub(started.elapsed()) {
            Some(early) if early > Duration::from_micros(200) => std::thread::sleep(early / 2),
            Some(early) if !early.is_zero() => std::hint::spin_loop(),
            _ => return,
        }
    }
}
