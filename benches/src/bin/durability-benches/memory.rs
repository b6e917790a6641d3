//! Memory of replay and resume: what a process needs at its peak beyond what it needs to start, as Linux tells.

use std::fs;
use std::path::Path;
use std::process::Command;

use durability::ReadMode;
use durability::storage::FsDirectory;
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_benches::{Failure, Plain, Records, Scratch, Setup, Workload};

const RECORD_BYTES: usize = 1 << 10;
const LIMIT_KIB: u64 = 8 << 10;
/// One segment for all: the scan of the tail is then a scan of the whole log.
const SEGMENT_BYTES: u64 = u32::MAX as u64;

/// Prints the table; fails above the limit.
pub(crate) fn run() -> Result<(), Failure> {
    println!("resident memory at the peak, beyond that at the start\n");
    println!("| log | work | KiB |");
    println!("|---|---|---|");
    for mib in [16, 1024] {
        let scratch = Scratch::new()?;
        let records = Records::new(RECORD_BYTES);
        let count = records.count_for(mib << 20);
        let folder = scratch.join("log");
        let setup =
            Setup { folder: &folder, segment_bytes: SEGMENT_BYTES, records: &records, count };
        Plain.run(Workload::Append, &setup)?;
        for work in ["replay", "resume"] {
            let kib = in_child(work, &folder)?;
            println!("| {mib} MiB | {work} | {kib} |");
            if kib > LIMIT_KIB {
                return Err(format!("{work} of {mib} MiB needs {kib} KiB").into());
            }
        }
    }
    Ok(())
}

fn in_child(work: &str, folder: &Path) -> Result<u64, Failure> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["memory-of", work]).arg(folder).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let error = || format!("{work}: {text}{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(error().into());
    }
    text.trim().parse().map_err(|_| error().into())
}

/// The child: `replay|resume FOLDER`. Prints KiB.
pub(crate) fn child(rest: &[String]) -> Result<(), Failure> {
    let [work, folder] = rest else { return Err("memory-of replay|resume FOLDER".into()) };
    let options = WalOptions::new().segment_bytes(SEGMENT_BYTES);
    let dir = FsDirectory::new(folder)?;
    let before = peak_kib()?;
    if work == "replay" {
        let mut reader = RawWalReader::open(dir, options)?;
        let mut entries = reader.entries(ReadMode::Strict)?;
        while let Some(entry) = entries.next()? {
            std::hint::black_box(entry.payload);
        }
    } else {
        let mut wal = RawWalWriter::open(dir, options)?;
        wal.append(b"one more")?;
        wal.close()?;
    }
    println!("{}", peak_kib()?.saturating_sub(before));
    Ok(())
}

/// The most resident memory that this process ever had.
fn peak_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("this system does not tell the peak of memory")?.trim().parse()?)
}
