//! Later versions and hostile files: refused by number, with nothing changed, nothing allocated, no panic.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, read_checkpoint, write_checkpoint,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalWriter, WalOptions};
use durability_core::{Error, ReadMode};

use crate::allocations::peak_of;
use crate::common::format::{
    CHECKPOINT_HEADER, CONTROL, Codec, FRAME, LOG_HEADER, SEGMENT_HEADER, SYNCED, seal_header,
};
use crate::common::{Image, disk, image, look, name, payload, segment, small};

type Failed = Error<MemoryError>;

fn path() -> Name<'static> {
    Name::new("FILE.BIN").unwrap()
}

fn put(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(path(), bytes.to_vec());
    dir
}

fn wal() -> Image {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for id in 1..=20 {
        wal.append(&payload(id)).unwrap();
    }
    wal.close().unwrap();
    image(&dir)
}

fn record_log() -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::open(dir.clone(), path(), RecordLogOptions::new()).unwrap();
    log.append(b"record").unwrap();
    log.close().unwrap();
    dir.contents(path()).unwrap()
}

fn checkpoint() -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
    let _written = write_checkpoint(&dir, path(), meta, options, "state").unwrap();
    dir.contents(path()).unwrap()
}

/// A header that only a later version can read, with its checksum made to hold.
fn newer(bytes: &[u8], header: usize, change: fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    seal_header(&mut bytes, header);
    bytes
}

fn open_and_read(dir: &MemoryDirectory) -> Result<(), Failed> {
    let mut wal = RawWalWriter::open(dir.clone(), small())?;
    let mut reader = wal.reader()?;
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    while entries.next()?.is_some() {}
    Ok(())
}

fn is_newer<T>(result: Result<T, Failed>, expected: (u16, u8, u32)) {
    match result {
        Err(Error::Newer { version, form, features, file }) => {
            assert_eq!((version, form, features), expected);
            assert!(!file.to_string().is_empty());
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a later version was read as this one"),
    }
}

#[test]
fn a_later_version_form_or_feature_is_refused_by_number_and_nothing_is_changed() {
    let changes: [(fn(&mut [u8]), (u16, u8, u32)); 4] = [
        (|bytes| bytes[8] = 2, (2, 0, 0)),
        (|bytes| bytes[9] = 0x10, (0x1001, 0, 0)),
        (|bytes| bytes[11] = 2, (1, 2, 0)),
        (|bytes| bytes[12] = 4, (1, 0, 4)),
    ];
    for (change, expected) in changes {
        let whole = wal();
        for file in whole.keys() {
            let mut files = whole.clone();
            files.insert(file.clone(), newer(&whole[file], SEGMENT_HEADER, change));
            let dir = disk(&files);
            is_newer(look(dir.clone(), small(), ReadMode::BestEffort), expected);
            is_newer(RawWalWriter::open(dir.clone(), small().scan_at_open(true)), expected);
            assert_eq!(image(&dir), files);
            // The list of a closed log spares opening the header; whoever reads the segment meets it, and nothing is changed.
            is_newer(open_and_read(&dir), expected);
            assert_eq!(image(&dir), files);
        }
        let bytes = newer(&record_log(), LOG_HEADER, change);
        let (dir, options) = (put(&bytes), RecordLogOptions::new());
        is_newer(
            RecordLogReader::open(dir.clone(), path(), ReadMode::BestEffort, options),
            expected,
        );
        is_newer(RecordLogWriter::open(dir.clone(), path(), options), expected);
        assert_eq!(dir.contents(path()).unwrap(), bytes);
        let dir = put(&newer(&checkpoint(), CHECKPOINT_HEADER, change));
        is_newer(CheckpointReader::open(dir, path(), CheckpointOptions::new()), expected);
    }
}

#[test]
fn a_frame_of_a_later_version_is_refused_and_nothing_is_changed() {
    let whole = wal();
    let tail = whole.keys().next_back().unwrap();
    let codec = Codec::of_segment(&whole[tail]);
    let last = codec.frames(&whole[tail])[0].at;
    // The reserved bit, and a control kind below 128 that this version does not know.
    for (at, bit) in [(last + 3, 0x80), (last + 3, 0x20)] {
        let mut files = whole.clone();
        let bytes = files.get_mut(tail).unwrap();
        bytes[at] ^= bit;
        if bit == 0x20 {
            bytes[last + 4] = 0;
            bytes[last + FRAME] = 99;
        }
        codec.seal(bytes, last);
        // This version's close frame vouches for frames that this version knows (a later one closes otherwise): a writer
        // that finds it reads no others, unless it is asked to.
        let mut open = files.clone();
        let end = codec.frames(&whole[tail]).last().unwrap().at;
        open.get_mut(tail).unwrap().truncate(end);
        for (files, options) in [(&files, small().scan_at_open(true)), (&open, small())] {
            let dir = disk(files);
            for result in [
                look(dir.clone(), small(), ReadMode::BestEffort).map(drop),
                RawWalWriter::open(dir.clone(), options).map(drop),
            ] {
                match result {
                    Err(Error::NewerFrame { file, offset }) => {
                        assert_eq!((file.to_string(), offset), (tail.clone(), last as u64));
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(&image(&dir), files);
        }
    }
}

#[test]
fn a_length_is_believed_only_as_far_as_the_file_and_the_limit_go() {
    // The last record claims the largest length there is; the file ends, or goes on with a lot of room.
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
    for id in 1..=3 {
        wal.append(&payload(id)).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    drop(wal);
    let whole = image(&dir)[&segment(1)].clone();
    let codec = Codec::of_segment(&whole);
    let last = codec.frames(&whole)[2];
    for (claim, room) in
        [(SYNCED - 1, 0), (SYNCED - 1, 300 << 20), (17 << 20, 40 << 20), (1 << 20, 0)]
    {
        let mut bytes = whole.clone();
        codec.forge(&mut bytes, last.at, claim, 3);
        bytes.resize(bytes.len() + room, 0);
        let dir = MemoryDirectory::new();
        dir.put(name(&segment(1)), bytes);
        let options = || WalOptions::new().buffer_bytes(4096).read_bytes(4096);
        let (result, peak) =
            peak_of(|| look(dir.clone(), options(), ReadMode::BestEffort).map(drop));
        assert!(peak < 64 << 10, "a claim of {claim} bytes took {peak}");
        // A torn record is the end of the log, however long it was to be.
        result.unwrap();
        let (opened, peak) = peak_of(|| RawWalWriter::open(dir.clone(), options()).map(drop));
        assert!(peak < 64 << 10 && opened.is_ok(), "{peak}, {opened:?}");
    }
}

#[test]
fn a_checkpoint_that_claims_more_than_it_has_allocates_only_what_is_there() {
    let bytes = checkpoint();
    let mut claims = bytes.clone();
    // A chunk size of 4 GiB in the header, or in a frame.
    claims[36..40].fill(0xFF);
    seal_header(&mut claims, CHECKPOINT_HEADER);
    let mut frame = bytes.clone();
    Codec::of_file(&bytes, CHECKPOINT_HEADER).forge(&mut frame, 48, SYNCED - 1, 1);
    for bytes in [claims, frame] {
        let dir = put(&bytes);
        let options = CheckpointOptions::new().read_bytes(4096);
        let (result, peak) = peak_of(|| read_checkpoint::<String, _>(&dir, path(), options));
        assert!(result.is_err() && peak < 64 << 10, "{peak}");
    }
}

#[test]
fn a_chain_that_leads_nowhere_ends() {
    // Headers that verify and point at themselves, forward, or far away.
    let whole = wal();
    let tail = whole.keys().next_back().unwrap().clone();
    let own = whole.len() as u32;
    for previous in [own, own + 1, u32::MAX, own - 1] {
        for first_id in [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            for oldest in [0, 1, own, own + 1, u32::MAX] {
                let mut files = whole.clone();
                let bytes = files.get_mut(&tail).unwrap();
                bytes[28..32].copy_from_slice(&oldest.to_le_bytes());
                bytes[32..40].copy_from_slice(&first_id.to_le_bytes());
                bytes[48..52].copy_from_slice(&previous.to_le_bytes());
                seal_header(bytes, SEGMENT_HEADER);
                let dir = disk(&files);
                let looked = look(dir.clone(), small(), ReadMode::BestEffort);
                if let Err(error) = looked {
                    assert!(error.is_corruption(), "{error}");
                }
                let opened = RawWalWriter::open(dir.clone(), small()).map(drop);
                if opened.is_err() {
                    assert_eq!(image(&dir), files);
                }
            }
        }
    }
}

#[test]
fn control_frames_that_make_no_sense_are_damage_and_no_panic() {
    let whole = wal();
    let tail = whole.keys().next_back().unwrap().clone();
    let bytes = &whole[&tail];
    let codec = Codec::of_segment(bytes);
    let close = *codec.frames(bytes).last().unwrap();
    assert!(close.control());
    for kind in 0..=255 {
        for length in 0..24_u32 {
            for fill in [0, 1, 0xFF] {
                let mut files = whole.clone();
                let bytes = files.get_mut(&tail).unwrap();
                bytes.truncate(close.at + FRAME);
                bytes.resize(close.at + FRAME + length as usize, fill);
                if let Some(first) = bytes.get_mut(close.at + FRAME) {
                    *first = kind;
                }
                codec.forge(bytes, close.at, length | CONTROL | SYNCED, close.position);
                codec.seal(bytes, close.at);
                let dir = disk(&files);
                let looked = look(dir.clone(), small(), ReadMode::BestEffort);
                match &looked {
                    Ok((found, _)) => assert_eq!(found.len(), 20),
                    Err(error) => assert!(
                        error.is_corruption() || matches!(error, Error::NewerFrame { .. }),
                        "{error}"
                    ),
                }
                let opened = RawWalWriter::open(dir.clone(), small()).map(drop);
                // A prune frame may name anything: it never hides the tail.
                if opened.is_err() {
                    assert_eq!(image(&dir), files);
                } else {
                    assert!(looked.is_ok());
                }
            }
        }
    }
}
