//! What the outside world is told of a store's life: through the explorer's journal, or through marks in a file.
//!
//! Must never be asked by a store what is there: it is the memory that the store is judged by.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use durability_testkit::simulated::{
    Event, Journal, LogModel, LogOperation, LogSeen, PrefixOracle,
};

/// Life, and number within it: no two records are alike.
pub(crate) type Tag = u32;
pub(crate) type Operation = LogOperation<Tag>;
pub(crate) type Seen = LogSeen<Tag>;
pub(crate) type Told = Event<Operation, Seen>;
pub(crate) type Failed = Box<dyn core::error::Error>;

/// Every store here is a log of tags, however it keeps them.
pub(crate) fn oracle() -> PrefixOracle<LogModel<Tag>> {
    PrefixOracle::new()
}

pub(crate) trait Outside {
    /// A record that nobody has seen.
    fn tag(&mut self) -> Tag;
    fn tell(&mut self, event: Told) -> Result<(), Failed>;
    /// How many operations were issued.
    fn issued(&self) -> u64;

    fn issue(&mut self, operation: Operation) -> Result<(), Failed> {
        self.tell(Event::Issued(operation))
    }

    fn acknowledge(&mut self) -> Result<(), Failed> {
        let through = self.issued();
        self.tell(Event::Acknowledged { through })
    }
}

/// The journal of an explorer, or one to be judged at the end.
pub(crate) struct InJournal<'a> {
    pub(crate) journal: &'a mut Journal<Operation, Seen>,
    /// The number of the life that the journal takes for the first.
    pub(crate) life: u32,
}

impl Outside for InJournal<'_> {
    fn tag(&mut self) -> Tag {
        let entries = Tag::try_from(self.journal.entries().len()).unwrap_or(Tag::MAX);
        ((self.life + self.journal.epoch()) << 20) | entries
    }

    fn tell(&mut self, event: Told) -> Result<(), Failed> {
        self.journal.tell(event);
        Ok(())
    }

    fn issued(&self) -> u64 {
        self.journal.issued()
    }
}

/// A file of marks: what is in it survives the process.
pub(crate) struct Marks {
    file: File,
    life: u32,
    events: u32,
    issued: u64,
}

impl Marks {
    pub(crate) fn new(path: &Path, life: u32) -> Result<Self, Failed> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { file, life, events: 0, issued: 0 })
    }
}

impl Outside for Marks {
    fn tag(&mut self) -> Tag {
        (self.life << 20) | self.events
    }

    fn tell(&mut self, event: Told) -> Result<(), Failed> {
        self.events += 1;
        self.issued += u64::from(matches!(event, Event::Issued(_)));
        // One call for the whole line.
        self.file.write_all(format!("{}\n", to_text(&event)).as_bytes())?;
        Ok(())
    }

    fn issued(&self) -> u64 {
        self.issued
    }
}

fn to_text(event: &Told) -> String {
    let list = |all: &[Tag]| {
        let words: Vec<String> = all.iter().map(Tag::to_string).collect();
        words.join(" ")
    };
    match event {
        Event::Issued(LogOperation::Append(tag)) => format!("append {tag}"),
        Event::Issued(LogOperation::Batch(tags)) => format!("batch {}", list(tags)),
        Event::Issued(LogOperation::TruncatePrefix(id)) => format!("prefix {id}"),
        Event::Issued(LogOperation::TruncateSuffix(id)) => format!("suffix {id}"),
        Event::Issued(LogOperation::TruncateToEmpty) => "empty".to_owned(),
        Event::Acknowledged { through } => format!("acknowledged {through}"),
        Event::Recovered(seen) => format!("recovered {} {}", seen.first, list(&seen.records)),
    }
}

pub(crate) fn from_text(text: &str) -> Result<Told, Failed> {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let first = || numbers.first().copied().ok_or("a mark without a number");
    let tags =
        |all: &[u64]| all.iter().map(|tag| Tag::try_from(*tag)).collect::<Result<Vec<_>, _>>();
    Ok(match word {
        "append" => Event::Issued(LogOperation::Append(Tag::try_from(first()?)?)),
        "batch" => Event::Issued(LogOperation::Batch(tags(&numbers)?)),
        "prefix" => Event::Issued(LogOperation::TruncatePrefix(first()?)),
        "suffix" => Event::Issued(LogOperation::TruncateSuffix(first()?)),
        "empty" => Event::Issued(LogOperation::TruncateToEmpty),
        "acknowledged" => Event::Acknowledged { through: first()? },
        "recovered" => {
            let records = tags(numbers.get(1..).unwrap_or_default())?;
            Event::Recovered(LogSeen { first: first()?, records })
        }
        _ => return Err(format!("no mark of ours: {text}").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_was_told() {
        let records = vec![7, 8];
        for event in [
            Event::Issued(LogOperation::Append(1)),
            Event::Issued(LogOperation::Batch(vec![2, 3])),
            Event::Issued(LogOperation::TruncatePrefix(4)),
            Event::Issued(LogOperation::TruncateSuffix(5)),
            Event::Issued(LogOperation::TruncateToEmpty),
            Event::Acknowledged { through: 6 },
            Event::Recovered(LogSeen { first: 2, records }),
        ] {
            assert_eq!(from_text(&to_text(&event)).ok(), Some(event));
        }
        assert!(from_text("nothing").is_err() && from_text("append").is_err());
    }
}
