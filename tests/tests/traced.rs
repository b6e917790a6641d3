//! Real programs, traced: the library's own stores on real files, and programs that know nothing of it.
//!
//! The whole of it is a command: `cargo run --release -p durability-testkit --bin traced`.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::io::Write as _;
use std::process::Command;

use durability_core::storage::Name;
use durability_testkit::simulated::{DiskOptions, SimulatedDisk};
use durability_testkit::traced::{TraceError, Tracer, read_folder, write_folder};

/// Says so past the test harness, which would swallow it.
fn skip(reason: &str) {
    std::io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}

#[test]
fn the_adapter_survives_every_crash_of_its_traced_calls() {
    let output = Command::new(env!("CARGO_BIN_EXE_traced")).arg("--small").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    if let Some(line) = said.lines().find(|line| line.starts_with("skipped")) {
        skip(line);
    }
}

#[test]
fn what_a_strange_program_left_is_what_its_trace_leaves() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let marks = scratch.path().join("marks");
    let tracer = match Tracer::new(&folder, &marks) {
        Err(TraceError::Unavailable(why)) => return skip(&why),
        tracer => tracer.unwrap(),
    };
    let mut shell = Command::new("sh");
    shell.current_dir(tracer.folder()).arg("-c").arg(
        "mkdir d && echo one > d/a && echo two >> d/a && echo 'issued 1' >> ../marks && mv d/a b && ln b d/c \
         && (echo three; echo four) > e && rm b && dd if=e of=f 2> ../lost && rmdir d 2> ../lost; echo more >> d/c; : > e",
    );
    let trace = tracer.record(&shell, &SimulatedDisk::new(DiskOptions::new())).unwrap();
    let (disk, mut told) = (SimulatedDisk::new(DiskOptions::new()), Vec::new());
    trace.replay(&disk, |mark| told.push(mark.to_owned())).unwrap();
    assert_eq!(told, ["issued 1"]);
    let real = read_folder(tracer.folder(), DiskOptions::new()).unwrap();
    assert_eq!(disk.names(), real.names());
    for file in disk.names() {
        let file = Name::new(&file).unwrap();
        assert_eq!(disk.contents(file), real.contents(file), "{file:?}");
    }
    assert!(trace.steps().len() > 12 && trace.call_count() > 50, "{trace:#?}");

    // And back: the copy of a disk is the disk, hard links and all.
    let copy = scratch.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    write_folder(&disk, &copy).unwrap();
    assert_eq!(read_folder(&copy, DiskOptions::new()).unwrap().names(), real.names());
}

#[test]
fn a_program_that_fails_gives_no_trace() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let tracer = match Tracer::new(&folder, &scratch.path().join("marks")) {
        Err(TraceError::Unavailable(why)) => return skip(&why),
        tracer => tracer.unwrap(),
    };
    let failed = tracer.record(&Command::new("false"), &SimulatedDisk::new(DiskOptions::new()));
    assert!(matches!(failed, Err(TraceError::Failed(_))), "{failed:?}");
}
