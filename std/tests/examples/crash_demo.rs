//! The crash demonstration says yes when nothing is lost, and no when something is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::program::{Done, program};

fn demo(dir: &Path, arguments: &[&str]) -> Done {
    Done::of(&program("crash_demo").arg("--dir").arg(dir).args(arguments).output().unwrap())
}

#[test]
fn nothing_is_lost_and_the_table_says_so_without_a_progress_bar_in_a_file() {
    let scratch = tempfile::tempdir().unwrap();
    let done = demo(&scratch.path().join("log"), &["--rounds", "12", "--seed", "1"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.err, "");
    for part in [
        "12 rounds, seed 1, 3000 lines of a bundled logbook",
        "round  kills  acknowledged    flushed  recovered  torn bytes    lost  checkpoint    recovery",
        " 0 lost\n",
        "cargo test --release --test wal_crashes",
        "Nothing was lost, and every prefix was exact.",
    ] {
        assert!(done.out.contains(part), "{part:?} is not in {}", done.out);
    }
}

#[test]
fn the_lines_of_any_file_are_the_records() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("text");
    let mut text = b"\xFF is not UTF-8\r\n\n".to_vec();
    for number in 0..50 {
        let mut line = String::new();
        writeln!(line, "{number}{}", "long ".repeat(number * number)).unwrap();
        text.extend(line.into_bytes());
    }
    fs::write(&file, text).unwrap();
    let log = scratch.path().join("log");
    let done = demo(&log, &["--rounds", "4", "--seed", "2", "--file", file.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("52 lines of "), "{}", done.out);
}

/// The judge can say no: each planted loss is found, with round, seed and ids.
#[test]
fn a_planted_loss_is_found_and_ends_with_code_1() {
    for sabotage in ["early", "cut"] {
        let scratch = tempfile::tempdir().unwrap();
        let log = scratch.path().join("log");
        let done = demo(&log, &["--rounds", "40", "--seed", "3", "--sabotage", sabotage]);
        assert_eq!(done.code, Some(1), "{sabotage}: {done:?}");
        assert!(done.err.contains("FAILED in round "), "{}", done.err);
        assert!(done.err.contains(" with seed 3: "), "{}", done.err);
        // What is cut off may be less than a checkpoint holds that was published behind it: then the log says so itself.
        let told = ["recovery ends at ", "the log only up to "];
        assert!(told.iter().any(|told| done.err.contains(told)), "{}", done.err);
        assert!(done.err.contains(log.to_str().unwrap()), "{}", done.err);
        assert!(log.join("wal").is_dir(), "it is kept to be looked at");
        assert!(!done.out.contains("Nothing was lost"), "{}", done.out);
    }
}

#[test]
fn a_folder_with_a_log_is_left_alone_and_senseless_arguments_are_code_2() {
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("wal")).unwrap();
    fs::write(scratch.path().join("wal/00000001.WAL"), "somebody's").unwrap();
    let done = demo(scratch.path(), &[]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("holds a log already"), "{}", done.err);
    assert_eq!(fs::read(scratch.path().join("wal/00000001.WAL")).unwrap(), b"somebody's");
    let senseless: [&[&str]; 4] = [&["--rounds"], &["--rounds", "-1"], &["--seed", "x"], &["more"]];
    for arguments in senseless {
        let done = demo(scratch.path(), arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}");
        assert!(done.err.contains("usage: crash_demo"), "{}", done.err);
    }
}
