//! raft-engine 0.4.

use std::sync::Arc;

use durability_benches::{Committer, Failure, Log, Plan};
use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};
use std::sync::Mutex;

const GROUP: u64 = 1;
/// Appends are gathered in a batch of about that many bytes.
const BATCH_BYTES: usize = 64 << 10;
/// Entries that are read at once.
const READ: usize = 1024;
const INDEX_BYTES: usize = 8;

/// Entries are messages that know their index: it stands before the record.
struct Entries;

impl MessageExt for Entries {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

fn entry(index: u64, record: &[u8]) -> BytesValue {
    let mut value = Vec::with_capacity(INDEX_BYTES + record.len());
    value.extend_from_slice(&index.to_le_bytes());
    value.extend_from_slice(record);
    BytesValue { value, ..BytesValue::default() }
}

pub(crate) struct Raft {
    engine: Engine,
    batch: LogBatch,
    next: u64,
}

fn open(plan: &Plan<'_>) -> Result<Engine, Failure> {
    let config = Config {
        dir: plan.folder.to_string_lossy().into_owned(),
        target_file_size: ReadableSize(plan.segment_bytes),
        purge_threshold: ReadableSize(plan.segment_bytes.max(10 << 30)),
        // Random bytes do not get shorter.
        batch_compression_threshold: ReadableSize(0),
        ..Config::default()
    };
    Ok(Engine::open(config).map_err(|error| error.to_string())?)
}

impl Raft {
    fn write(&mut self, sync: bool) -> Result<(), Failure> {
        if !self.batch.is_empty() {
            self.engine.write(&mut self.batch, sync).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Log for Raft {
    type Committer = Shared;

    const NAME: &'static str = "raft-engine";
    const HOW: &'static str = "entries of one Raft group, gathered in a `LogBatch` and written with `Engine::write`, with `sync` for a commit; no compression, the bytes being random; replay is `open` and `fetch_entries_to`";

    fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let engine = open(plan)?;
        let next = engine.last_index(GROUP).unwrap_or(0) + 1;
        Ok(Self { engine, batch: LogBatch::default(), next })
    }

    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure> {
        Self::create(plan)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.batch
            .add_entries::<Entries>(GROUP, &[entry(self.next, record)])
            .map_err(|error| error.to_string())?;
        self.next += 1;
        if self.batch.approximate_size() > BATCH_BYTES { self.write(false) } else { Ok(()) }
    }

    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        let next = self.next;
        let entries: Vec<BytesValue> =
            records.iter().zip(next..).map(|(record, index)| entry(index, record)).collect();
        self.next += entries.len() as u64;
        Ok(self.batch.add_entries::<Entries>(GROUP, &entries).map_err(|error| error.to_string())?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.write(false)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.write(true)
    }

    fn close(mut self) -> Result<(), Failure> {
        self.write(true)
    }

    fn replay(plan: &Plan<'_>, mut each: impl FnMut(&[u8])) -> Result<u64, Failure> {
        let engine = open(plan)?;
        let (Some(first), Some(last)) = (engine.first_index(GROUP), engine.last_index(GROUP))
        else {
            return Ok(0);
        };
        let mut entries = Vec::new();
        for begin in (first..=last).step_by(READ) {
            let end = (begin + READ as u64).min(last + 1);
            entries.clear();
            engine
                .fetch_entries_to::<Entries>(GROUP, begin, end, None, &mut entries)
                .map_err(|error| error.to_string())?;
            for entry in &entries {
                each(entry.value.get(INDEX_BYTES..).unwrap_or_default());
            }
        }
        Ok(last - first + 1)
    }

    /// Threads write to groups of their own, as Raft groups do: indexes of one group must be in order.
    fn share(self) -> Shared {
        Shared {
            engine: Arc::new(self.engine),
            groups: Arc::new(Mutex::new(GROUP)),
            group: GROUP,
            next: std::cell::Cell::new(self.next),
        }
    }
}

pub(crate) struct Shared {
    engine: Arc<Engine>,
    groups: Arc<Mutex<u64>>,
    group: u64,
    next: std::cell::Cell<u64>,
}

impl Clone for Shared {
    fn clone(&self) -> Self {
        let mut groups = self.groups.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *groups += 1;
        Self {
            engine: Arc::clone(&self.engine),
            groups: Arc::clone(&self.groups),
            group: *groups,
            next: std::cell::Cell::new(1),
        }
    }
}

impl Committer for Shared {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let mut batch = LogBatch::default();
        let index = self.next.get();
        self.next.set(index + 1);
        batch
            .add_entries::<Entries>(self.group, &[entry(index, record)])
            .and_then(|()| self.engine.write(&mut batch, true))
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}
