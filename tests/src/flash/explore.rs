//! Cuts the power in every operation of a program on flash, lets it live on, and cuts it again.
//!
//! Must never go on after a law was broken, nor forget on which path it was.

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::backends::{NorChip, Tearing};
use crate::simulated::Violation;

use super::Tape;

/// A program on flash that knows what it may rely on.
pub trait FlashProgram<const READ: usize, const WRITE: usize, const ERASE: usize> {
    /// What the outside world knows: what was asked for, what was promised, what was seen.
    type Outside: Clone;

    /// Lives once: recovers, judges what it finds by what the tape knows, goes on, and tells the tape.
    ///
    /// The chip has power throughout; every error is a violation. Where the power is cut, the next life begins with what the tape knew
    /// at that moment. `life` counts from 0.
    ///
    /// # Errors
    /// The law that is broken.
    fn live(
        &self,
        chip: &mut NorChip<READ, WRITE, ERASE>,
        tape: &mut Tape<Self::Outside>,
        life: u32,
    ) -> Result<(), Violation>;
}

/// How far to go.
#[derive(Debug, Clone)]
pub struct Campaign {
    tearings: Vec<Tearing>,
    /// For each cut on a path, of how many possible ones one is tried.
    one_in: Vec<u64>,
}

impl Campaign {
    /// Paths of up to so many cuts, each at every operation and in every way.
    pub fn new(depth: usize) -> Self {
        Self { tearings: Tearing::ALL.to_vec(), one_in: vec![1; depth] }
    }

    /// Only these ways to tear an operation.
    #[must_use]
    pub fn tearings(mut self, tearings: &[Tearing]) -> Self {
        self.tearings = tearings.to_vec();
        self
    }

    /// Tries one in so many of the possible cuts in programs at a depth, counted from 1, and 64 times as many of those in erasures; always the same ones.
    #[must_use]
    pub fn one_in(mut self, depth: usize, count: u64) -> Self {
        if let Some(one_in) = depth.checked_sub(1).and_then(|at| self.one_in.get_mut(at)) {
            *one_in = count.max(1);
        }
        self
    }
}

/// One cut on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutAt {
    /// The operation of the chip, counted from its first life.
    pub operation: u64,
    /// How it was torn.
    pub tearing: Tearing,
}

impl fmt::Display for CutAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.operation, self.tearing)
    }
}

impl core::str::FromStr for CutAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no cut: expected one like 12:Front");
        let (operation, word) = text.split_once(':').ok_or_else(wrong)?;
        let operation = operation.parse().map_err(|_| wrong())?;
        let mut all = Tearing::ALL.into_iter();
        let tearing = all.find(|tearing| format!("{tearing:?}") == word).ok_or_else(wrong)?;
        Ok(Self { operation, tearing })
    }
}

/// A law was broken, after these cuts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashFailure {
    /// The cuts, in order.
    pub path: Vec<CutAt>,
    /// What was broken.
    pub violation: Violation,
}

impl fmt::Display for FlashFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (cuts:", self.violation)?;
        for cut in &self.path {
            write!(f, " {cut}")?;
        }
        write!(f, ")")
    }
}

impl core::error::Error for FlashFailure {}

/// What a campaign has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlashFigures {
    cuts: Vec<u64>,
    operations: u64,
    lives: u64,
}

impl FlashFigures {
    /// Cuts judged, by their number on a path: first ones, second ones, ...
    pub fn cuts(&self) -> &[u64] {
        &self.cuts
    }

    /// All cuts judged.
    pub fn all_cuts(&self) -> u64 {
        self.cuts.iter().sum()
    }

    /// Operations of the first life, each of which was cut in every way.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// How often the program lived.
    pub const fn lives(&self) -> u64 {
        self.lives
    }
}

/// Lets a program live on a chip, cuts the power in each operation of that life, and judges each chip that this leaves by letting the program live on it;
/// and so on, down to the campaign's depth.
///
/// # Errors
/// The first law that is broken, with the path to it, which [`replay`] takes.
pub fn explore<P, const READ: usize, const WRITE: usize, const ERASE: usize>(
    program: &P,
    chip: NorChip<READ, WRITE, ERASE>,
    outside: P::Outside,
    campaign: &Campaign,
) -> Result<FlashFigures, FlashFailure>
where
    P: FlashProgram<READ, WRITE, ERASE>,
{
    let figures = FlashFigures { cuts: vec![0; campaign.one_in.len()], ..FlashFigures::default() };
    let mut explorer = Explorer { program, campaign, path: Vec::new(), figures };
    explorer.live(chip, outside)?;
    Ok(explorer.figures)
}

/// Goes one path, and judges what is at its end.
///
/// # Errors
/// The law that is broken.
///
/// # Panics
/// If there is no such path.
pub fn replay<P, const READ: usize, const WRITE: usize, const ERASE: usize>(
    program: &P,
    mut chip: NorChip<READ, WRITE, ERASE>,
    mut outside: P::Outside,
    path: &[CutAt],
) -> Result<(), FlashFailure>
where
    P: FlashProgram<READ, WRITE, ERASE>,
{
    for (life, cut) in (0..).zip(path) {
        chip.record_cuts(&[cut.tearing], 1);
        let mut tape = Tape::new(outside);
        let lived = one_life(program, &mut chip, &mut tape, life);
        let cuts = chip.take_cuts();
        let found = cuts.into_iter().find(|found| found.operation == cut.operation);
        let Some(found) = found else {
            let path = path.iter().take(life as usize).copied().collect();
            let missing = Violation { law: "the path exists", detail: format!("no cut {cut}") };
            return Err(FlashFailure { path, violation: lived.err().unwrap_or(missing) });
        };
        (chip, outside) = (found.chip, tape.at(cut.operation).clone());
    }
    let life = u32::try_from(path.len()).unwrap_or(u32::MAX);
    one_life(program, &mut chip, &mut Tape::new(outside), life)
        .map_err(|violation| FlashFailure { path: path.to_vec(), violation })
}

struct Explorer<'a, P> {
    program: &'a P,
    campaign: &'a Campaign,
    path: Vec<CutAt>,
    figures: FlashFigures,
}

impl<P> Explorer<'_, P> {
    fn live<const READ: usize, const WRITE: usize, const ERASE: usize>(
        &mut self,
        mut chip: NorChip<READ, WRITE, ERASE>,
        outside: P::Outside,
    ) -> Result<(), FlashFailure>
    where
        P: FlashProgram<READ, WRITE, ERASE>,
    {
        let depth = self.path.len();
        let one_in = self.campaign.one_in.get(depth).copied();
        if let Some(one_in) = one_in {
            chip.record_cuts(&self.campaign.tearings, one_in);
        }
        let before = chip.operations();
        let mut tape = Tape::new(outside);
        let life = u32::try_from(depth).unwrap_or(u32::MAX);
        one_life(self.program, &mut chip, &mut tape, life)
            .map_err(|violation| FlashFailure { path: self.path.clone(), violation })?;
        self.figures.lives += 1;
        if depth == 0 {
            self.figures.operations = chip.operations() - before;
        }
        for cut in chip.take_cuts() {
            if let Some(count) = self.figures.cuts.get_mut(depth) {
                *count += 1;
            }
            self.path.push(CutAt { operation: cut.operation, tearing: cut.tearing });
            self.live(cut.chip, tape.at(cut.operation).clone())?;
            self.path.pop();
        }
        Ok(())
    }
}

fn one_life<P, const READ: usize, const WRITE: usize, const ERASE: usize>(
    program: &P,
    chip: &mut NorChip<READ, WRITE, ERASE>,
    tape: &mut Tape<P::Outside>,
    life: u32,
) -> Result<(), Violation>
where
    P: FlashProgram<READ, WRITE, ERASE>,
{
    catch_unwind(AssertUnwindSafe(|| program.live(chip, tape, life))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let detail = text.unwrap_or("a panic without a message").to_owned();
        Err(Violation { law: "nothing panics", detail })
    })
}
