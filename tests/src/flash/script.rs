//! What a log on flash is put through, one step at a time, as a line of text that a failure can be replayed from.
//!
//! Must never depend on anything but its text.

use core::fmt;
use core::str::FromStr;

/// One step of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One entry with so many bytes; written `a20`.
    Append(u8),
    /// So many entries of 9 bytes, all or none; written `b3`.
    Batch(u8),
    /// To the chip, without a promise; written `f`.
    Flush,
    /// To the chip, with the promise; written `s`.
    Sync,
    /// A checkpoint, and what it covers of the log goes; written `p`.
    Publish,
    /// So many entries are taken back; written `t2`.
    Truncate(u8),
    /// A slot is made ready; written `e`.
    Prepare,
    /// One erase towards it; written `i`.
    PrepareStep,
    /// Closed, mounted, opened and recovered; written `r`.
    Reopen,
}

/// A line of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(pub Vec<Step>);

/// A word that is no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no step of a script")]
pub struct ScriptError {
    word: String,
}

impl Script {
    /// A script of so many steps; the same for the same seed.
    pub fn random(seed: u64, steps: usize) -> Self {
        let mut state = seed;
        let mut next = |below: u64| {
            // SplitMix64, Steele, Lea and Flood 2014.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            u8::try_from((mixed ^ (mixed >> 31)) % below).unwrap_or(0)
        };
        let step = |_| match next(20) {
            0..6 => Step::Append(next(90)),
            6 => Step::Batch(2 + next(3)),
            7 => Step::Flush,
            8..12 => Step::Sync,
            12..15 => Step::Publish,
            15 => Step::Truncate(1 + next(3)),
            16 => Step::Prepare,
            17 | 18 => Step::PrepareStep,
            _ => Step::Reopen,
        };
        Self((0..steps).map(step).collect())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(bytes) => write!(f, "a{bytes}"),
            Self::Batch(count) => write!(f, "b{count}"),
            Self::Flush => write!(f, "f"),
            Self::Sync => write!(f, "s"),
            Self::Publish => write!(f, "p"),
            Self::Truncate(count) => write!(f, "t{count}"),
            Self::Prepare => write!(f, "e"),
            Self::PrepareStep => write!(f, "i"),
            Self::Reopen => write!(f, "r"),
        }
    }
}

impl FromStr for Step {
    type Err = ScriptError;

    fn from_str(word: &str) -> Result<Self, ScriptError> {
        let wrong = || ScriptError { word: word.to_owned() };
        let (letter, number) = word.split_at_checked(1).ok_or_else(wrong)?;
        let number = || number.parse().map_err(|_| wrong());
        Ok(match (letter, word.len()) {
            ("a", _) => Self::Append(number()?),
            ("b", _) => Self::Batch(number()?),
            ("t", _) => Self::Truncate(number()?),
            ("f", 1) => Self::Flush,
            ("s", 1) => Self::Sync,
            ("p", 1) => Self::Publish,
            ("e", 1) => Self::Prepare,
            ("i", 1) => Self::PrepareStep,
            ("r", 1) => Self::Reopen,
            _ => return Err(wrong()),
        })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            write!(f, "{}{step}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn a_script_is_its_text() {
        let script = Script::random(7, 200);
        assert_eq!(script.to_string().parse(), Ok(script));
        assert!("a20 b3 s f p t2 e i r".parse::<Script>().is_ok());
        assert!("a20 q".parse::<Script>().is_err());
        assert!("sx".parse::<Script>().is_err());
    }
}
