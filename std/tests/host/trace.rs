//! Runs a helper process under `strace` and hands out the system calls that it made on its own folder.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::common::{helper, skip};

/// One system call, as `strace` wrote it down, with descriptors resolved to paths.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The call's name.
    pub(crate) name: String,
    /// The whole line.
    pub(crate) line: String,
}

/// What a traced helper did.
#[derive(Debug)]
pub(crate) struct Trace {
    calls: Vec<Call>,
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

/// Puts a mark into the trace: a look at a file that does not exist.
pub(crate) fn mark(folder: &Path, mark: &str) {
    assert!(!folder.join(format!("mark-{mark}")).exists());
}

/// Whether tracing works here; says so if not.
pub(crate) fn can_trace() -> bool {
    if Command::new("strace").arg("-V").output().is_err() {
        skip("strace is not installed");
        return false;
    }
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let works = traced.is_ok_and(|output| output.status.success());
    if !works {
        skip("strace is installed, and may not trace here");
    }
    works
}

/// Runs a helper test on a folder, with faults in the form of `strace -e inject=...`.
pub(crate) fn run(test: &str, folder: &Path, faults: &[&str]) -> Trace {
    let log = folder.with_extension("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-s", "16", "-e", "trace=%file,%desc", "-o"]).arg(&log);
    for fault in faults {
        command.args(["-e", &format!("inject={fault}")]);
    }
    let output = helper(command, test, folder).output().unwrap();
    let folder = folder.to_str().unwrap();
    let calls = fs::read_to_string(log).unwrap().lines().filter_map(parse).collect::<Vec<_>>();
    Trace {
        calls: calls.into_iter().filter(|call| call.line.contains(folder)).collect(),
        status: output.status,
        output: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    }
}

fn parse(line: &str) -> Option<Call> {
    let (_process, call) = line.split_once(' ')?;
    let (name, _arguments) = call.trim_start().split_once('(')?;
    Some(Call { name: name.to_owned(), line: line.to_owned() })
}

impl Trace {
    /// The calls between two marks, without what only looks: openings, closings and questions for metadata.
    pub(crate) fn between(&self, from: &str, to: &str) -> Vec<&Call> {
        let place = |mark: &str| {
            let mark = format!("/mark-{mark}\"");
            self.calls.iter().position(|call| call.line.contains(&mark)).expect("no such mark")
        };
        let looks = ["open", "openat", "close", "statx", "fstat", "newfstatat", "fcntl", "lseek"];
        let calls = self.calls[place(from) + 1..place(to)].iter();
        calls.filter(|call| !looks.contains(&&*call.name)).collect()
    }

    /// Their names.
    pub(crate) fn names_between(&self, from: &str, to: &str) -> Vec<&str> {
        self.between(from, to).into_iter().map(|call| &*call.name).collect()
    }

    /// Their names, each with the last component of the path of its descriptor.
    pub(crate) fn steps_between(&self, from: &str, to: &str) -> Vec<String> {
        let last = |line: &str| {
            let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            path.and_then(|(path, _)| path.rsplit_once('/')).map(|(_, last)| last.to_owned())
        };
        let step = |call: &Call| format!("{} {}", call.name, last(&call.line).unwrap_or_default());
        self.between(from, to).into_iter().map(step).collect()
    }
}
