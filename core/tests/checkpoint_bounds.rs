//! Checkpoints at the bounds: of chunks, of what a length may claim, of how much is borrowed at once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed expectation is what fails a test"
)]

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter,
};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{CorruptionKind, Error, crc32c};

type Reader<'d> = CheckpointReader<&'d MemoryDirectory>;

/// Bytes of a checkpoint's header, and where it says how large chunks are: FORMAT.md.
const HEADER: usize = 48;
const CHUNK_BYTES: usize = 36;

fn path() -> Name<'static> {
    Name::new("STATE.CKP").unwrap()
}

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn open(
    dir: &MemoryDirectory,
    options: CheckpointOptions,
) -> Result<Reader<'_>, Error<MemoryError>> {
    CheckpointReader::open(dir, path(), options)
}

fn written(write: impl FnOnce(&mut CheckpointWriter<&MemoryDirectory>)) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut writer =
        CheckpointWriter::create(&dir, path(), CheckpointMeta::default(), options()).unwrap();
    write(&mut writer);
    let _summary = writer.finish().unwrap();
    dir
}

#[test]
fn chunks_as_large_as_the_reader_takes_are_read_and_larger_ones_are_refused() {
    let dir = written(|writer| writer.put(&[7_u8; 32]).unwrap());
    let state: [u8; 32] = open(&dir, options().chunk_bytes_max(256)).unwrap().take().unwrap();
    assert_eq!(state, [7; 32]);
    // What the header says is what counts, before anything is read.
    let mut bytes = dir.contents(path()).unwrap();
    for (chunk_bytes, fits) in [(256_u32, true), (257, false)] {
        bytes[CHUNK_BYTES..][..4].copy_from_slice(&chunk_bytes.to_le_bytes());
        let checksum = crc32c(0, &bytes[..HEADER - 4]);
        bytes[HEADER - 4..HEADER].copy_from_slice(&checksum.to_le_bytes());
        dir.put(path(), bytes.clone());
        match open(&dir, options().chunk_bytes_max(256)) {
            Ok(_) => assert!(fits),
            Err(Error::Limit { found: 257, limit: 256, .. }) => assert!(!fits),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_header_of_chunks_without_bytes_is_damaged() {
    let dir = written(|_| {});
    let mut bytes = dir.contents(path()).unwrap();
    bytes[CHUNK_BYTES..][..4].fill(0);
    let checksum = crc32c(0, &bytes[..HEADER - 4]);
    bytes[HEADER - 4..HEADER].copy_from_slice(&checksum.to_le_bytes());
    dir.put(path(), bytes);
    match open(&dir, options()) {
        Err(Error::Corrupt(damage)) => assert_eq!(damage.kind, CorruptionKind::FileHeader),
        other => panic!("{other:?}"),
    }
}

/// A length comes before its bytes: one that the file cannot hold is refused before any of them is gathered.
#[test]
fn a_length_beyond_the_end_of_the_file_takes_nothing() {
    let dir = written(|writer| {
        writer.put(&u64::MAX).unwrap(); // as the length of a text
        writer.write_all(&[b'x'; 600]).unwrap();
    });
    let mut reader = open(&dir, options()).unwrap();
    let refused = reader.take::<String>();
    assert!(matches!(refused, Err(Error::Decode { .. })), "{refused:?}");
    let (mut left, mut piece) = (0, [0; 64]);
    loop {
        match reader.read(&mut piece).unwrap() {
            0 => break,
            count => left += count,
        }
    }
    assert_eq!(left, 600);
}

/// What is borrowed while a value is decoded is a list, and as long as the value: it must not be dropped by recursion.
#[test]
fn a_value_of_very_many_texts_is_read() {
    let texts = vec!["x"; 300_000];
    let dir = written(|writer| writer.put(&texts).unwrap());
    let found: Vec<String> = open(&dir, options()).unwrap().take().unwrap();
    assert_eq!(found, texts);
}
