//! The process that is killed: it appends, flushes, syncs and publishes in random order until its end.

use std::io::{Write as _, stdout};

use durability::publish::{CheckpointPublisher, PublishOptions};
use durability::recover::{RecoverOptions, recover_with_wal};
use durability::storage::{FsDirectory, FsError};
use durability::walog::{WalOptions, WalWriter};
use durability::{EntryId, Error};

use crate::Result;
use crate::arguments::Job;
use crate::message::Message;
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::text::{Tally, Text};

/// Small segments, so that the log rotates and is pruned.
pub(crate) fn wal_options() -> WalOptions {
    WalOptions::new().segment_bytes(128 << 10)
}

pub(crate) fn run(job: &Job) -> Result<()> {
    let text = Text::load(job.file.as_deref())?;
    let mut random = Random::new(job.seed);
    let dir = FsDirectory::new(&job.dir)?;
    // The smaller the buffer, the more often a kill finds a frame half written.
    let early = job.sabotage == Some(Sabotage::Early);
    let buffer_bytes = if early { 1 << 20 } else { 256 << random.between(0, 6) };
    let mut wal = WalWriter::open(dir.clone(), wal_options().buffer_bytes(buffer_bytes))?;
    let add = |tally: &mut Tally, _id, record: String| {
        tally.add(&record);
        Ok::<(), Error<FsError>>(())
    };
    let state = recover_with_wal(&mut wal, &RecoverOptions::new(), Tally::EMPTY, add)?.state;
    tell(Message::Opened { last: number(wal.last_entry_id()) })?;
    let publisher = CheckpointPublisher::new(dir, PublishOptions::new())?;
    let mut writer = Writer { wal, publisher, state, text, early };
    loop {
        writer.step(&mut random)?;
    }
}

struct Writer {
    wal: WalWriter<String, FsDirectory>,
    publisher: CheckpointPublisher<FsDirectory>,
    state: Tally,
    text: Text,
    /// The planted lie: acknowledge what has only been appended.
    early: bool,
}

impl Writer {
    fn step(&mut self, random: &mut Random) -> Result<()> {
        match random.between(0, 99) {
            0..50 => self.append(random.between(1, 40)),
            50..75 => self.append_batch(random.between(2, 60)),
            75..94 => self.flush(),
            94..99 => self.sync(),
            _ => self.publish(),
        }
    }

    fn append(&mut self, count: u64) -> Result<()> {
        let first = self.wal.next_entry_id().get();
        tell(Message::Issue { last: first + count - 1 })?;
        for id in first..first + count {
            let record = self.text.record(id);
            self.state.add(record);
            if self.wal.append(record)? != id {
                return Err(format!("entry {id} was given another id").into());
            }
        }
        Ok(())
    }

    fn append_batch(&mut self, count: u64) -> Result<()> {
        let first = self.wal.next_entry_id().get();
        let last = first + count - 1;
        tell(Message::Batch { first, last })?;
        for id in first..=last {
            self.state.add(self.text.record(id));
        }
        if !self.early {
            let ids = self.wal.append_batch((first..=last).map(|id| self.text.record(id)))?;
            tell(Message::Flushed { last: number(ids.last()) })?;
            return Ok(());
        }
        for id in first..=last {
            self.wal.append(self.text.record(id))?;
        }
        tell(Message::Flushed { last })
    }

    fn flush(&mut self) -> Result<()> {
        if !self.early {
            self.wal.flush()?;
        }
        tell(Message::Flushed { last: number(self.wal.last_entry_id()) })
    }

    fn sync(&mut self) -> Result<()> {
        let durable = if self.early {
            self.wal.last_entry_id()
        } else {
            self.wal.flush_and_sync()?.through()
        };
        tell(Message::Durable { last: number(durable) })
    }

    fn publish(&mut self) -> Result<()> {
        if self.early {
            return self.sync();
        }
        let published = self.publisher.publish(&mut self.wal, &self.state)?;
        tell(Message::Durable { last: number(published.last_id()) })
    }
}

pub(crate) fn number(id: Option<EntryId>) -> u64 {
    id.map_or(0, EntryId::get)
}

/// Standard output writes a whole line at once. It fails when the parent is gone, and that is the writer's end too.
fn tell(message: Message) -> Result<()> {
    Ok(writeln!(stdout(), "{message}")?)
}
