//! Checkpoints at the bounds: of chunks, of what a length may claim, of what crashes and damage leave.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed expectation is what fails a test"
)]

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointStore, CheckpointWriter,
};
use durability_core::embedded_io::{Read, Write};
use durability_core::storage::{Folder, MemoryDirectory, MemoryError, Name};
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

/// A frame in a checkpoint: its length, whether it is a control frame, and where it begins. FORMAT.md.
fn frames(file: &[u8]) -> Vec<(usize, bool, usize)> {
    let (mut found, mut at) = (Vec::new(), HEADER);
    while let Some(word) = file.get(at..at + 4) {
        let word = u32::from_le_bytes(word.try_into().unwrap());
        let bytes = (word & 0x0FFF_FFFF) as usize;
        found.push((bytes, word >> 29 & 1 == 1, at));
        at += (16 + bytes).next_multiple_of(4);
    }
    found
}

/// The end frame says that all before it had been written. Nothing else does, not even a chunk of the same size.
#[test]
fn damage_before_an_end_frame_is_damage_and_without_one_it_is_unfinished() {
    let dir = written(|writer| writer.write_all(&[7; 256 + 20]).unwrap());
    let whole = dir.contents(path()).unwrap();
    let [(256, false, first), (20, false, last), (20, true, end)] = frames(&whole)[..] else {
        panic!("{:?}", frames(&whole))
    };
    for at in [first + 16, last + 16, last] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        dir.put(path(), bytes.clone());
        let found = open(&dir, options()).unwrap().verify();
        assert!(matches!(found, Err(Error::Corrupt(_))), "{found:?}");
        bytes.truncate(end);
        dir.put(path(), bytes);
        let found = open(&dir, options()).unwrap().verify();
        assert!(matches!(found, Err(Error::Unfinished { .. })), "{found:?}");
    }
}

/// Bit 30 of a frame's word says that more of a batch follows: a checkpoint of this version has no batches.
#[test]
fn a_chunk_that_is_part_of_a_batch_is_of_a_later_version() {
    let dir = written(|writer| writer.write_all(b"state").unwrap());
    let mut bytes = dir.contents(path()).unwrap();
    let salt = crc32c(0, &bytes[..HEADER - 4]);
    bytes[HEADER + 3] |= 1 << 6;
    let checksum = crc32c(salt ^ 0x30, &bytes[HEADER..][..8]);
    let payload_checksum = crc32c(checksum, b"state");
    bytes[HEADER + 8..][..4].copy_from_slice(&checksum.to_le_bytes());
    bytes[HEADER + 12..][..4].copy_from_slice(&payload_checksum.to_le_bytes());
    dir.put(path(), bytes);
    let found = open(&dir, options()).unwrap().verify();
    assert!(matches!(found, Err(Error::NewerFrame { offset: 48, .. })), "{found:?}");
}

/// As whoever knows nothing but `embedded_io` sees them.
#[test]
fn a_checkpoint_is_a_stream_of_bytes() {
    let state: Vec<u8> = (0..=u8::MAX).cycle().take(600).collect();
    let dir = written(|writer| {
        let mut written = 0;
        for piece in state.chunks(100) {
            assert_eq!(Write::write(writer, piece).unwrap(), piece.len());
            written += piece.len();
            assert_eq!(writer.bytes(), written as u64);
        }
        Write::flush(writer).unwrap();
    });
    let mut reader = open(&dir, options()).unwrap();
    let (mut found, mut piece) = (Vec::new(), [0; 50]);
    loop {
        match Read::read(&mut reader, &mut piece).unwrap() {
            0 => break,
            count => found.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(found, state);
}

#[test]
fn a_stream_that_failed_is_flushed_no_more() {
    let dir = MemoryDirectory::with_bytes_max(300);
    let mut writer =
        CheckpointWriter::create(&dir, path(), CheckpointMeta::default(), options()).unwrap();
    assert!(Write::write(&mut writer, &[7; 600]).is_err());
    assert!(matches!(Write::flush(&mut writer), Err(Error::Poisoned { .. })));
}

/// A torn file above the newest whole one goes; what is damaged stays, for whoever wants to know.
#[test]
fn what_crashes_left_unfinished_goes_and_damage_stays() {
    let dir = MemoryDirectory::new();
    let mut store = CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap();
    for _ in 0..5 {
        let (_, mut writer) = store.create(CheckpointMeta::default(), options()).unwrap();
        writer.write_all(b"state").unwrap();
        let _summary = writer.finish().unwrap();
    }
    let change = |generation: u32, change: &dyn Fn(&mut Vec<u8>)| {
        let path = store.path(generation).unwrap();
        let mut bytes = dir.contents(path.as_name()).unwrap();
        change(&mut bytes);
        dir.put(path.as_name(), bytes);
    };
    for unfinished in [1, 3, 5] {
        change(unfinished, &|bytes| bytes.truncate(60));
    }
    change(4, &|bytes| bytes[HEADER + 16] ^= 1);
    store.remove_unfinished(options()).unwrap();
    assert_eq!(store.list().unwrap(), [1, 2, 4]);
}
