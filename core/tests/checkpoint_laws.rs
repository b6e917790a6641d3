//! Laws of checkpoint files: whole or refused, streamed, deterministic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host
#![allow(clippy::cast_possible_truncation)] // all sizes here are small

use std::collections::BTreeMap;

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointStore, CheckpointWriter,
    read_checkpoint, replace_checkpoint, write_checkpoint,
};
use durability_core::storage::{Folder, MemoryDirectory, MemoryError, Name};
use durability_core::{CorruptionKind, EntryId, Error};
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, Error<MemoryError>>;

fn path() -> Name<'static> {
    Name::new("STATE.CKP").unwrap()
}

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn meta() -> CheckpointMeta {
    CheckpointMeta { log_id: 0x1122_3344_5566_7788, last_id: EntryId::new(77), tag: 5, segment: 9 }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f64, name: Option<String> },
    Many(Vec<Self>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    title: String,
    letter: char,
    numbers: Vec<i64>,
    words: BTreeMap<String, u32>,
    shapes: Vec<Shape>,
    bytes: Vec<u8>,
    big: u128,
}

fn state() -> State {
    State {
        title: "long ".repeat(200),
        letter: 'ß',
        numbers: (0..300).map(|n| n * n * n - 1000).collect(),
        words: (0..60).map(|n| (format!("word {n}"), n)).collect(),
        shapes: vec![
            Shape::Point,
            Shape::Circle { radius: -1.5, name: Some("c".repeat(300)) },
            Shape::Many(vec![Shape::Point, Shape::Circle { radius: 0.1, name: None }]),
        ],
        bytes: vec![7; 1000],
        big: u128::MAX / 3,
    }
}

fn put(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(path(), bytes.to_vec());
    dir
}

fn sample() -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let small: (String, Vec<u16>) = ("state".into(), (0..200).collect());
    let _ = write_checkpoint(&dir, path(), meta(), options(), &small).unwrap();
    dir.contents(path()).unwrap()
}

fn read_sample(bytes: &[u8]) -> Result<(CheckpointMeta, (String, Vec<u16>))> {
    read_checkpoint(put(bytes), path(), options())
}

#[test]
fn a_value_comes_back_from_chunks_of_any_size() {
    let encoded = postcard::to_allocvec(&state()).unwrap();
    for chunk_bytes in [256, 257, 300, 511, 1 << 16] {
        let dir = MemoryDirectory::new();
        let options = options().chunk_bytes(chunk_bytes);
        let summary = write_checkpoint(&dir, path(), meta(), options, &state()).unwrap();
        assert_eq!(summary.bytes(), encoded.len() as u64);
        assert_eq!(summary.chunks() as usize, encoded.len().div_ceil(chunk_bytes as usize));
        let (found, back) = read_checkpoint::<State, _>(&dir, path(), options).unwrap();
        assert_eq!((found, back), (meta(), state()));
    }
}

#[test]
fn the_same_state_gives_the_same_bytes_however_it_is_written() {
    let encoded = postcard::to_allocvec(&state()).unwrap();
    let write = |piece: usize| {
        let dir = MemoryDirectory::new();
        let mut writer = CheckpointWriter::create(&dir, path(), meta(), options()).unwrap();
        for piece in encoded.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        let _ = writer.finish().unwrap();
        dir.contents(path()).unwrap()
    };
    let dir = MemoryDirectory::new();
    let _ = write_checkpoint(&dir, path(), meta(), options(), &state()).unwrap();
    let whole = dir.contents(path()).unwrap();
    for piece in [1, 7, 256, 1000, encoded.len()] {
        assert_eq!(write(piece), whole, "in pieces of {piece}");
    }
    let _ = replace_checkpoint(&dir, path(), meta(), options(), &state()).unwrap();
    assert_eq!(dir.contents(path()).unwrap(), whole);
}

#[test]
fn values_put_one_by_one_are_taken_one_by_one_and_none_may_be_left() {
    let dir = MemoryDirectory::new();
    let mut writer = CheckpointWriter::create(&dir, path(), meta(), options()).unwrap();
    for n in 0..100_u32 {
        writer.put(&(n, format!("item {n}"))).unwrap();
    }
    let summary = writer.finish().unwrap();
    let mut reader = CheckpointReader::open(&dir, path(), options()).unwrap();
    for n in 0..100_u32 {
        assert_eq!(reader.take::<(u32, String)>().unwrap(), (n, format!("item {n}")));
    }
    assert_eq!(reader.finish().unwrap(), summary);
    let mut reader = CheckpointReader::open(&dir, path(), options()).unwrap();
    reader.take::<(u32, String)>().unwrap();
    assert!(matches!(reader.finish(), Err(Error::Decode { source: None, .. })));
    let mut reader = CheckpointReader::open(&dir, path(), options()).unwrap();
    for _ in 0..100 {
        reader.take::<(u32, String)>().unwrap();
    }
    assert!(matches!(reader.take::<u8>(), Err(Error::Decode { source: Some(_), .. })));
}

#[test]
fn every_truncation_is_refused_as_unfinished() {
    let bytes = sample();
    // Behind the end frame's payload there is only its padding.
    for cut in 0..bytes.len() {
        match read_sample(&bytes[..cut]) {
            Err(Error::Unfinished { offset, .. }) => assert!(offset <= cut as u64),
            Err(Error::Corrupt(corruption)) => assert_eq!((corruption.offset, cut < 48), (0, true)),
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    read_sample(&bytes).unwrap();
}

#[test]
fn every_flipped_bit_is_refused_or_in_padding() {
    let bytes = sample();
    let whole = read_sample(&bytes).unwrap();
    let mut harmless = 0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match read_sample(&damaged) {
            Err(Error::Corrupt(_) | Error::Unfinished { .. }) => {}
            Ok(found) => {
                assert_eq!(found, whole, "bit {bit}");
                harmless += 1;
            }
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    // A state of 324 bytes: 256 and 68, whole words both.
    assert!(harmless <= 3 * 8, "{harmless} bits");
}

#[test]
fn a_zeroed_sector_is_refused_and_what_follows_the_end_is_not_read() {
    let bytes = sample();
    for sector in 0..bytes.len().div_ceil(64) {
        let mut torn = bytes.clone();
        let end = torn.len().min(sector * 64 + 64);
        torn[sector * 64..end].fill(0);
        assert!(matches!(read_sample(&torn), Err(Error::Corrupt(_) | Error::Unfinished { .. })));
    }
    for fill in [0, 0xFF, 0x5A] {
        let mut padded = bytes.clone();
        padded.resize(bytes.len() + 1000, fill);
        read_sample(&padded).unwrap();
    }
}

#[test]
fn an_end_frame_that_does_not_fit_its_chunks_is_refused() {
    let bytes = sample();
    let at = bytes.len() - 36;
    let seal = |bytes: &mut Vec<u8>| {
        let header = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        let checksum = durability_core::crc32c(header, &bytes[at + 16..]);
        bytes[at + 12..at + 16].copy_from_slice(&checksum.to_le_bytes());
    };
    let mut sealed = bytes.clone();
    seal(&mut sealed);
    assert_eq!(sealed, bytes, "the end frame is the last 36 bytes");
    // The number of chunks, of bytes, the chain: each one off.
    for field in [4, 8, 16] {
        let mut other = bytes.clone();
        other[at + 16 + field] ^= 1;
        seal(&mut other);
        let Err(Error::Corrupt(corruption)) = read_sample(&other) else { panic!("{field}") };
        assert_eq!(corruption.kind, CorruptionKind::CheckpointEnd);
    }
}

#[test]
fn an_abandoned_checkpoint_is_unfinished() {
    let dir = MemoryDirectory::new();
    let mut writer = CheckpointWriter::create(&dir, path(), meta(), options()).unwrap();
    writer.write_all(&[1; 1000]).unwrap();
    drop(writer);
    let reader = CheckpointReader::open(&dir, path(), options()).unwrap();
    assert_eq!(reader.meta(), meta());
    assert!(matches!(reader.finish(), Err(Error::Unfinished { .. })));
    assert!(matches!(
        read_checkpoint::<Vec<u8>, _>(&dir, path(), options()),
        Err(Error::Unfinished { .. })
    ));
}

/// A checkpoint whose state is exactly these bytes.
fn raw(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut writer = CheckpointWriter::create(&dir, path(), meta(), options()).unwrap();
    writer.write_all(bytes).unwrap();
    let _ = writer.finish().unwrap();
    dir
}

#[test]
fn a_length_that_the_file_does_not_have_is_refused() {
    // A string, a sequence and a map that claim 2^62 and 2^28 bytes or items.
    for claim in [
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, b'x'][..],
        &[0x80, 0x80, 0x80, 0x80, 1, 1],
    ] {
        let dir = raw(claim);
        let refused = |error| matches!(error, Error::Decode { source: Some(_), .. });
        assert!(refused(read_checkpoint::<String, _>(&dir, path(), options()).unwrap_err()));
        assert!(refused(read_checkpoint::<Vec<u64>, _>(&dir, path(), options()).unwrap_err()));
        assert!(refused(
            read_checkpoint::<BTreeMap<u8, u8>, _>(&dir, path(), options()).unwrap_err()
        ));
        assert!(refused(read_checkpoint::<Borrower, _>(&dir, path(), options()).unwrap_err()));
    }
}

/// Owned, but decoded by way of a borrowed string, as some types of other crates are.
#[derive(Debug, PartialEq)]
struct Borrower(String);

impl Serialize for Borrower {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Borrower {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        <&str>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

#[test]
fn types_that_borrow_while_decoding_come_back_across_chunks() {
    let dir = MemoryDirectory::new();
    // So many that what was lent must not be dropped by recursion.
    let values: Vec<Borrower> = (0..400_000).map(|n| Borrower("ab".repeat(n % 9))).collect();
    let _ = write_checkpoint(&dir, path(), meta(), options(), &values).unwrap();
    let (_, back) = read_checkpoint::<Vec<Borrower>, _>(&dir, path(), options()).unwrap();
    assert_eq!(back, values);
}

#[test]
fn limits_refuse_and_a_part_of_a_value_is_never_finished() {
    let dir = MemoryDirectory::new();
    let small = options().checkpoint_bytes_max(1000);
    let mut writer = CheckpointWriter::create(&dir, path(), meta(), small).unwrap();
    writer.write_all(&[1; 999]).unwrap();
    assert!(matches!(
        writer.write_all(&[1; 2]),
        Err(Error::Limit { found: 1001, limit: 1000, .. })
    ));
    writer.write_all(&[1]).unwrap();
    assert!(matches!(writer.put(&[1_u8; 4]), Err(Error::Limit { .. })));
    assert!(matches!(writer.finish(), Err(Error::Poisoned { .. })));
    let dir = raw(&[1; 1000]);
    let mut reader =
        CheckpointReader::open(&dir, path(), options().checkpoint_bytes_max(999)).unwrap();
    let mut all = [0; 2000];
    let refused = loop {
        match reader.read(&mut all) {
            Ok(0) => panic!("read beyond the limit"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Limit { limit: 999, .. }));
    let large = options().chunk_bytes(1024);
    let dir = MemoryDirectory::new();
    let _ = write_checkpoint(&dir, path(), meta(), large, "x").unwrap();
    assert!(matches!(
        CheckpointReader::open(&dir, path(), options().chunk_bytes_max(1023)),
        Err(Error::Limit { found: 1024, limit: 1023, .. })
    ));
    assert!(matches!(
        CheckpointReader::open(&dir, path(), options().chunk_bytes(255)),
        Err(Error::BadOption { .. })
    ));
}

#[test]
fn a_full_medium_fails_the_checkpoint_and_leaves_it_unfinished() {
    let needed = sample().len() as u64;
    for bytes_max in 0..needed {
        let dir = MemoryDirectory::with_bytes_max(bytes_max);
        let small: (String, Vec<u16>) = ("state".into(), (0..200).collect());
        let failed = write_checkpoint(&dir, path(), meta(), options(), &small).unwrap_err();
        assert!(failed.is_no_space());
        assert!(matches!(
            read_checkpoint::<(String, Vec<u16>), _>(&dir, path(), options()),
            Err(Error::Unfinished { .. } | Error::Corrupt(_))
        ));
    }
}

#[test]
fn replacing_leaves_the_old_one_until_the_new_one_is_whole() {
    let dir = MemoryDirectory::new();
    let _ = replace_checkpoint(&dir, path(), meta(), options(), "old").unwrap();
    let mut writer = CheckpointWriter::replace(&dir, path(), meta(), options()).unwrap();
    writer.put("new").unwrap();
    assert!(matches!(
        CheckpointWriter::replace(&dir, path(), meta(), options()),
        Err(Error::Held { .. })
    ));
    let read = || read_checkpoint::<String, _>(&dir, path(), options()).unwrap().1;
    assert_eq!(read(), "old");
    drop(writer); // as a crash would
    assert_eq!(read(), "old");
    let _ = replace_checkpoint(&dir, path(), meta(), options(), "newer").unwrap();
    assert_eq!(read(), "newer");
    assert_eq!(dir.names(), ["STATE.CKP"]);
}

fn store(dir: &MemoryDirectory) -> CheckpointStore<MemoryDirectory> {
    CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap()
}

fn add(store: &CheckpointStore<MemoryDirectory>, state: u32) -> u32 {
    let (generation, mut writer) = store.create(meta(), options()).unwrap();
    writer.put(&state).unwrap();
    let _ = writer.finish().unwrap();
    generation
}

#[test]
fn generations_go_up_and_other_files_are_left_alone() {
    let dir = MemoryDirectory::new();
    let foreign = [
        "ckp/0000000a.CKP",
        "ckp/00000000.CKP",
        "ckp/0000001.CKP",
        "ckp/FFFFFFFFF.CKP",
        "ckp/00000009.TMP",
        "00000007.CKP",
    ];
    for name in foreign {
        dir.put(Name::new(name).unwrap(), vec![1]);
    }
    let mut store = store(&dir);
    assert_eq!((store.newest().unwrap(), store.next_generation().unwrap()), (None, 1));
    for expected in 1..=12 {
        assert_eq!(add(&store, expected), expected);
    }
    assert_eq!(store.remove_older(2, options()).unwrap(), 10);
    assert_eq!(store.list().unwrap(), [11, 12]);
    assert_eq!(dir.names().len(), foreign.len() + 2);
    dir.put(Name::new("ckp/FFFFFFFF.CKP").unwrap(), vec![]);
    assert!(matches!(store.next_generation(), Err(Error::Limit { .. })));
}

#[test]
fn only_whole_checkpoints_count_as_kept() {
    let dir = MemoryDirectory::new();
    let mut store = store(&dir);
    for state in 1..=5 {
        add(&store, state);
    }
    // 5 is unfinished, 3 damaged: 4 and 2 are the newest two that are whole.
    let spoil = |generation: u32, spoil: &dyn Fn(&mut Vec<u8>)| {
        let name = store_path(generation);
        let name = Name::new(&name).unwrap();
        let mut bytes = dir.contents(name).unwrap();
        spoil(&mut bytes);
        dir.put(name, bytes);
    };
    spoil(5, &|bytes| bytes.truncate(60));
    spoil(3, &|bytes| bytes[64] ^= 1);
    assert_eq!(store.remove_older(2, options()).unwrap(), 2);
    assert_eq!(store.list().unwrap(), [2, 4, 5]);
    // The unfinished one's number is not used again.
    assert_eq!(add(&store, 6), 6);
    assert_eq!(store.remove_older(1, options()).unwrap(), 3);
    assert_eq!(store.list().unwrap(), [6]);
    assert!(matches!(store.remove_older(0, options()), Err(Error::BadOption { .. })));
}

fn store_path(generation: u32) -> String {
    format!("ckp/{generation:08X}.CKP")
}

#[test]
fn without_a_whole_checkpoint_nothing_is_removed() {
    let dir = MemoryDirectory::new();
    let mut store = store(&dir);
    for generation in 1..=3 {
        dir.put(Name::new(&store_path(generation)).unwrap(), vec![0x5A; 100]);
    }
    assert_eq!(store.remove_older(1, options()).unwrap(), 0);
    assert_eq!(store.list().unwrap(), [1, 2, 3]);
}
