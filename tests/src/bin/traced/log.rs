//! The record log as a store.

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{Directory, Name};
use durability_core::{Error, ReadMode};
use durability_testkit::simulated::LogOperation;

use super::outside::{Failed, Outside, Seen, Tag};
use super::store::{Do, Kind, LARGE, Store, payload, tag_of};

pub(crate) struct Log<'d, D: Directory> {
    writer: RecordLogWriter<&'d D>,
}

const FILE: &str = "logs/EVENTS.LOG";

fn options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(512).read_bytes(512)
}

fn read<D: Directory>(dir: &D, mode: ReadMode) -> Result<Option<Vec<Tag>>, Failed> {
    let mut reader = match RecordLogReader::open(dir, Name::new(FILE)?, mode, options()) {
        Err(Error::Missing { .. }) => return Ok(None),
        opened => opened?,
    };
    let mut tags = Vec::new();
    while let Some(found) = reader.next()? {
        tags.push(tag_of(found.payload)?);
        if found.id != tags.len() as u64 {
            return Err(format!("record {} is number {}", found.id, tags.len()).into());
        }
    }
    Ok(Some(tags))
}

impl<'d, D: Directory> Store<'d, D> for Log<'d, D> {
    fn open(dir: &'d D, _: Kind) -> Result<(Self, Seen), Failed> {
        let writer = RecordLogWriter::open(dir, Name::new(FILE)?, options())?;
        let records = read(dir, ReadMode::BestEffort)?.ok_or("opened, and not there")?;
        Ok((Self { writer }, Seen { first: 1, records }))
    }

    fn look(dir: &'d D, _: Kind) -> Result<Option<Vec<Tag>>, Failed> {
        Ok(Some(read(dir, ReadMode::BestEffort)?.unwrap_or_default()))
    }

    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed> {
        match step {
            Do::Append | Do::Large => {
                let tag = if step == Do::Large { outside.tag() | LARGE } else { outside.tag() };
                outside.issue(LogOperation::Append(tag))?;
                self.writer.append(&payload(tag))?;
            }
            Do::Flush => self.writer.flush()?,
            Do::Sync => {
                let _durable = self.writer.flush_and_sync()?;
                outside.acknowledge()?;
            }
            other => return Err(format!("a record log cannot {other:?}").into()),
        }
        Ok(())
    }

    fn close(self) -> Result<(), Failed> {
        self.writer.close()?;
        Ok(())
    }
}
