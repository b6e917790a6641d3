//! Time of a resume by the length of a torn record, for contents made to slow the search down: it must stay linear.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crc32c::crc32c_append;
use durability::storage::FsDirectory;
use durability::walog::{RawWalWriter, WalOptions};
use durability_benches::{Failure, Records, Scratch, Stopwatch, Time};

use crate::options::Options;

const LOG_ID: u64 = 7;
const SMALL_BYTES: usize = 1_600 << 10;
const LARGE_BYTES: usize = 16_000 << 10;
/// Ten times the bytes must take less than ten times the time.
const RATIO_MAX: f64 = 10.0;

/// What the torn record's payload holds. The record's own header is lost, so the search looks at all of it.
#[derive(Debug, Clone, Copy)]
enum Payload {
    /// Frames of the same log, copied: headers that verify nowhere but where they were.
    Copied,
    /// Headers that verify where they stand, of empty frames: as many as there is room for.
    Forged,
    /// The same, and each claims an entry so far ahead that none may follow.
    ForgedOutOfOrder,
    /// Random bytes.
    Random,
    /// Zeros: room that was reserved.
    Zeros,
}

/// Prints the table; fails if a search is worse than linear.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    println!(
        "time of opening a log with a torn record, in ms of the processor, the least of {} rounds\n",
        options.rounds
    );
    println!("| payload | 1.6 MB | 16 MB | ratio |");
    println!("|---|---|---|---|");
    let mut worst: f64 = 0.0;
    for payload in [
        Payload::Copied,
        Payload::Forged,
        Payload::ForgedOutOfOrder,
        Payload::Random,
        Payload::Zeros,
    ] {
        let (mut small, mut large) = (f64::MAX, f64::MAX);
        for _ in 0..options.rounds {
            small = small.min(resume(payload, SMALL_BYTES)?);
            large = large.min(resume(payload, LARGE_BYTES)?);
        }
        worst = worst.max(large / small);
        println!("| {payload:?} | {small:.2} | {large:.2} | {:.1} |", large / small);
    }
    // Equal costs for each byte give ten, less what does not depend on the bytes: the limit allows for noise.
    if worst > RATIO_MAX * 1.2 {
        return Err(format!("ten times the bytes took {worst:.1} times the time").into());
    }
    Ok(())
}

fn resume(payload: Payload, bytes: usize) -> Result<f64, Failure> {
    let scratch = Scratch::new()?;
    write_log(scratch.path(), payload, bytes)?;
    let dir = FsDirectory::new(scratch.path())?;
    let watch = Stopwatch::start();
    let wal = RawWalWriter::open(dir, options())?;
    let time: Time = watch.stop();
    if wal.entry_count() != 1 {
        return Err(format!("{payload:?}: {} entries", wal.entry_count()).into());
    }
    Ok(time.cpu.as_secs_f64() * 1e3)
}

fn options() -> WalOptions {
    WalOptions::new().log_id(LOG_ID)
}

fn write_log(folder: &Path, payload: Payload, bytes: usize) -> Result<(), Failure> {
    let mut wal = RawWalWriter::new(FsDirectory::new(folder)?, options())?;
    wal.append(b"whole")?;
    wal.flush()?;
    drop(wal);
    let path = folder.join("wal/00000001.WAL");
    let whole = fs::read(&path)?;
    let mut tail = vec![0xA5; 16];
    let start = whole.len() as u64;
    match payload {
        Payload::Zeros => tail.resize(bytes, 0),
        Payload::Random => tail.extend_from_slice(&Records::new(1 << 10).fill(bytes)),
        Payload::Copied => {
            let frame = whole.get(72..).unwrap_or_default();
            while tail.len() < bytes {
                tail.extend_from_slice(frame);
            }
        }
        Payload::Forged | Payload::ForgedOutOfOrder => {
            let salt = crc32c_append(crc32c_append(0, &LOG_ID.to_le_bytes()), &1_u32.to_le_bytes());
            let mut position = 2_u32;
            while tail.len() < bytes {
                let offset = start as u32 + tail.len() as u32;
                let fields = u64::from(position) << 32;
                let checksum = crc32c_append(salt ^ offset, &fields.to_le_bytes());
                tail.extend_from_slice(&fields.to_le_bytes());
                tail.extend_from_slice(&checksum.to_le_bytes());
                tail.extend_from_slice(&[0x5A; 4]);
                position = match payload {
                    Payload::Forged => position + 1,
                    _ => 1 << 30,
                };
            }
        }
    }
    let mut file = OpenOptions::new().append(true).open(&path)?;
    file.write_all(&tail)?;
    Ok(file.sync_all()?)
}
