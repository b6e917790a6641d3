//! Small logs of every kind: closed or not, with marks or without, of one segment or several, with batches, pruned, truncated, repaired.

use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawWalWriter, WalOptions};

use crate::common::{Entry, Image, id, image, look, name, payload};

type Wal = RawWalWriter<MemoryDirectory>;

/// A log, and what is in it; all of it was acknowledged.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) options: WalOptions,
    pub(crate) files: Image,
    pub(crate) right: Vec<Entry>,
    /// The files as they were after each sync.
    pub(crate) past: Vec<Image>,
}

/// A log in the making.
struct Maker {
    dir: MemoryDirectory,
    wal: Wal,
    past: Vec<Image>,
}

impl Maker {
    fn append(&mut self, count: u64) -> &mut Self {
        for _ in 0..count {
            let next = self.wal.next_entry_id().get();
            self.wal.append(&payload(next)).unwrap();
        }
        self
    }

    fn batch(&mut self, count: u64) -> &mut Self {
        let next = self.wal.next_entry_id().get();
        let batch: Vec<_> = (next..next + count).map(payload).collect();
        self.wal.append_batch(&batch).unwrap();
        self
    }

    fn sync(&mut self) -> &mut Self {
        let _durable = self.wal.flush_and_sync().unwrap();
        self.past.push(image(&self.dir));
        self
    }

    fn each_synced(&mut self, count: u64) -> &mut Self {
        for _ in 0..count {
            self.append(1).sync();
        }
        self
    }
}

fn one() -> WalOptions {
    WalOptions::new().segment_bytes(4096).buffer_bytes(256).read_bytes(256).log_id(7)
}

fn several() -> WalOptions {
    one().segment_bytes(200)
}

fn make(
    name: &'static str,
    options: &WalOptions,
    close: bool,
    work: impl FnOnce(&mut Maker),
) -> Sample {
    let dir = MemoryDirectory::new();
    let wal = Wal::open(dir.clone(), options.clone()).unwrap();
    let mut maker = Maker { dir, wal, past: Vec::new() };
    work(&mut maker);
    let Maker { dir, wal, past } = maker;
    if close {
        wal.close().unwrap();
    } else {
        assert_eq!(wal.durable_through(), wal.last_entry_id(), "{name}: not all is acknowledged");
        drop(wal);
    }
    let (right, _) = look(dir.clone(), options.clone(), durability_core::ReadMode::Strict).unwrap();
    Sample { name, options: options.clone(), files: image(&dir), right, past }
}

pub(crate) fn all() -> Vec<Sample> {
    let mixed = |maker: &mut Maker| {
        maker.each_synced(3).append(2).sync().batch(3).sync().append(1).sync();
    };
    let mut all = vec![
        make("one segment", &one(), false, mixed),
        make("one segment, closed", &one(), true, mixed),
        make("one segment, marks", &one().mark_after_sync(true), false, mixed),
        make("one segment, alignment 64", &one().alignment(64), false, |maker| {
            maker.each_synced(2).batch(2).sync();
        }),
        make("one segment, one sync", &one(), false, |maker| {
            maker.append(2).batch(2).append(1).sync();
        }),
        make("one segment, a batch last", &one(), false, |maker| {
            maker.each_synced(2).batch(4).sync();
        }),
        make("empty", &one(), false, |_| ()),
        make("empty, closed", &one(), true, |_| ()),
        make("several segments", &several(), false, |maker| {
            maker.each_synced(10);
        }),
        make("several segments, closed", &several(), true, |maker| {
            maker.each_synced(9).batch(2).sync();
        }),
        make("several segments, marks", &several().mark_after_sync(true), false, |maker| {
            maker.each_synced(8);
        }),
        make("several segments, no flag in the last", &several(), false, |maker| {
            while maker.wal.segments().count() < 3 {
                maker.append(1).sync();
            }
            assert_eq!(maker.wal.segments().last().unwrap().entry_count(), 1);
        }),
        make("compact", &one().compact_frames(true), false, mixed),
        make("compact, closed", &one().compact_frames(true), true, mixed),
        make("compact, marks", &one().compact_frames(true).mark_after_sync(true), false, mixed),
        make("compact, several segments", &several().compact_frames(true), false, |maker| {
            maker.each_synced(9).batch(2).sync();
        }),
        make("pruned", &several(), false, |maker| {
            maker.each_synced(12);
            let before = maker.wal.next_entry_id();
            maker.wal.truncate_prefix(id(before.get() - 5)).unwrap();
            maker.each_synced(3);
        }),
        make("truncated", &several(), false, |maker| {
            maker.each_synced(8);
            maker.wal.truncate_suffix(id(6)).unwrap();
            maker.each_synced(2);
        }),
        make("truncated last", &several(), false, |maker| {
            maker.each_synced(8);
            maker.wal.truncate_suffix(id(6)).unwrap();
        }),
        make("emptied", &several(), false, |maker| {
            maker.each_synced(8);
            maker.wal.truncate_to_empty().unwrap();
            maker.append(2).sync();
        }),
        make("emptied last", &several(), false, |maker| {
            maker.each_synced(8);
            maker.wal.truncate_to_empty().unwrap();
        }),
    ];
    all.push(repaired());
    all.push(with_room());
    all
}

/// A torn tail that was repaired: the first segment has dead bytes behind its end.
fn repaired() -> Sample {
    let first = make("", &one(), false, |maker| {
        maker.each_synced(4);
    });
    let mut files = first.files;
    let (file, bytes) = files.iter_mut().next().unwrap();
    let file = file.clone();
    bytes.extend_from_slice(&payload(99));
    let dir = MemoryDirectory::new();
    dir.put(name(&file), bytes.clone());
    let wal = Wal::open(dir.clone(), one()).unwrap();
    assert!(wal.torn_tail().is_some());
    let mut maker = Maker { dir: dir.clone(), wal, past: Vec::new() };
    maker.each_synced(3);
    drop(maker);
    let right = crate::common::expected(1..=7);
    Sample { name: "repaired", options: one(), files: image(&dir), right, past: Vec::new() }
}

/// Reserved room behind the last entry.
fn with_room() -> Sample {
    let mut sample = make("one segment and room", &one(), false, |maker| {
        maker.each_synced(3);
    });
    for bytes in sample.files.values_mut() {
        bytes.resize(bytes.len() + 100, 0);
    }
    sample.past.clear();
    sample
}
