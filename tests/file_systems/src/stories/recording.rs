//! A record log.

use durability::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability::storage::Name;
use durability::{EntryId, ReadMode};
use durability_testkit::simulated::{LogModel, LogOperation, LogSeen};

use super::super::Failed;
use super::super::port::Port;
use super::super::random::Random;
use super::{DiaryOf, Ended, Kind, Tag, payload, tag};

const FILE: &str = "deep/EVENTS.LOG";

pub(super) struct Recording {
    options: RecordLogOptions,
    writer: Option<RecordLogWriter<Port>>,
}

impl Recording {
    pub(super) fn new(random: &mut Random) -> Self {
        let options = RecordLogOptions::new()
            .buffer_bytes(random.pick(&[256, 4_096]))
            .read_bytes(random.pick(&[512, 8_192]))
            .mark_after_sync(random.one_in(2));
        Self { options, writer: None }
    }

    fn read(&self, dir: &Port, mode: ReadMode) -> Result<Vec<Tag>, Failed> {
        let mut reader = RecordLogReader::open(dir, Name::new(FILE)?, mode, self.options)?;
        let mut tags = Vec::new();
        while let Some(found) = reader.next()? {
            let expected = tags.len() as u64 + 1;
            if found.id != expected {
                return Err(format!("number {} in place of {expected}", found.id).into());
            }
            tags.push(tag(found.payload)?);
        }
        Ok(tags)
    }
}

impl Kind for Recording {
    type Model = LogModel<Tag>;
    const NAME: &'static str = "records";

    fn closed(&self) -> Self {
        Self { options: self.options, writer: None }
    }

    fn open(&mut self, dir: &Port) -> Result<LogSeen<Tag>, Failed> {
        let log = RecordLogWriter::open(dir.clone(), Name::new(FILE)?, self.options)?;
        // The frame that says what is dead may still be in the buffer.
        let records = self.read(dir, ReadMode::BestEffort)?;
        if log.last_record() != EntryId::new(records.len() as u64) {
            return Err(format!("opened {:?}, then read {records:?}", log.last_record()).into());
        }
        self.writer = Some(log);
        Ok(LogSeen { first: 1, records })
    }

    fn step(&mut self, dir: &Port, random: &mut Random, diary: &mut DiaryOf<Self>) -> Ended {
        let log = self.writer.as_mut().ok_or("closed")?;
        match random.below(11) {
            0..=4 => {
                let tag = diary.tag();
                diary.issue(LogOperation::Append(tag));
                log.append(&payload(tag))?;
            }
            5 => log.flush()?,
            6..=8 => {
                let _durable = log.flush_and_sync()?;
                diary.acknowledge();
            }
            9 => {
                // As if the process had been killed.
                self.writer = None;
                diary.recovered(self.open(dir)?);
            }
            _ => {
                self.writer.take().ok_or("closed")?.close()?;
                diary.acknowledge();
                let strict = self.read(dir, ReadMode::Strict)?;
                let seen = self.open(dir)?;
                if strict != seen.records {
                    return Err(format!("read {strict:?}, then opened {seen:?}").into());
                }
                diary.recovered(seen);
            }
        }
        Ok(())
    }

    fn promise(&mut self, _dir: &Port, diary: &mut DiaryOf<Self>) -> Ended {
        let log = self.writer.as_mut().ok_or("closed")?;
        let tag = diary.tag();
        diary.issue(LogOperation::Append(tag));
        log.append(&payload(tag))?;
        let _durable = log.flush_and_sync()?;
        diary.acknowledge();
        Ok(())
    }
}
