//! The programs of tests that are run with planted bugs, and building them next to the ordinary build.
//!
//! Must never build them into the folder of the ordinary build: nobody shall find a bug there.

use std::env;
use std::path::{Path, PathBuf};
#[cfg(not(durability_mutants))]
use std::process::{Command, ExitCode, Stdio};

use crate::Failed;

/// A program that may find a bug: of tests, but for the traced runs.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(durability_mutants), allow(dead_code, reason = "the second process reads the rest"))]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The folder of its package, in which Cargo would start it.
    pub(crate) package: &'static str,
    /// The tier of proofs that it belongs to.
    pub(crate) tier: u8,
}

/// The program of the traced runs, which Cargo builds with the tests of its package.
pub(crate) const TRACED: Program = program("traced", "tests", 6);

const fn program(name: &'static str, package: &'static str, tier: u8) -> Program {
    Program { name, package, tier }
}

/// All of them.
pub(crate) const PROGRAMS: &[Program] = &[
    program("attack_publish", "tests", 2),
    program("census", "tests", 3),
    program("compact", "core", 2),
    program("failures", "tests", 2),
    program("fixed_faults", "tests", 2),
    program("fixed_worlds", "core", 2),
    program("flash", "tests", 2),
    program("flash_async", "tests", 2),
    program("host", "std", 2),
    program("interleavings", "tests", 8),
    program("prepared", "tests", 2),
    program("recordlog_search", "core", 2),
    program("shared", "tests", 8),
    TRACED,
    program("wal_closed", "core", 2),
    program("wal_on_backends", "tests", 2),
];

/// The variable that says where a program is.
fn variable(name: &str) -> String {
    format!("DURABILITY_MUTANTS_{}", name.to_uppercase())
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(durability_mutants)]
impl Program {
    pub(crate) fn named(name: &str) -> Result<Self, Failed> {
        let found = PROGRAMS.iter().find(|program| program.name == name);
        found.copied().ok_or_else(|| format!("there is no program of tests {name}").into())
    }

    /// Where it is: the first process has built it, and says so.
    pub(crate) fn path(self) -> Result<PathBuf, Failed> {
        let path = env::var_os(variable(self.name)).map(PathBuf::from);
        path.ok_or_else(|| "start me with `cargo run -p durability-testkit --bin mutants`".into())
    }
}

/// Builds this program and those of the tests with the bugs in, and hands over.
#[cfg(not(durability_mutants))]
pub(crate) fn run_with_bugs(arguments: &[String]) -> Result<ExitCode, Failed> {
    let folder =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Optimised, with debug assertions: without them, planted bugs refuse to build.
    build.args([
        "test",
        "--no-run",
        "--profile",
        "mutants",
        "--message-format=json-render-diagnostics",
    ]);
    // The tests of a package come with its programs, this one too.
    build.args(["-p", "durability-core", "-p", "durability", "-p", "durability-testkit"]);
    for program in PROGRAMS.iter().filter(|program| program.name != TRACED.name) {
        build.args(["--test", program.name]);
    }
    build.current_dir(root()).stderr(Stdio::inherit());
    build.env("CARGO_TARGET_DIR", std::path::absolute(folder)?.join("planted"));
    build.env("RUSTFLAGS", format!("{flags} --cfg durability_mutants"));
    let output = build.output()?;
    if !output.status.success() {
        return Err("the crates do not build with planted bugs".into());
    }
    let told = String::from_utf8(output.stdout)?;
    let mut second = Command::new(executable(&told, "mutants")?);
    second.args(arguments);
    for program in PROGRAMS {
        second.env(variable(program.name), executable(&told, program.name)?);
    }
    let code = second.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The program of this name, by what Cargo says of it: one line of JSON each.
#[cfg(not(durability_mutants))]
fn executable(told: &str, name: &str) -> Result<PathBuf, Failed> {
    let found = told.lines().find_map(|line| {
        let (_, target) = line.split_once("\"target\":")?;
        let path = field(line, "\"executable\":\"")?;
        (field(target, "\"name\":\"")? == name).then(|| PathBuf::from(path))
    });
    found.ok_or_else(|| format!("Cargo has built no program {name}").into())
}

/// The text behind a key; it has no escapes.
#[cfg(not(durability_mutants))]
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(key)?;
    rest.split_once('"').map(|(text, _)| text)
}
