//! What a writer has claimed, and which states of the log agree with that. Pure.

use core::fmt;

use crate::message::Message;

/// What is known of the log without looking at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    /// Entries up to here were announced. Nothing beyond may be found.
    pub(crate) issued: u64,
    /// Entries up to here survive the end of the process. Nothing up to here may be missing.
    pub(crate) flushed: u64,
    /// Entries up to here survive power loss.
    pub(crate) durable: u64,
    /// Batches since the last flush. Found whole or not at all.
    batches: Vec<(u64, u64)>,
}

/// How a log contradicts the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contradiction {
    Lost { acknowledged: u64, word: &'static str, recovered: u64 },
    Invented { issued: u64, recovered: u64 },
    CutBatch { first: u64, last: u64, recovered: u64 },
}

impl Claims {
    pub(crate) fn hear(&mut self, message: Message) -> Result<(), Contradiction> {
        match message {
            Message::Opened { last } => self.found(last)?,
            Message::Issue { last } => self.issued = last,
            Message::Batch { first, last } => {
                self.issued = last;
                self.batches.push((first, last));
            }
            Message::Flushed { last } => self.survives(last),
            Message::Durable { last } => {
                self.survives(last);
                self.durable = last;
            }
        }
        Ok(())
    }

    fn survives(&mut self, last: u64) {
        self.flushed = last;
        self.batches.retain(|batch| batch.1 > last);
    }

    /// The log was opened, and `recovered` is its last entry: it agrees, and what it holds is durable from now on.
    pub(crate) fn found(&mut self, recovered: u64) -> Result<(), Contradiction> {
        let lost = |acknowledged, word| Contradiction::Lost { acknowledged, word, recovered };
        if recovered < self.durable {
            return Err(lost(self.durable, "synced"));
        }
        if recovered < self.flushed {
            return Err(lost(self.flushed, "flushed"));
        }
        if recovered > self.issued {
            return Err(Contradiction::Invented { issued: self.issued, recovered });
        }
        let cut = |batch: &&(u64, u64)| (batch.0..batch.1).contains(&recovered);
        if let Some(&(first, last)) = self.batches.iter().find(cut) {
            return Err(Contradiction::CutBatch { first, last, recovered });
        }
        *self =
            Self { issued: recovered, flushed: recovered, durable: recovered, batches: Vec::new() };
        Ok(())
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { acknowledged, word, recovered } => write!(
                f,
                "entries {} to {acknowledged} are lost: {acknowledged} was acknowledged as {word}, and recovery ends at {recovered}",
                recovered + 1
            ),
            Self::Invented { issued, recovered } => {
                write!(f, "recovery ends at entry {recovered}, and only {issued} were ever issued")
            }
            Self::CutBatch { first, last, recovered } => {
                write!(
                    f,
                    "the batch of entries {first} to {last} is cut: recovery ends at {recovered}"
                )
            }
        }
    }
}
