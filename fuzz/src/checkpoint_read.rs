//! One checkpoint: written and damaged, cut, or any bytes.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointSummary, CheckpointWriter,
    read_checkpoint,
};
use durability_core::crc32c;
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{EntryId, Error};

use crate::damage;
use crate::directory::{contents, put, read};
use crate::format::{CONTROL, Frames, Kind, MORE, RESERVED, seal_header, u32_at, u64_at};
use crate::input::Input;
use crate::limit::bounded;

const FILE: &str = "ckp/00000001.CKP";
const CHUNK_BYTES_MAX: u32 = 1024;
/// One read or one chunk, and the names.
const READ_MEMORY_MAX: usize = 8 << 10;
/// A value: serde reserves no more than a mebibyte on the word of a length.
const VALUE_MEMORY_MAX: usize = 3 << 20;

type Failure = Error<MemoryError>;

/// Checks one input.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let dir = MemoryDirectory::new();
    let how = input.byte() % 8;
    if how == 0 {
        let mut bytes = input.rest().to_vec();
        let end = bytes.len().min(8);
        bytes[..end].copy_from_slice(&Kind::Checkpoint.magic()[..end]);
        seal_header(&mut bytes, Kind::Checkpoint);
        put(&dir, FILE, bytes);
        laws(&dir);
        return;
    }
    let (meta, state) = write(&dir, &mut input);
    match how {
        1 => {
            let summary = verify(&dir).expect("what was written is whole");
            assert_eq!((summary.meta(), summary.bytes()), (meta, state.len() as u64));
            let (_, chunks) = chunks(&dir).expect("what was written is read");
            assert_eq!(chunks.concat(), state);
            laws(&dir);
            let mut bytes = read(&dir, FILE);
            bytes.truncate(input.below(bytes.len()));
            let in_header = bytes.len() < Kind::Checkpoint.header_bytes();
            put(&dir, FILE, bytes);
            match verify(&dir) {
                Err(Failure::Unfinished { .. }) => {}
                Err(Failure::Corrupt(_)) if in_header => {}
                other => panic!("what is cut off is unfinished: {other:?}"),
            }
        }
        _ => {
            damage::anything(&dir, &mut input);
        }
    }
    laws(&dir);
}

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes_max(CHUNK_BYTES_MAX).read_bytes(256)
}

fn write(dir: &MemoryDirectory, input: &mut Input<'_>) -> (CheckpointMeta, Vec<u8>) {
    let options = options().chunk_bytes(input.pick(&[256, 257, 1024]));
    let last_id = EntryId::new(input.byte().into());
    let meta = CheckpointMeta {
        log_id: u64::from(input.long()) << 8,
        last_id,
        tag: input.byte().into(),
        ..CheckpointMeta::default()
    };
    let name = Name::new(FILE).unwrap();
    let mut writer =
        CheckpointWriter::create(dir, name, meta, options).expect("a checkpoint begins");
    let mut state = Vec::new();
    for _ in 0..input.below(6) {
        let mut piece = vec![input.byte(); input.below(700)];
        let start = input.take(piece.len().min(8));
        piece[..start.len()].copy_from_slice(start);
        writer.write_all(&piece).expect("a piece is written");
        state.extend_from_slice(&piece);
    }
    let _ = writer.finish().expect("a checkpoint ends");
    (meta, state)
}

fn verify(dir: &MemoryDirectory) -> Result<CheckpointSummary, Failure> {
    CheckpointReader::open(dir, Name::new(FILE).unwrap(), options())?.verify()
}

/// The chunks, one by one: a read ends with its chunk.
fn chunks(dir: &MemoryDirectory) -> Result<(CheckpointSummary, Vec<Vec<u8>>), Failure> {
    let mut reader = CheckpointReader::open(dir, Name::new(FILE).unwrap(), options())?;
    let mut chunks = Vec::new();
    let mut buffer = vec![0; CHUNK_BYTES_MAX as usize];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((reader.finish()?, chunks)),
            count => chunks.push(buffer[..count].to_vec()),
        }
    }
}

/// What FORMAT.md says that the chunks are, each with the offset of its frame; `None` if the checkpoint is not valid.
fn expected(file: &[u8]) -> Option<Vec<(usize, Vec<u8>)>> {
    let header = file.get(..48)?;
    let whole = header[..8] == Kind::Checkpoint.magic()
        && crc32c(0, &header[..44]) == u32_at(header, 44)
        && header[8..10] == [1, 0]
        && (2..=8).contains(&header[10])
        && header[11] == 0
        && u32_at(header, 12) == 0;
    let chunk_bytes = u32_at(header, 36) as usize;
    if !whole || chunk_bytes == 0 || chunk_bytes > CHUNK_BYTES_MAX as usize {
        return None;
    }
    let frames = Frames::of(Kind::Checkpoint, file);
    let (mut at, mut position, mut chain) = (frames.first(), 0, 0);
    let mut chunks = Vec::new();
    loop {
        let head = frames
            .head(file, at)
            .filter(|head| head.whole && !head.is(RESERVED) && !head.is(MORE))?;
        let payload = &file[head.payload.clone()];
        if head.position != position + head.entries() {
            return None;
        }
        if !head.is(CONTROL) {
            if payload.len() > chunk_bytes {
                return None;
            }
            chain = crc32c(chain, &file[at + 12..at + 16]);
            chunks.push((at, payload.to_vec()));
        } else if payload.first().is_none_or(|kind| *kind < 128) {
            let bytes: usize = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
            let fits = payload.len() == 20
                && payload[0] == 6
                && u32_at(payload, 4) as usize == chunks.len()
                && u64_at(payload, 8) == bytes as u64
                && u32_at(payload, 16) == chain;
            return fits.then_some(chunks);
        }
        (at, position) = (head.end, head.position);
    }
}

/// The laws of reading, whatever the file holds.
fn laws(dir: &MemoryDirectory) {
    let before = contents(dir);
    let file = read(dir, FILE);
    let verified = bounded(READ_MEMORY_MAX, || verify(dir));
    let found = chunks(dir);
    let expected = if dir.names().is_empty() { None } else { expected(&file) };
    match (&verified, &found, &expected) {
        (Ok(one), Ok((other, chunks)), Some(expected)) => {
            assert_eq!(one, other, "verifying and reading agree");
            let bytes: usize = chunks.iter().map(Vec::len).sum();
            assert_eq!((one.bytes(), one.chunks() as usize), (bytes as u64, expected.len()));
            let mut shown = chunks.iter();
            for (at, chunk) in expected {
                // A chunk without bytes is passed over.
                if !chunk.is_empty() {
                    assert_eq!(
                        shown.next(),
                        Some(chunk),
                        "the reader shows what the document says"
                    );
                }
                re_encode(&file, *at, chunk);
            }
            assert_eq!(shown.next(), None);
        }
        (Err(one), Err(other), None) => assert_eq!(one.to_string(), other.to_string()),
        other => panic!("the reader and the document disagree: {other:?}"),
    }
    let name = Name::new(FILE).unwrap();
    bounded(VALUE_MEMORY_MAX, || {
        let _ = read_checkpoint::<Vec<(u64, String)>, _>(dir, name, options());
        let _ = read_checkpoint::<(u32, Vec<u8>, Option<char>), _>(dir, name, options());
        let _ = read_checkpoint::<Vec<Vec<Vec<u8>>>, _>(dir, name, options());
        let _ = read_checkpoint::<Vec<()>, _>(dir, name, options());
    });
    assert_eq!(contents(dir), before, "reading changes nothing");
}

fn re_encode(file: &[u8], at: usize, chunk: &[u8]) {
    let frames = Frames::of(Kind::Checkpoint, file);
    let flags = u32_at(file, at) & 0xF000_0000;
    let encoded = frames.encode(at, flags, u32_at(file, at + 4), chunk);
    let covered = 16 + chunk.len();
    assert!(
        encoded[..covered] == file[at..at + covered],
        "what is read re-encodes to what was there"
    );
}
