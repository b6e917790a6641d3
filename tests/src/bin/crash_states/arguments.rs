//! What was asked for on the command line.
//!
//! Must never guess: what it does not understand it refuses.

use durability_testkit::proof::{Family, Scope, Size, families, family};

/// How to call the program.
pub(crate) const USAGE: &str = "crash_states [--full | --test] [--family NAME]... [--seed N] [--states N] [--minutes N] [--plan]
  --full         what an hour holds, at least 100 million states; else what every change is worth, at least 10 million
  --test         what the tests look at, in seconds
  --family NAME  only this family; may be given more than once
  --seed N       where the random choices begin; 0 is the default
  --states N     the most states of each family, and nothing is promised
  --minutes N    takes the families in turn and begins nothing new after so many minutes; nothing is promised
  --plan         only says which scripts would be run: all of a length, drawn, or chosen";

/// States that every change is worth.
const PROMISED_CI: u64 = 10_000_000;
/// States that an hour holds.
const PROMISED_FULL: u64 = 100_000_000;

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    pub(crate) size: Size,
    pub(crate) families: Vec<&'static Family>,
    pub(crate) minutes: Option<u64>,
    pub(crate) only_plan: bool,
    limited: bool,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut scope, mut seed, mut states, mut chosen) = (Scope::Ci, 0, None, Vec::new());
        let (mut minutes, mut only_plan) = (None, false);
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--full" => scope = Scope::Full,
                "--plan" => only_plan = true,
                "--minutes" => minutes = Some(number(&value()?)?),
                "--test" => scope = Scope::Test,
                "--seed" => seed = number(&value()?)?,
                "--states" => states = Some(number(&value()?)?),
                "--family" => {
                    let name = value()?;
                    chosen.push(family(&name).ok_or_else(|| unknown(&name))?);
                }
                _ => return Err(format!("what is {argument:?}?")),
            }
        }
        let limited = states.is_some() || minutes.is_some() || !chosen.is_empty();
        if chosen.is_empty() {
            chosen.extend(families());
        }
        let size = Size::new(scope).with_seed(seed).with_states_max(states.unwrap_or(u64::MAX));
        Ok(Self { size, families: chosen, minutes, only_plan, limited })
    }

    /// Fewer states than this are a failure.
    pub(crate) fn promised(&self) -> u64 {
        match self.size.scope() {
            _ if self.limited => 0,
            Scope::Ci => PROMISED_CI,
            Scope::Full => PROMISED_FULL,
            Scope::Test => 0,
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text:?} is no number"))
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = families().iter().map(|family| family.name).collect();
    format!("there is no family {name:?}; there are {}", names.join(", "))
}
