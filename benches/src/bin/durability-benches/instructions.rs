//! Instructions a record, counted by `valgrind --tool=callgrind`: the same in every run, whatever else the machine does.
//!
//! Each side runs alone, once with N records and once with 2 N; the difference leaves out opening and closing.

use std::env;
use std::path::Path;
use std::process::Command;

use durability_benches::{Failure, Ours, Plain, Records, Scratch, Setup, Workload};

use crate::options::Options;

const COUNT: usize = 4000;

/// What can be counted: nothing that waits.
const CASES: [(&str, Workload); 8] = [
    ("append", Workload::AppendNowhere),
    ("batch", Workload::BatchNowhere),
    ("append-file", Workload::Append),
    ("append-flush", Workload::AppendFlush),
    ("append-sync", Workload::AppendSync),
    ("replay", Workload::Replay),
    ("batch-replay", Workload::ReplayBatches),
    ("resume", Workload::Resume),
];

/// Runs all cases and prints a table.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    println!("instructions a record in this process, the system's own not counted\n");
    println!("| workload | record | ours | baseline | ours / baseline |");
    println!("|---|---|---|---|---|");
    for (name, workload) in CASES {
        if !name.contains(&options.only) {
            continue;
        }
        for &bytes in &options.record_bytes {
            let ours = per_record(name, workload, "ours", bytes)?;
            let plain = per_record(name, workload, "baseline", bytes)?;
            println!("| {name} | {bytes} B | {ours:.0} | {plain:.0} | {:.2} |", ours / plain);
        }
    }
    Ok(())
}

fn per_record(name: &str, workload: Workload, side: &str, bytes: usize) -> Result<f64, Failure> {
    let once = counted(name, workload, side, bytes, COUNT)?;
    let twice = counted(name, workload, side, bytes, 2 * COUNT)?;
    Ok(twice.saturating_sub(once) as f64 / COUNT as f64)
}

fn counted(
    name: &str,
    workload: Workload,
    side: &str,
    bytes: usize,
    count: usize,
) -> Result<u64, Failure> {
    let scratch = Scratch::new()?;
    let log = scratch.join("log");
    let records = Records::new(bytes);
    workload.prepare(&setup(&log, &records, count))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["once", name, side, &bytes.to_string(), &count.to_string()])
        .arg(&log)
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    match line.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind failed: {text}").into()),
    }
}

fn setup<'a>(folder: &'a Path, records: &'a Records, count: usize) -> Setup<'a> {
    Setup { folder, segment_bytes: u64::from(u32::MAX), records, count }
}

/// The child: `NAME SIDE BYTES COUNT FOLDER`.
pub(crate) fn once(rest: &[String]) -> Result<(), Failure> {
    let [name, side, bytes, count, folder] = rest else {
        return Err("once NAME ours|baseline BYTES COUNT FOLDER".into());
    };
    let case = CASES.iter().find(|case| case.0 == name);
    let (_, workload) = case.ok_or_else(|| format!("what is {name}?"))?;
    let records = Records::new(bytes.parse()?);
    let setup = setup(Path::new(folder), &records, count.parse()?);
    let time = match side.as_str() {
        "ours" => Ours.run(*workload, &setup)?,
        _ => Plain.run(*workload, &setup)?,
    };
    println!("{name} {side}: {:?}", time.wall);
    Ok(())
}
