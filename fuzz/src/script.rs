//! Runs the first part of an input: a valid life of a log, and what it must hold afterwards.

use std::collections::BTreeMap;

use durability_core::EntryId;
use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawWalWriter, WalOptions};

use crate::directory::{contents, last_segment, put, read};
use crate::input::Input;

/// The longest record that readers are asked to take.
pub(crate) const RECORD_BYTES_MAX: u32 = 1024;
pub(crate) const SEGMENTS_MAX: u32 = 64;
const STEPS_MAX: usize = 48;

/// A log that nothing was done to but using it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) dir: MemoryDirectory,
    pub(crate) options: Options,
    /// What it holds: from the first id that it must have.
    pub(crate) entries: Vec<(u64, Vec<u8>)>,
    /// The last entry that a sync acknowledged.
    pub(crate) durable_through: u64,
    /// First and last entry of each batch that was not cut on purpose.
    batches: Vec<(u64, u64)>,
    /// How long each file was at the last sync.
    pub(crate) durable_bytes: BTreeMap<String, usize>,
}

/// The options that a script chooses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    segment_bytes: u64,
    alignment: u32,
    mark: bool,
    compact: bool,
    /// Each opening takes the other form of frames.
    alternating: bool,
    first_id: u64,
}

impl Options {
    fn choose(input: &mut Input<'_>) -> Self {
        let segment_bytes = input.pick(&[128, 256, 512, 4096]);
        let alignment = input.pick(&[4, 8, 16, 64, 256]);
        let bits = input.byte();
        Self {
            segment_bytes,
            alignment,
            mark: bits & 1 == 1,
            compact: bits & 2 == 2,
            alternating: bits & 4 == 4,
            first_id: input.pick(&[1, 2, 1000, 1 << 32]),
        }
    }

    pub(crate) fn wal(self) -> WalOptions {
        let first_id = EntryId::new(self.first_id).unwrap_or(EntryId::FIRST);
        reading()
            .segment_bytes(self.segment_bytes.max(128))
            .mark_after_sync(self.mark)
            .first_id(first_id)
            .alignment(self.alignment.max(4))
            .compact_frames(self.compact)
    }
}

/// Small limits, so that a script can meet them.
pub(crate) fn reading() -> WalOptions {
    WalOptions::new()
        .buffer_bytes(256)
        .read_bytes(256)
        .record_bytes_max(RECORD_BYTES_MAX)
        .segments_max(SEGMENTS_MAX)
        .log_id(0x0123_4567_89AB_CDEF)
}

type Wal = RawWalWriter<MemoryDirectory>;

impl Log {
    /// Runs a script up to its end.
    pub(crate) fn run(input: &mut Input<'_>) -> Self {
        let options = Options::choose(input);
        let mut log = Self { options, durable_through: options.first_id - 1, ..Self::default() };
        let mut wal = log.open();
        let steps = input.below(STEPS_MAX);
        for _ in 0..steps {
            wal = log.step(wal, input);
        }
        drop(wal);
        log
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.entries.last().map_or(self.durable_through, |(id, _)| *id) + 1
    }

    fn open(&mut self) -> Wal {
        // Opening makes durable what it finds, and may begin a segment that is not.
        self.durable_bytes =
            contents(&self.dir).into_iter().map(|(name, bytes)| (name, bytes.len())).collect();
        self.options.compact ^= self.options.alternating;
        let wal =
            Wal::open(self.dir.clone(), self.options.wal()).expect("a log without damage opens");
        self.durable_through = wal.durable_through().map_or(0, EntryId::get);
        assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), self.durable_through);
        assert_eq!(wal.next_entry_id().get(), self.next_id(), "what was there is found again");
        if self.dir.names().iter().filter(|name| name.ends_with(".WAL")).count() == 1 {
            self.note_durable(&wal);
        }
        wal
    }

    fn note_durable(&mut self, wal: &Wal) {
        self.durable_through = wal.durable_through().map_or(0, EntryId::get);
        self.durable_bytes =
            contents(&self.dir).into_iter().map(|(name, bytes)| (name, bytes.len())).collect();
    }

    fn append(&mut self, wal: &mut Wal, payload: Vec<u8>) {
        let id = wal.append(&payload).expect("an append works").get();
        assert_eq!(id, self.next_id(), "ids have no gap");
        self.entries.push((id, payload));
    }

    fn step(&mut self, mut wal: Wal, input: &mut Input<'_>) -> Wal {
        if wal.segments().count() + 4 > SEGMENTS_MAX as usize {
            return wal;
        }
        match input.byte() % 12 {
            0..=3 => {
                let payload = payload(input);
                self.append(&mut wal, payload);
            }
            4 => {
                let batch: Vec<Vec<u8>> = (0..input.below(5)).map(|_| payload(input)).collect();
                let ids = wal.append_batch(&batch).expect("a batch works");
                if let (Some(first), Some(last)) = (ids.first(), ids.clone().last()) {
                    self.batches.push((first.get(), last.get()));
                }
                for (id, payload) in ids.zip(batch) {
                    self.entries.push((id.get(), payload));
                }
            }
            5 | 6 => {
                let durable = wal.flush_and_sync().expect("a sync works");
                assert_eq!(durable.through().map_or(0, EntryId::get), self.next_id() - 1);
                self.note_durable(&wal);
            }
            7 => wal.flush().expect("a flush works"),
            8 => {
                let first = wal.first_entry_id().get();
                let before = first + input.below(self.entries.len() + 1) as u64;
                wal.truncate_prefix(EntryId::new(before).unwrap()).expect("a prefix is cut off");
                let first = wal.first_entry_id().get();
                assert!(first <= before);
                self.entries.retain(|(id, _)| *id >= first);
                self.cut_durable(&wal);
            }
            9 => {
                let from = wal.first_entry_id().get() + input.below(self.entries.len() + 1) as u64;
                wal.truncate_suffix(EntryId::new(from).unwrap()).expect("a suffix is cut off");
                self.entries.retain(|(id, _)| *id < from);
                self.batches.retain(|(_, last)| *last < from);
                self.cut_durable(&wal);
            }
            10 => {
                wal.close().expect("a log closes");
                self.durable_through = self.next_id() - 1;
                wal = self.open();
            }
            _ => {
                drop(wal);
                self.crash(input);
                wal = self.open();
            }
        }
        wal
    }

    /// After a truncation, which makes all that is left durable.
    fn cut_durable(&mut self, wal: &Wal) {
        let last = wal.last_entry_id().map_or(0, EntryId::get);
        if self.entries.is_empty() {
            // The model has no other place for the next id.
            self.durable_through = last;
        }
        if wal.durable_through().map_or(0, EntryId::get) >= last {
            self.note_durable(wal);
            self.durable_through = last;
        }
    }

    /// Cuts the last file off where a crash can: what a sync has acknowledged stays.
    pub(crate) fn crash(&mut self, input: &mut Input<'_>) {
        let Some(name) = last_segment(&self.dir) else { return };
        let mut bytes = read(&self.dir, &name);
        let durable = self.durable_bytes.get(&name).copied().unwrap_or(0).min(bytes.len());
        let kept = durable + input.below(bytes.len() - durable + 1);
        bytes.truncate(kept);
        bytes.resize(kept + input.pick(&[0, 0, 5, 300]), 0);
        put(&self.dir, &name, bytes);
        let wal = Wal::open(crate::directory::copy(&self.dir), self.options.wal());
        let wal = wal.expect("a log opens, wherever a crash has cut it");
        let last = wal.last_entry_id().map_or(0, EntryId::get);
        assert!(last >= self.durable_through, "{last} of {} durable", self.durable_through);
        assert!(last < self.next_id(), "nothing is found that was not written");
        let torn = self.batches.iter().find(|(first, end)| (*first..*end).contains(&last));
        assert_eq!(torn, None, "a batch is whole or absent");
        self.batches.retain(|(_, end)| *end <= last);
        self.entries.retain(|(id, _)| *id <= last);
        self.durable_through = last;
    }
}

/// Mostly short, sometimes of no bytes, sometimes as long as can be.
fn payload(input: &mut Input<'_>) -> Vec<u8> {
    let length = match input.byte() {
        0xFF => RECORD_BYTES_MAX as usize,
        0xFE => 300,
        byte => usize::from(byte % 40),
    };
    let mut payload = input.take(length.min(8)).to_vec();
    payload.resize(length, length as u8);
    payload
}
