//! Record logs on raw NOR flash and on FAT: a power cut at every operation, twice, loses nothing that was acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointWriter};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{Directory, Name};
use durability_core::{Error, Limit, ReadMode};
use durability_flash::{FlashDirectory, FlashOptions};
use durability_testkit::backends::{FatDirectory, NorChip, Tearing};

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(512)
}

/// Zeros among the payloads: on erased flash they are written bytes.
fn record(epoch: u8, n: usize) -> Vec<u8> {
    if n == 1 { vec![0; 70] } else { vec![epoch * 16 + 1; [5, 70, 33, 100][n % 4]] }
}

/// One run until the power goes; what was acknowledged is in `acknowledged`, what was tried in `tried`.
fn run<D: Directory>(
    dir: &D,
    epoch: u8,
    acknowledged: &mut Vec<Vec<u8>>,
    tried: &mut Vec<Vec<u8>>,
) {
    let Ok(mut log) = RecordLogWriter::open(dir, path(), options()) else { return };
    for n in 0..4 {
        let record = record(epoch, n);
        tried.push(record.clone());
        if log.append(&record).is_err() || log.flush().is_err() {
            return;
        }
        if n % 2 == 1 {
            if log.flush_and_sync().is_err() {
                return;
            }
            acknowledged.clone_from(tried);
        }
    }
}

fn read<D: Directory>(dir: &D) -> Vec<Vec<u8>> {
    match RecordLogReader::open(dir, path(), ReadMode::BestEffort, options()) {
        Ok(mut reader) => reader.collect().unwrap(),
        Err(Error::Missing { .. }) => Vec::new(),
        Err(other) => panic!("{other}"),
    }
}

type Flash<const GRANULE: usize> = FlashDirectory<NorChip<1, GRANULE, 1024>, 2>;

/// Two slots of two blocks.
fn mount<const GRANULE: usize>(chip: NorChip<1, GRANULE, 1024>) -> Flash<GRANULE> {
    FlashDirectory::mount(chip.powered(), FlashOptions::new()).unwrap()
}

fn flash<const GRANULE: usize>() -> Flash<GRANULE> {
    mount(NorChip::new(4))
}

fn cut_twice<const GRANULE: usize>(tearing: Tearing) {
    let mut cuts = 0;
    for first in 1.. {
        let dir = flash::<GRANULE>();
        dir.with_flash(|chip| chip.cut_power_at(first, tearing));
        let (mut acknowledged, mut tried) = (Vec::new(), Vec::new());
        run(&&dir, 1, &mut acknowledged, &mut tried);
        let chip = dir.into_flash();
        let done = chip.operations() < first;
        // Every second cut is tried behind some first one.
        for second in (1 + first % 7..).step_by(7) {
            let dir = mount(chip.clone());
            let found = read(&&dir);
            assert!(tried.starts_with(&found) && found.starts_with(&acknowledged));
            dir.with_flash(|chip| chip.cut_power_at(second, tearing));
            let (mut acknowledged, mut tried) = (found.clone(), found);
            run(&&dir, 2, &mut acknowledged, &mut tried);
            let done = dir.with_flash(|chip| chip.is_powered());
            let dir = mount(dir.into_flash());
            let found = read(&&dir);
            assert!(
                tried.starts_with(&found) && found.starts_with(&acknowledged),
                "{first}, {second}"
            );
            let mut last = RecordLogWriter::open(&dir, path(), options()).unwrap();
            last.append(b"last")
                .unwrap_or_else(|error| panic!("{GRANULE} {tearing:?} {first} {second}: {error}"));
            last.close().unwrap();
            cuts += 1;
            if done {
                break;
            }
        }
        if done {
            break;
        }
    }
    assert!(cuts > 100, "only {cuts}");
}

#[test]
fn no_power_cut_on_flash_loses_an_acknowledged_record() {
    for tearing in Tearing::ALL {
        cut_twice::<4>(tearing);
        cut_twice::<16>(tearing);
    }
}

#[test]
fn a_log_on_fat_is_resumed_and_read_back() {
    let dir = FatDirectory::new().unwrap();
    let (mut acknowledged, mut tried) = (Vec::new(), Vec::new());
    for epoch in 1..4 {
        run(&dir, epoch, &mut acknowledged, &mut tried);
    }
    assert_eq!(acknowledged.len(), 12);
    assert_eq!(read(&dir), acknowledged);
}

fn long_records<const GRANULE: usize>() {
    let options_of_slot = FlashOptions::new().slot_blocks(16);
    let chip = NorChip::<1, GRANULE, 1024>::new(32);
    let dir = FlashDirectory::<_, 2>::mount(chip, options_of_slot).unwrap();
    let mut log = RecordLogWriter::open(&dir, path(), options()).unwrap();
    let records: Vec<Vec<u8>> =
        (0..12).map(|n| vec![u8::try_from(n).unwrap(); 760 + 5 * n]).collect();
    for record in &records {
        log.append(record).unwrap();
    }
    log.close().unwrap();
    assert_eq!(read(&&dir), records);
}

/// Flash takes whole granules, each of them once: also of records that go past the buffer.
#[test]
fn records_longer_than_the_buffer_go_out_in_whole_granules() {
    long_records::<4>();
    long_records::<16>();
}

/// A log is full when the next record would be behind the last byte that a file can have, and not a byte before.
#[test]
fn a_file_is_filled_to_the_byte_and_opens_again() {
    let mut exact = 0;
    for bytes in 0..64 {
        // A name's room that leaves one for the records that many of them fill.
        let options_of_slot = FlashOptions::new().name_bytes_max(116);
        let chip = NorChip::<1, 4, 1024>::new(4);
        let dir = FlashDirectory::<_, 2>::mount(chip, options_of_slot).unwrap();
        let mut log = RecordLogWriter::open(&dir, path(), options()).unwrap();
        let mut count = 0;
        let (found, limit) = loop {
            match log.append(&vec![7; bytes]) {
                Ok(_) => count += 1,
                Err(Error::Limit { what: Limit::FileBytes, found, limit }) => break (found, limit),
                Err(other) => panic!("{other}"),
            }
        };
        let frame = (16 + bytes as u64).next_multiple_of(4);
        assert!(found > limit && found - frame <= limit, "{bytes}: {found}, {limit}");
        exact += u32::from(found - frame == limit);
        log.close().unwrap();
        let log = RecordLogWriter::open(&dir, path(), options()).unwrap();
        assert_eq!(log.last_record().map_or(0, durability_core::EntryId::get), count);
    }
    assert!(exact > 0, "some record must end at the very limit");
}

/// The same of a checkpoint; a frame that does not fit is refused before any of it is written.
#[test]
fn a_checkpoint_fills_a_file_to_the_byte() {
    let mut exact = 0;
    for bytes in 1500..1900 {
        let dir = flash::<4>();
        let limit = (&dir).capabilities().file_bytes_max();
        let options = CheckpointOptions::new().chunk_bytes(300);
        let meta = CheckpointMeta::default();
        let mut writer = CheckpointWriter::create(&dir, path(), meta, options).unwrap();
        let done = writer.write_all(&vec![7; bytes]).and_then(|()| writer.finish());
        let frames = [vec![300; bytes / 300], vec![bytes % 300]].concat();
        let sizes = frames.iter().filter(|&&bytes| bytes > 0).map(|bytes| 16 + bytes);
        let chunks_end = 48 + sizes.map(|bytes| bytes.next_multiple_of(4) as u64).sum::<u64>();
        let end = chunks_end + 16 + 20;
        exact += u32::from(chunks_end == limit) + u32::from(end == limit);
        match done {
            Ok(_) => assert!(end <= limit, "{bytes}"),
            Err(Error::Limit { what: Limit::FileBytes, .. }) => assert!(end > limit, "{bytes}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(exact > 4, "both ends must come to the very limit");
}
