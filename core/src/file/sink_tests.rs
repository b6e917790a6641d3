//! Laws of a buffer that grows as it is used: it writes what a whole one writes, where a whole one writes it, and asks for memory once.
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use alloc::vec::Vec;

use embedded_io::{ErrorType, Write};

use super::sink::Sink;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags};
use crate::storage::{
    AppendFile, Directory as _, MemoryDirectory, MemoryError, Name, NameBuf, ReadFile as _,
};

const BUFFER_BYTES: usize = 256 << 10;

/// Remembers each write.
#[derive(Debug, Default)]
struct Writes(Vec<Vec<u8>>);

impl ErrorType for Writes {
    type Error = MemoryError;
}

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, MemoryError> {
        self.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl AppendFile for Writes {
    fn position(&self) -> u64 {
        self.0.iter().map(|write| write.len() as u64).sum()
    }

    fn sync_data(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

fn codec() -> Codec {
    Codec::new(Crc::detect(), 7, 4)
}

/// What is written for these records, flushed in the end, and the buffer after each of them.
fn written(mut sink: Sink<Writes>, records: &[usize]) -> Vec<Vec<u8>> {
    for (index, &bytes) in records.iter().enumerate() {
        let payload: Vec<u8> = (0..bytes).map(|at| (at ^ index) as u8).collect();
        sink.append(codec(), Flags::default(), index as u32 + 1, &payload).unwrap();
        if index % 5 == 4 {
            sink.put(&payload).unwrap();
        }
    }
    sink.flush().unwrap();
    let Ok(Some((file, _))) = sink.lend(Vec::new(), BUFFER_BYTES) else {
        panic!("it was not lent")
    };
    file.0
}

fn growing(buffer: Vec<u8>) -> Sink<Writes> {
    Sink::growing(Writes::default(), NameBuf::unnamed(), buffer, BUFFER_BYTES, 1).unwrap()
}

#[test]
fn a_buffer_that_grows_writes_what_a_whole_one_writes_call_by_call() {
    let whole = |buffer: Vec<u8>| {
        Sink::new(Writes::default(), NameBuf::unnamed(), buffer, BUFFER_BYTES, 1).unwrap()
    };
    let sizes = [0, 1, 100, 4000, 16 << 10, (16 << 10) - 16, 100 << 10, 240 << 10];
    let larger = [BUFFER_BYTES - 16, BUFFER_BYTES - 12, BUFFER_BYTES, 600 << 10];
    let mut seed = 1_u32;
    for round in 0..60 {
        let records: Vec<usize> = (0..40)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let pick = (seed >> 16) as usize;
                if pick.is_multiple_of(11) {
                    larger[pick % 4]
                } else {
                    sizes[pick % (1 + round % 8)]
                }
            })
            .collect();
        let expected = written(whole(Vec::new()), &records);
        assert_eq!(written(growing(Vec::new()), &records), expected);
        assert_eq!(written(growing(alloc::vec![9; 70_000]), &records), expected);
    }
}

#[test]
fn a_buffer_that_grows_has_its_memory_from_the_beginning_and_touches_what_is_used() {
    let mut sink = growing(Vec::new());
    let touched = sink.spare().len();
    assert!(touched <= 16 << 10, "{touched} bytes were touched for nothing");
    let at = sink.spare().as_ptr();
    for position in 1..=2_000 {
        sink.append(codec(), Flags::default(), position, &[1; 100]).unwrap();
    }
    assert!(sink.buffered() > 200_000, "it wrote early");
    let behind = sink.spare().as_ptr() as usize;
    assert_eq!(behind - at as usize, sink.buffered(), "it moved, and has asked for memory again");
}

#[test]
fn what_goes_out_in_units_ends_at_one_and_nothing_is_lost() {
    let dir = MemoryDirectory::new();
    let name = Name::new("A.WAL").unwrap();
    let file = dir.create(name, 0).unwrap().unwrap();
    let mut sink = Sink::new(file, name.into(), Vec::new(), 256, 1).unwrap();
    let mut expected = Vec::new();
    for count in [5_u8, 70, 64, 1, 130, 63, 20] {
        let bytes: Vec<u8> = (0..count).collect();
        sink.put(&bytes).unwrap();
        expected.extend_from_slice(&bytes);
        sink.write_out_units(64).unwrap();
        assert_eq!(sink.base() % 64, 0, "{} bytes", expected.len());
        assert_eq!(sink.base(), expected.len() as u64 / 64 * 64);
        assert_eq!(sink.offset(), expected.len() as u64);
    }
    sink.write_out().unwrap();
    let mut file = dir.open(name).unwrap().unwrap();
    let mut found = alloc::vec![0; expected.len() + 1];
    assert_eq!(file.read_at(0, &mut found).unwrap(), expected.len());
    assert_eq!(found.get(..expected.len()), Some(expected.as_slice()));
}
