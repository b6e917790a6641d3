//! Running a program under `strace`: to write down what it does, or to kill it at one of its calls.
//!
//! Must never go on as if it had traced, where it could not: whoever asks is told why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::TraceError;
use super::read::TraceReader;
use super::step::Trace;
use crate::simulated::SimulatedDisk;

/// Everything that goes through paths and descriptors, and what makes processes that share them.
const CALLS: &str = "trace=%file,%desc,clone,clone3,fork,vfork,sync,io_uring_setup";
/// Longer than any write that is traced.
const STRING_BYTES: &str = "16777216";

/// Runs programs under `strace`.
///
/// The program works in a folder, and writes *marks* into a file outside of it: lines that say what it was asked for, and
/// what it promised. Each mark must be one `write` of one whole line, before the operation that it announces, or after
/// the one that it acknowledges.
#[derive(Debug, Clone)]
pub struct Tracer {
    folder: PathBuf,
    marks: PathBuf,
}

impl Tracer {
    /// For a folder that exists, and a file of marks that may not yet.
    ///
    /// # Errors
    /// If tracing does not work here ([`TraceError::Unavailable`]), or there is no such folder.
    pub fn new(folder: &Path, marks: &Path) -> Result<Self, TraceError> {
        let canonical = |path: &Path| {
            let doing = || format!("finding {}", path.display());
            fs::canonicalize(path).map_err(|source| TraceError::Io { doing: doing(), source })
        };
        let above = canonical(marks.parent().unwrap_or(Path::new(".")))?;
        let marks = above.join(marks.file_name().unwrap_or_default());
        let tracer = Self { folder: canonical(folder)?, marks };
        tracer.check()?;
        Ok(tracer)
    }

    fn check(&self) -> Result<(), TraceError> {
        let unavailable = |why: String| Err(TraceError::Unavailable(why));
        let log = self.log();
        let tried = Command::new("strace").arg("-o").arg(&log).arg("true").output();
        match tried {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                unavailable("strace is not installed".to_owned())
            }
            Err(error) => unavailable(format!("strace cannot be run: {error}")),
            Ok(output) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                unavailable(format!("strace is installed, and may not trace here: {said}"))
            }
            Ok(_) => Ok(()),
        }
    }

    /// The program's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of marks.
    pub fn marks(&self) -> &Path {
        &self.marks
    }

    /// Where the last trace's text is, for whoever wants to read a failure.
    pub fn log(&self) -> PathBuf {
        self.marks.with_extension("strace")
    }

    /// Runs a program, and reads what it did to the folder, which held at first what `start` holds.
    ///
    /// # Errors
    /// If it fails, or did something that is not understood.
    pub fn record(&self, command: &Command, start: &SimulatedDisk) -> Result<Trace, TraceError> {
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-y",
            "-qq",
            "-xx",
            "-s",
            STRING_BYTES,
            "-e",
            CALLS,
            "-e",
            "signal=none",
        ]);
        strace.arg("-o").arg(self.log());
        let output = run(strace, command)?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            return Err(TraceError::Failed(format!("{}: {said}", output.status)));
        }
        let text = fs::read_to_string(self.log());
        let doing = || format!("reading {}", self.log().display());
        let text = text.map_err(|source| TraceError::Io { doing: doing(), source })?;
        TraceReader::new(&self.folder, &self.marks).starting_from(start).read(&text)
    }

    /// Runs a program, and kills it with `SIGKILL` as it makes the call of this name for the `when`-th time: the call has no effect
    /// any more. Whether that moment came is in the status.
    ///
    /// [`Step::call`](super::Step::call) and [`Step::ordinal`](super::Step::ordinal) of a recorded trace say what to pass.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn kill(&self, command: &Command, call: &str, when: u32) -> Result<Output, TraceError> {
        let mut strace = Command::new("strace");
        let inject = format!("inject={call}:signal=SIGKILL:when={when}");
        strace.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &inject]);
        strace.args(["-e", "signal=none", "-o", "/dev/null"]);
        run(strace, command)
    }
}

/// Runs a program below another.
fn run(mut strace: Command, command: &Command) -> Result<Output, TraceError> {
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    let output = strace.stdin(Stdio::null()).output();
    output.map_err(|source| TraceError::Io { doing: "running strace".to_owned(), source })
}
