//! Laws of room: resuming a record log needs no more than the little that its promise names, and goes on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{EntryId, ReadMode};

fn name() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

/// A torn record of any length, with a tail of zeros or not, on a medium with no room: it is read, it opens unless other bytes must take the place of zeros or the
/// buffer is too small for what is given up, and with 4 KiB and a little it always opens.
#[test]
fn a_torn_record_log_opens_on_a_full_medium() {
    for buffer in [256, 65536] {
        for (length, value) in [(100, 7), (100, 0), (3000, 7), (3000, 0), (9000, 7), (9000, 0)] {
            let options =
                || RecordLogOptions::new().alignment(4).buffer_bytes(buffer).read_bytes(256);
            let dir = MemoryDirectory::new();
            let mut log = RecordLogWriter::create(&dir, name(), options()).unwrap();
            log.append(b"one").unwrap();
            log.append(&[b"a", &vec![value; length][..]].concat()).unwrap();
            drop(log);
            let mut bytes = dir.contents(name()).unwrap();
            bytes.truncate(80);
            dir.put(name(), bytes);
            dir.set_bytes_max(0);
            let best_effort = ReadMode::BestEffort;
            let mut log = RecordLogReader::open(&dir, name(), best_effort, options()).unwrap();
            assert_eq!(log.collect().unwrap(), [b"one"]);
            match RecordLogWriter::resume(&dir, name(), options()) {
                Ok(log) => assert_eq!(log.last_record().map(EntryId::get), Some(1)),
                Err(error) => assert!(
                    error.is_no_space() && (value == 0 || buffer < 4096),
                    "buffer {buffer}, {length} of {value}: {error}"
                ),
            }
            dir.set_bytes_max(80 + 4096 + 64);
            let log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
            assert_eq!(log.last_record().map(EntryId::get), Some(1));
            drop(log);
            dir.set_bytes_max(1 << 20);
            let mut log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
            log.append(b"two").unwrap();
            log.close().unwrap();
            let mut log = RecordLogReader::open(&dir, name(), ReadMode::Strict, options()).unwrap();
            assert_eq!(log.collect().unwrap(), [b"one", b"two"]);
        }
    }
}

/// Room of either value behind a torn record, small and large, and crash upon crash.
#[test]
fn a_torn_record_with_room_behind_it_stays_dead() {
    for alignment in [4, 16] {
        let options =
            || RecordLogOptions::new().alignment(alignment).buffer_bytes(256).read_bytes(256);
        for fill in [0x00, 0xFF] {
            for (length, value) in
                [(10, 0), (10, 0xFF), (300, 0), (300, 0xFF), (5000, 0), (5000, 0xFF), (5000, 7)]
            {
                let dir = MemoryDirectory::new();
                let mut log = RecordLogWriter::create(&dir, name(), options()).unwrap();
                log.append(b"one").unwrap();
                let first = 32 + 16 + 16;
                log.append(&[b"a", &vec![value; length][..]].concat()).unwrap();
                drop(log);
                let whole = dir.contents(name()).unwrap();
                for cut in first..(first + 40).min(whole.len()) {
                    for room in [0, 1, 7, 8, 100, 5000, 9000] {
                        let mut bytes = whole[..cut].to_vec();
                        bytes.resize(cut + room, fill);
                        let dir = MemoryDirectory::new();
                        dir.put(name(), bytes);
                        let mut count = None;
                        for round in 0..4_u64 {
                            let mut log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
                            let found = log.last_record().map_or(0, EntryId::get);
                            assert_eq!(
                                *count.get_or_insert(found),
                                found,
                                "{alignment} {fill} {length} of {value}, cut {cut}, room {room}, round {round}"
                            );
                            let durable = dir.contents(name()).unwrap();
                            log.append(&[9; 50]).unwrap();
                            log.flush().unwrap();
                            let mut bytes = dir.contents(name()).unwrap();
                            drop(log);
                            // Any one part of what was not synced is kept; elsewhere, what was there, or zeros where the file grew.
                            let same =
                                bytes.iter().zip(&durable).take_while(|(a, b)| a == b).count();
                            for (at, byte) in bytes.iter_mut().enumerate().skip(same) {
                                let keep = match round {
                                    0 => false,
                                    1 => at >= same + 24,
                                    2 => at < same + 30,
                                    _ => at % 64 < 32,
                                };
                                if !keep {
                                    *byte = durable.get(at).copied().unwrap_or(0);
                                }
                            }
                            dir.put(name(), bytes);
                            if round == 2 {
                                count = None;
                            }
                        }
                        let mut log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
                        let found = log.last_record().map_or(0, EntryId::get);
                        log.append(b"last").unwrap();
                        log.close().unwrap();
                        let mut log =
                            RecordLogReader::open(&dir, name(), ReadMode::Strict, options())
                                .unwrap();
                        assert_eq!(log.collect().unwrap().len() as u64, found + 1);
                    }
                }
            }
        }
    }
}
