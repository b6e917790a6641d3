//! The README's commands: each names what is there, and those of the small examples run.

use std::fs;

use crate::program::{Done, program, root, run};

/// The lines of the README's `sh` blocks.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut inside = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        match line.trim_end() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() => commands.push(command.to_owned()),
            _ => {}
        }
    }
    commands
}

/// Whether there is a target of that name in one of the folders, as one file or as a folder.
fn exists(folders: &[&str], name: &str) -> bool {
    folders.iter().any(|folder| {
        let folder = root().join(folder);
        folder.join(format!("{name}.rs")).is_file() || folder.join(name).join("main.rs").is_file()
    })
}

#[test]
fn every_command_of_the_readme_names_what_is_there() {
    let commands = commands();
    assert!(commands.len() >= 2, "{commands:?}");
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "test"] => {}
            ["cargo", "run", "--example", name, ..]
            | ["cargo", "run", "--release", "--example", name, ..] => {
                assert!(exists(&["std/examples"], name), "{command}");
            }
            ["cargo", "test", "--release", "--test", name, ..] => {
                assert!(exists(&["core/tests", "std/tests", "tests/tests"], name), "{command}");
            }
            _ => panic!("teach this test what {command:?} needs"),
        }
    }
}

#[test]
fn the_small_examples_run_as_the_readme_has_them() {
    let scratch = tempfile::tempdir().unwrap();
    let demo = scratch.path().join("kv").to_str().unwrap().to_owned();
    let mut outputs = Vec::new();
    for command in commands() {
        let Some(call) = command.strip_prefix("cargo run --example ") else { continue };
        let (name, arguments) = call.split_once(" -- ").unwrap_or((call, ""));
        let arguments = arguments.replace("/tmp/kv-demo", &demo);
        let done = run(name, &arguments.split_whitespace().collect::<Vec<_>>());
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
        outputs.push(done.out);
    }
    assert!(outputs.contains(&"hello\n".to_owned()), "{outputs:?}");
}

#[test]
fn the_first_example_is_the_one_that_runs_and_finds_what_its_last_run_left() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```rust,no_run\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert!(shown.lines().count() <= 15, "the quick start has grown");
    let example = fs::read_to_string(root().join("std/examples/quick_start.rs")).unwrap();
    let is_head =
        |line: &&str| line.starts_with("//!") || line.starts_with("#![") || line.is_empty();
    let code: Vec<&str> = example.lines().skip_while(is_head).collect();
    assert_eq!(code, shown.lines().collect::<Vec<_>>());

    let scratch = tempfile::tempdir().unwrap();
    for (run, expected) in [
        "durable through entry Some(1)\n1: paid 12.50\n",
        "durable through entry Some(2)\n1: paid 12.50\n2: paid 12.50\n",
    ]
    .into_iter()
    .enumerate()
    {
        let mut quick_start = program("quick_start");
        for variable in ["TMPDIR", "TMP", "TEMP"] {
            quick_start.env(variable, scratch.path());
        }
        let done = Done::of(&quick_start.output().unwrap());
        assert_eq!((done.code, done.out.as_str()), (Some(0), expected), "run {run}: {done:?}");
    }
}

/// What the crash demonstration and CONTRIBUTING.md call the tests of power loss.
#[test]
fn the_tests_that_the_crash_demonstration_points_at_are_there() {
    assert!(exists(&["tests/tests"], "wal_crashes"));
}
