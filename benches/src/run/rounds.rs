//! Rounds: every side has its turn in each, in an order that changes, so that what disturbs the machine disturbs all.

use std::time::{Duration, Instant};

use super::sample::{Sample, Spread};
use crate::Failure;

/// Rounds that are made even when time is up.
const ROUNDS_MIN: usize = 3;

/// Something that has turns.
pub(super) struct Side<'a> {
    /// What it is called.
    pub name: String,
    /// Whether the run ends when it fails. Otherwise it is only left out from then on.
    pub required: bool,
    /// One turn.
    pub turn: Box<dyn FnMut() -> Result<Sample, Failure> + 'a>,
}

/// All turns of a side.
#[derive(Debug)]
pub(super) struct Series {
    /// What the side is called.
    pub name: String,
    /// One for each round; fewer if the side has failed.
    pub samples: Vec<Sample>,
    /// Why it failed, if so.
    pub failure: Option<String>,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many rounds at most, and usually.
    pub rounds: usize,
    /// No round is begun after that time, but for the first few.
    pub time: Duration,
}

/// Makes rounds, and a first one that is not counted.
pub(super) fn rounds(sides: &mut [Side<'_>], limits: Limits) -> Result<Vec<Series>, Failure> {
    let named =
        |side: &Side<'_>| Series { name: side.name.clone(), samples: Vec::new(), failure: None };
    let mut all: Vec<Series> = sides.iter().map(named).collect();
    let started = Instant::now();
    for round in 0..=limits.rounds {
        if round > ROUNDS_MIN && started.elapsed() > limits.time {
            break;
        }
        for turn in 0..sides.len() {
            // Backwards in every second round: nobody always follows the same one.
            let place = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
            let index = (place + round) % sides.len();
            let (side, series) = (&mut sides[index], &mut all[index]);
            if series.failure.is_some() {
                continue;
            }
            settle();
            match (side.turn)() {
                // The first round warms up.
                Ok(_) if round == 0 => {}
                Ok(sample) => series.samples.push(sample),
                Err(failure) if side.required => {
                    return Err(format!("{}: {failure}", side.name).into());
                }
                Err(failure) => series.failure = Some(failure.to_string()),
            }
        }
    }
    Ok(all)
}

/// What the turn before left in caches is written first: nobody pays for what another one did not wait for.
fn settle() {
    #[cfg(target_os = "linux")]
    rustix::fs::sync();
}

impl Series {
    /// The time of each record, commit or batch.
    pub(super) fn nanos(&self) -> Spread {
        Spread::of(self.samples.iter().map(Sample::nanos))
    }

    /// The rate, as a multiple of the other side's in the same round.
    pub(super) fn rate_over(&self, base: &Self) -> Spread {
        self.compared(base, Sample::nanos)
    }

    /// The same by the time that the processor worked.
    pub(super) fn cpu_rate_over(&self, base: &Self) -> Spread {
        self.compared(base, Sample::cpu_nanos)
    }

    fn compared(&self, base: &Self, time: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().zip(&base.samples).map(|(our, base)| time(base) / time(our)))
    }
}
