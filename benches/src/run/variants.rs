//! Other ways to make a commit durable, as baselines only: so that the figures tell what was worth taking and what was not.
//!
//! `io_uring` is not among them: each binding that links a write and a sync in one submission is `unsafe` to call, and this
//! repository has `unsafe` in a few small files for other reasons only.

use std::fs::{self, File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::{ReadWriteFlags, pwritev2};

use super::finding::{Case, Finding, Part};
use super::rounds::{Side, rounds};
use super::sample::Sample;
use super::session::{BASE, Session, Shape};
use crate::metered::fill_with_zeros;
use crate::{Failure, Framed, Plan, Records, Scratch, Stopwatch, ZEROS_PIECE_BYTES};

/// What `O_DIRECT` wants of addresses, offsets and lengths, on every device of today.
const PAGE_BYTES: usize = 4 << 10;

/// What the file is before the first commit.
#[derive(Clone, Copy)]
enum Room {
    Growing,
    Reserved,
    Zeros(usize),
}

/// How a commit becomes durable.
#[derive(Clone, Copy)]
enum Barrier {
    DataSync,
    FullSync,
    /// The write itself is told to be durable.
    Dsync,
    /// The file was opened so that every write is durable.
    Opened,
}

#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    room: Room,
    barrier: Barrier,
    flags: OFlags,
    /// Commits are padded to a multiple of it.
    pad: usize,
    /// Only what is written is padded: the block that is not full is written again with the next commit.
    again: bool,
}

const PLAIN: Variant = Variant {
    name: "`pwrite`, `fdatasync`, zeros in 8 KiB pieces (B3)",
    room: Room::Zeros(ZEROS_PIECE_BYTES),
    barrier: Barrier::DataSync,
    flags: OFlags::empty(),
    pad: 1,
    again: false,
};

/// The second one is what all are compared with.
const VARIANTS: [Variant; 14] = [
    Variant { name: "zeros in 64 KiB pieces", room: Room::Zeros(64 << 10), ..PLAIN },
    PLAIN,
    Variant { name: "zeros in 1 MiB pieces", room: Room::Zeros(1 << 20), ..PLAIN },
    Variant { name: "a file that grows", room: Room::Growing, ..PLAIN },
    Variant { name: "blocks reserved, not written", room: Room::Reserved, ..PLAIN },
    Variant { name: "`fsync`", barrier: Barrier::FullSync, ..PLAIN },
    Variant { name: "`pwritev2` with `RWF_DSYNC`", barrier: Barrier::Dsync, ..PLAIN },
    Variant { name: "`O_DSYNC`", barrier: Barrier::Opened, flags: OFlags::DSYNC, ..PLAIN },
    Variant { name: "padded to 512 B, `fdatasync`", pad: 512, ..PLAIN },
    Variant { name: "padded to 4 KiB, `fdatasync`", pad: PAGE_BYTES, ..PLAIN },
    Variant {
        name: "padded to 4 KiB, `O_DIRECT`, `O_DSYNC`",
        barrier: Barrier::Opened,
        flags: OFlags::DIRECT.union(OFlags::DSYNC),
        pad: PAGE_BYTES,
        ..PLAIN
    },
    Variant {
        name: "padded to 4 KiB, `O_DIRECT`, `fdatasync`",
        flags: OFlags::DIRECT,
        pad: PAGE_BYTES,
        ..PLAIN
    },
    Variant {
        name: "the last 4 KiB written again, `O_DIRECT`, `O_DSYNC` (direct I/O)",
        barrier: Barrier::Opened,
        flags: OFlags::DIRECT.union(OFlags::DSYNC),
        pad: PAGE_BYTES,
        again: true,
        ..PLAIN
    },
    Variant {
        name: "the last 4 KiB written again, `O_DIRECT`, `fdatasync`",
        flags: OFlags::DIRECT,
        pad: PAGE_BYTES,
        again: true,
        ..PLAIN
    },
];

/// Makes the table.
pub(super) fn variants(session: &mut Session<'_>) -> Result<(), Failure> {
    let part = Part::fast("variants");
    let within = session.options.folder.clone();
    for bytes in session.sizes.records.clone() {
        let records = Records::new(bytes);
        let shape = Shape::commits(&records, session.sizes.commits);
        let turn = |variant: Variant| -> Result<Sample, Failure> {
            let scratch = Scratch::within(within.as_deref())?;
            variant.turn(&shape.plan(&scratch.join("log"), part))
        };
        // A file system may refuse a flag, or not have reserved blocks; then that variant has no figure.
        let side = |variant: Variant| Side {
            name: variant.name.to_owned(),
            required: variant.name == PLAIN.name,
            turn: Box::new(move || turn(variant)),
        };
        let mut sides = VARIANTS.map(side);
        let series = rounds(&mut sides, session.options.limits())?;
        drop(sides);
        debug_assert_eq!(series[BASE].name, PLAIN.name);
        session.found(part, &Case::bytes(bytes), &series);
    }
    let of_part = session.findings.iter().filter(|finding| finding.part == part);
    let of_part: Vec<Finding> = of_part.cloned().collect();
    let mut text = super::tables::peers(&of_part);
    text.push_str("\nRates over B3. Padding counts as what it costs: the device writes more.\n");
    session.block("variants", "Other ways to make a commit durable, one thread", text);
    Ok(())
}

impl Variant {
    fn turn(self, plan: &Plan<'_>) -> Result<Sample, Failure> {
        let file = self.file(plan)?;
        let mut frames = Framed::default();
        let mut aligned = Aligned::default();
        let mut at = 0;
        let watch = Stopwatch::start();
        for record in plan.all() {
            frames.clear();
            frames.push(record);
            let whole = frames.bytes().len();
            frames.pad(self.pad);
            let direct = self.flags.contains(OFlags::DIRECT);
            let bytes = match (direct, self.again) {
                (_, true) => aligned.behind(&frames.bytes()[..whole]),
                (true, false) => aligned.of(frames.bytes()),
                (false, false) => frames.bytes(),
            };
            self.commit(&file, bytes, at)?;
            at += bytes.len() as u64;
            plan.meter.wrote(bytes.len());
            if self.again {
                at -= aligned.keep();
            }
            plan.meter.synced();
        }
        let time = watch.stop();
        let counts = plan.meter.tally.counts();
        Ok(Sample { counts, ..Sample::timed(time, plan.count as u64) })
    }

    /// The file, with its room, durable.
    fn file(self, plan: &Plan<'_>) -> Result<File, Failure> {
        fs::create_dir_all(plan.folder)?;
        let path = plan.folder.join("log");
        let frame_bytes = Framed::frame_bytes(plan.records.bytes()).next_multiple_of(self.pad);
        let bytes = (frame_bytes * plan.count) as u64;
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        match self.room {
            Room::Growing => {}
            Room::Reserved => fallocate(&file, FallocateFlags::empty(), 0, bytes)?,
            Room::Zeros(piece) => fill_with_zeros(&file, bytes, piece)?,
        }
        file.sync_all()?;
        File::open(plan.folder)?.sync_all()?;
        if self.flags.is_empty() {
            return Ok(file);
        }
        let flags = i32::try_from(self.flags.bits())?;
        Ok(OpenOptions::new().write(true).custom_flags(flags).open(path)?)
    }

    fn commit(self, file: &File, bytes: &[u8], at: u64) -> Result<(), Failure> {
        match self.barrier {
            Barrier::Dsync => {
                let written = pwritev2(file, &[IoSlice::new(bytes)], at, ReadWriteFlags::DSYNC)?;
                if written != bytes.len() {
                    return Err("the system wrote less than asked".into());
                }
                return Ok(());
            }
            _ => file.write_all_at(bytes, at)?,
        }
        match self.barrier {
            Barrier::DataSync => Ok(file.sync_data()?),
            Barrier::FullSync => Ok(file.sync_all()?),
            Barrier::Dsync | Barrier::Opened => Ok(()),
        }
    }
}

/// A copy at an address that `O_DIRECT` takes.
#[derive(Default)]
struct Aligned {
    memory: Vec<u8>,
    /// How much of its beginning stands in the file already, in the page that the next commit goes to.
    kept: usize,
    /// Where the last commit ends in it.
    end: usize,
}

impl Aligned {
    fn of(&mut self, bytes: &[u8]) -> &[u8] {
        (self.kept, self.end) = (0, 0);
        self.behind(bytes)
    }

    /// The same, behind what is kept, and up to the end of a page.
    fn behind(&mut self, bytes: &[u8]) -> &[u8] {
        let (kept, end) = (self.kept, self.kept + bytes.len());
        let padded = end.next_multiple_of(PAGE_BYTES);
        if self.place().len() < padded {
            let head = self.place().get(..kept).unwrap_or_default().to_vec();
            self.memory = vec![0; padded + PAGE_BYTES];
            self.place()[..kept].copy_from_slice(&head);
        }
        self.end = end;
        let place = self.place();
        place[kept..end].copy_from_slice(bytes);
        place[end..padded].fill(0);
        &place[..padded]
    }

    /// Keeps the last page if it is not full, and says how far back from the end of what was written it begins.
    fn keep(&mut self) -> u64 {
        let (end, kept) = (self.end, self.end % PAGE_BYTES);
        self.place().copy_within(end - kept..end, 0);
        self.kept = kept;
        if kept == 0 { 0 } else { PAGE_BYTES as u64 }
    }

    fn place(&mut self) -> &mut [u8] {
        let start = self.memory.as_ptr().align_offset(PAGE_BYTES).min(self.memory.len());
        &mut self.memory[start..]
    }
}
