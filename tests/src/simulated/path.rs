//! The way to a state, as one line of text.
//!
//! Must never hold more than is needed to walk it again: same workload, same disk, same limits, same state.
//!
//! `sim1:0:1024:64 less:2,0 io@3/7.1.12 4.0.killed end`: seed, combinations and samples of the survivor limits, with those of
//! later crashes behind a `+`; which of its smaller programs the workload was shrunk to, and which of that one's; for each
//! life the fault that struck, the moment of the crash among those that changed the disk, the number of its journal entries by
//! then, and the state that was left.

use core::fmt;
use core::str::FromStr;

use super::SurvivorLimits;
use super::fault::{Fault, FaultKind};

/// What a crash left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The process died, the cache lives.
    Killed,
    /// The power was cut; which of the states it left.
    PowerCut(usize),
}

/// One life that ended in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) fault: Option<Fault>,
    /// Which of the life's snapshots.
    pub(super) snapshot: usize,
    /// How many of the life's journal entries were written by then.
    pub(super) entries: usize,
    pub(super) left: Left,
}

/// Several lives that ended in crashes, and one that showed what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// Of the first crash, and of those that have others; the last goes for the rest.
    pub(super) limits: Vec<SurvivorLimits>,
    /// Which of the smaller programs, again and again.
    pub(super) less: Vec<usize>,
    pub(super) steps: Vec<Step>,
    /// The fault of the last life.
    pub(super) fault: Option<Fault>,
}

impl Path {
    pub(super) fn limits_at(&self, crash: usize) -> SurvivorLimits {
        let known = self.limits.get(crash).or(self.limits.last());
        known.copied().unwrap_or_default()
    }
}

struct FaultText(Option<Fault>);

impl fmt::Display for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |fault| write!(f, "{}@{}/", fault.kind.code(), fault.at))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, limits) in self.limits.iter().enumerate() {
            let SurvivorLimits { seed, exhaustive_max, samples } = limits;
            let head = if at == 0 { "sim1:" } else { "+" };
            write!(f, "{head}{seed}:{exhaustive_max}:{samples}")?;
        }
        for (at, index) in self.less.iter().enumerate() {
            write!(f, "{}{index}", if at == 0 { " less:" } else { "," })?;
        }
        write!(f, " ")?;
        for step in &self.steps {
            write!(f, "{}{}.{}.", FaultText(step.fault), step.snapshot, step.entries)?;
            match step.left {
                Left::Killed => write!(f, "killed ")?,
                Left::PowerCut(state) => write!(f, "{state} ")?,
            }
        }
        write!(f, "{}end", FaultText(self.fault))
    }
}

/// A text that is no replay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("replay: {word:?} is not {expected}")]
pub struct BadReplay {
    pub(super) word: String,
    pub(super) expected: &'static str,
}

fn bad(word: &str, expected: &'static str) -> BadReplay {
    BadReplay { word: word.to_owned(), expected }
}

fn number<T: FromStr>(word: &str) -> Result<T, BadReplay> {
    word.parse().map_err(|_| bad(word, "a number"))
}

const HEAD: &str = "the head of a replay, such as sim1:0:1024:64";

fn limits(words: &str) -> Result<SurvivorLimits, BadReplay> {
    let fields: Vec<&str> = words.split(':').collect();
    let [seed, exhaustive_max, samples] = fields[..] else { return Err(bad(words, HEAD)) };
    let limits = SurvivorLimits::new().with_seed(number(seed)?);
    Ok(limits.with_exhaustive_max(number(exhaustive_max)?).with_samples(number(samples)?))
}

fn fault(word: &str) -> Result<(Option<Fault>, &str), BadReplay> {
    let Some((fault, rest)) = word.split_once('/') else { return Ok((None, word)) };
    let (code, at) = fault.split_once('@').ok_or_else(|| bad(fault, "a fault, such as io@3"))?;
    let kind = FaultKind::from_code(code).ok_or_else(|| bad(code, "a kind of fault"))?;
    Ok((Some(Fault { at: number(at)?, kind }), rest))
}

impl FromStr for Path {
    type Err = BadReplay;

    fn from_str(text: &str) -> Result<Self, BadReplay> {
        let mut words = text.split_whitespace();
        let head = words.next().unwrap_or_default();
        let all = head.strip_prefix("sim1:").ok_or_else(|| bad(head, HEAD))?;
        let mut path = Self {
            limits: all.split('+').map(limits).collect::<Result<_, _>>()?,
            ..Self::default()
        };
        for word in words {
            if let Some(less) = word.strip_prefix("less:") {
                path.less = less.split(',').map(number).collect::<Result<_, _>>()?;
                continue;
            }
            let (fault, rest) = fault(word)?;
            if rest == "end" {
                path.fault = fault;
                return Ok(path);
            }
            let fields: Vec<&str> = rest.split('.').collect();
            let [snapshot, entries, left] = fields[..] else {
                return Err(bad(rest, "a crash, such as 3.1.7 or 3.1.killed"));
            };
            let left = if left == "killed" { Left::Killed } else { Left::PowerCut(number(left)?) };
            let (snapshot, entries) = (number(snapshot)?, number(entries)?);
            path.steps.push(Step { fault, snapshot, entries, left });
        }
        Err(bad(text, "complete: it lacks its \"end\""))
    }
}
