//! One round: start a writer, kill it, sometimes kill who recovers from that too, recover, judge.

use core::fmt;
use std::error::Error;
use std::io::{self, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, thread};

use crate::arguments::{Demo, WRITER};
use crate::claims::{Claims, Contradiction};
use crate::judge::{Judge, Wrong};
use crate::random::Random;
use crate::sabotage::{self, Sabotage};
use crate::table::Row;
use crate::text::Text;

/// Why a round does not count as survived.
#[derive(Debug)]
pub(crate) enum Violation {
    /// The log does not hold what was claimed.
    Contradiction(Contradiction),
    /// The log is wrong in itself.
    Wrong(Wrong),
    /// The writer ended before it was killed: something failed that no crash explains.
    Ended(ExitStatus),
    /// The demonstration itself failed.
    Demonstration(Box<dyn Error>),
}

/// When to kill a writer.
enum Moment {
    /// That long after its start: it is opening the log, or has just done so.
    Start(Duration),
    /// That long after so many messages.
    Work { messages: u64, then: Duration },
}

pub(crate) struct Rounds<'d> {
    demo: &'d Demo,
    path: &'d Path,
    judge: Judge<'d>,
    random: Random,
    claims: Claims,
}

impl<'d> Rounds<'d> {
    pub(crate) fn new(demo: &'d Demo, text: &'d Text, path: &'d Path) -> Self {
        let (judge, random) = (Judge::new(text), Random::new(demo.seed));
        Self { demo, path, judge, random, claims: Claims::default() }
    }

    /// Plays a round, and writes down in `row` what happened.
    pub(crate) fn play(&mut self, row: &mut Row) -> Result<(), Violation> {
        let moment = if self.random.one_in(8) {
            self.at_start()
        } else {
            // A long wait mostly finds the writer in a sync, a short one in the appends behind the message.
            let micros = if self.random.one_in(2) { 1500 } else { 50 };
            Moment::Work {
                messages: self.random.between(1, 150),
                then: Duration::from_micros(self.random.between(0, micros)),
            }
        };
        let killed = self.kill(&moment, row);
        self.note_claims(row);
        killed?;
        // Whoever recovers may be killed as well, and whoever recovers from that.
        while self.random.one_in(4) {
            let moment = self.at_start();
            self.kill(&moment, row)?;
            self.note_claims(row);
        }
        if self.demo.sabotage == Some(Sabotage::Cut) {
            sabotage::cut(self.path, self.claims.flushed).map_err(Violation::Demonstration)?;
        }
        let close = self.random.one_in(4);
        let recovery = self.judge.recover(self.path, close).map_err(Violation::Wrong)?;
        row.recovered = recovery.last;
        row.lost = row.flushed.saturating_sub(recovery.last);
        row.torn_bytes = recovery.torn_bytes;
        row.checkpoint = recovery.checkpoint;
        row.time = recovery.time;
        Ok(self.claims.found(recovery.last)?)
    }

    fn note_claims(&self, row: &mut Row) {
        (row.acknowledged, row.flushed) = (self.claims.durable, self.claims.flushed);
    }

    fn at_start(&mut self) -> Moment {
        Moment::Start(Duration::from_micros(self.random.between(0, 4000)))
    }

    /// Starts a writer, kills it, and hears what it had to say until then.
    fn kill(&mut self, moment: &Moment, row: &mut Row) -> Result<(), Violation> {
        let mut writer = self.start()?;
        let pipe =
            writer.stdout.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let mut lines = BufReader::new(pipe);
        let mut left = match *moment {
            Moment::Start(after) => {
                thread::sleep(after);
                0
            }
            Moment::Work { messages, .. } => messages,
        };
        while left > 0 && self.hear(&mut lines)? {
            left -= 1;
        }
        if let Moment::Work { then, .. } = *moment {
            thread::sleep(then);
        }
        // SIGKILL, or what the system has in its place. That the writer is gone already is not yet known here.
        writer.kill()?;
        row.kills += 1;
        while self.hear(&mut lines)? {}
        let status = writer.wait()?;
        if was_killed(status) { Ok(()) } else { Err(Violation::Ended(status)) }
    }

    fn start(&mut self) -> io::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(WRITER).arg("--dir").arg(self.path);
        command.args(["--seed", &self.random.next().to_string()]);
        if let Some(file) = &self.demo.file {
            command.arg("--file").arg(file);
        }
        if let Some(sabotage) = self.demo.sabotage {
            command.args(["--sabotage", sabotage.word()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }

    /// Hears the next message; `false` at the end.
    fn hear(&mut self, lines: &mut impl io::BufRead) -> Result<bool, Violation> {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let message =
            line.parse().map_err(|error: String| Violation::Demonstration(error.into()))?;
        self.claims.hear(message)?;
        Ok(true)
    }
}

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status).is_some()
}

/// Where a kill is an exit with a code, it cannot be told from a failure.
#[cfg(not(unix))]
fn was_killed(status: ExitStatus) -> bool {
    !status.success()
}

impl From<Contradiction> for Violation {
    fn from(contradiction: Contradiction) -> Self {
        Self::Contradiction(contradiction)
    }
}

impl From<io::Error> for Violation {
    fn from(error: io::Error) -> Self {
        Self::Demonstration(error.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction(contradiction) => contradiction.fmt(f),
            Self::Wrong(wrong) => wrong.fmt(f),
            Self::Ended(status) => write!(f, "the writer ended by itself: {status}"),
            Self::Demonstration(error) => write!(f, "the demonstration failed: {error}"),
        }
    }
}
