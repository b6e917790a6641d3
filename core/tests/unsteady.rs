//! Entries that encode in another way each time, and batches that are not what they said: refused, and nothing of them is ever read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is what fails a test")]

use core::cell::Cell;

use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::{RawWalReader, WalOptions, WalWriter};
use durability_core::{Error, ReadMode};
use serde::{Serialize, Serializer};

type Wal = WalWriter<Fickle, MemoryDirectory>;

/// Bytes, and others from that time on that it is asked for them.
struct Fickle {
    asked: Cell<u32>,
    turns_at: u32,
    first: Vec<u8>,
    then: Vec<u8>,
}

impl Fickle {
    fn new(first: &[u8], turns_at: u32, then: &[u8]) -> Self {
        Self { asked: Cell::new(0), turns_at, first: first.to_vec(), then: then.to_vec() }
    }

    fn steady(bytes: &[u8]) -> Self {
        Self::new(bytes, u32::MAX, &[])
    }
}

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.asked.set(self.asked.get() + 1);
        let turned = self.asked.get() >= self.turns_at;
        serializer.serialize_bytes(if turned { &self.then } else { &self.first })
    }
}

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256)
}

/// A log of one entry.
fn log() -> (MemoryDirectory, Wal) {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), options()).unwrap();
    wal.append(&Fickle::steady(b"before")).unwrap();
    wal.flush().unwrap();
    (dir, wal)
}

/// The payloads of all entries, as the next writer finds them.
fn found(dir: &MemoryDirectory) -> Vec<Vec<u8>> {
    drop(Wal::open(dir.clone(), options()).unwrap());
    let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        found.push(entry.payload.to_vec());
    }
    found
}

fn is_refused<T>(result: &Result<T, Error<MemoryError>>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::Encode { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_entry_that_turns_while_it_is_written_is_whole_or_refused() {
    let (mut refused, mut taken) = (0, 0);
    // In the buffer, and past it.
    for bytes in [10, 1000] {
        for then in [bytes - 4, bytes, bytes + 4] {
            for (turns_at, batch) in (1..=6).flat_map(|at| [(at, false), (at, true)]) {
                let (dir, mut wal) = log();
                let entry = || Fickle::new(&vec![1; bytes], turns_at, &vec![2; then]);
                let result = if batch {
                    let steady = || Fickle::steady(&[3; 100]);
                    wal.append_batch(&[steady(), entry(), steady()]).map(drop)
                } else {
                    wal.append(&entry()).map(drop).and_then(|()| wal.flush())
                };
                let was_refused = is_refused(&result);
                drop(wal);
                let found = found(&dir);
                let case = format!("{bytes}, then {then}, at {turns_at}, batch: {batch}");
                if was_refused {
                    refused += 1;
                    assert_eq!(found.len(), 1, "{case}");
                } else {
                    taken += 1;
                    assert_eq!(found.len(), if batch { 4 } else { 2 }, "{case}");
                    let wholes = [vec![1; bytes], vec![2; then]];
                    let payload = found.get(1 + usize::from(batch)).unwrap();
                    assert!(wholes.iter().any(|whole| payload.ends_with(whole)), "{case}");
                }
            }
        }
    }
    assert!(refused > 5 && taken > 5, "{refused} {taken}");
}

/// Entries, and others once it has been cloned.
struct Two<'a>(core::slice::Iter<'a, Fickle>, core::slice::Iter<'a, Fickle>);

impl<'a> Iterator for Two<'a> {
    type Item = &'a Fickle;

    fn next(&mut self) -> Option<&'a Fickle> {
        self.0.next()
    }
}

impl Clone for Two<'_> {
    fn clone(&self) -> Self {
        Self(self.1.clone(), self.0.clone())
    }
}

#[test]
fn a_batch_of_more_or_fewer_entries_than_it_said_is_refused_as_a_whole() {
    for (said, comes) in [(3, 2), (3, 1), (2, 3), (1, 3)] {
        for bytes in [10, 1000] {
            let (dir, mut wal) = log();
            let entries: Vec<_> = (0..3).map(|_| Fickle::steady(&vec![4; bytes])).collect();
            let of = |count: usize| entries.get(..count).unwrap().iter();
            let batch = Two(of(comes), of(said));
            assert!(is_refused(&wal.append_batch(batch)), "{comes} of {said}");
            assert!(wal.append(&Fickle::steady(b"after")).is_err(), "it goes on");
            drop(wal);
            assert_eq!(found(&dir).len(), 1, "{comes} of {said}, {bytes} bytes");
        }
    }
}

#[test]
fn a_record_as_long_as_it_may_be_is_taken_alone_and_in_a_batch() {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), options().record_bytes_max(101)).unwrap();
    // With its length in front.
    let (longest, longer) = (Fickle::steady(&[5; 100]), Fickle::steady(&[5; 101]));
    wal.append(&longest).unwrap();
    wal.append_batch([&longest, &longest]).unwrap();
    assert!(matches!(wal.append(&longer), Err(Error::Limit { .. })));
    assert!(matches!(wal.append_batch([&longest, &longer]), Err(Error::Limit { .. })));
    wal.close().unwrap();
    assert_eq!(found(&dir).len(), 3);
}
