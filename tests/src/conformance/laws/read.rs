//! Laws on readers: offsets, cursors, lengths, and reading beside an appender.
//!
//! Must never rely on where the cursor stands after `read_at`, nor on a length being exact.

use durability_core::embedded_io::{Read as _, Seek as _, SeekFrom, Write as _};
use durability_core::storage::{Directory, ReadFile as _};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Broken, Kept, Verdict};
use crate::shared::{index, offset};

const FILE: &str = "wal/00000001.WAL";

/// `read_at` returns the bytes of its offset, wherever the cursor stands, in whatever order it is asked.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn read_at_reads_at_the_offset<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("read_at_reads_at_the_offset", dir);
    let data = ground.bytes(4, 900);
    ground.put(name(FILE), &data)?;
    let mut reader = ground.open(name(FILE))?;
    for (at, length) in [(700, 150), (0, 10), (511, 2), (513, 100), (1, 899), (0, 900), (512, 1)] {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while let Some(part) = buffer.get_mut(filled..).filter(|part| !part.is_empty()) {
            let from = offset(at + filled);
            let count =
                ground.retry("reading at an offset", part, |part| reader.read_at(from, part))?;
            let step = "reading at an offset within what was written";
            ground.holds(step, count > 0, "at least one byte", count)?;
            filled += count;
        }
        let expected = data.get(at..at + length).unwrap_or_default();
        ground.same("the bytes at an offset", &buffer, expected)?;
    }
    Ok(Kept::Tested)
}

/// At and beyond the end `read_at` returns 0: right there, far out, and where an offset in 32 bits would have wrapped.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn read_beyond_the_end_is_zero<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("read_beyond_the_end_is_zero", dir);
    ground.put(name(FILE), &ground.bytes(4, 200))?;
    let mut reader = ground.open(name(FILE))?;
    let end = ground.works("the length", reader.len())?;
    let wrapped = 1 << 32;
    for at in [end, end + 1, end + 4096, wrapped, wrapped + 7, 1 << 40] {
        if at < end {
            continue;
        }
        let mut buffer = [0; 16];
        let count =
            ground.retry("reading beyond the end", &mut buffer, |part| reader.read_at(at, part))?;
        ground.holds("the count of a read beyond the end", count == 0, "0", count)?;
    }
    ground.works("seeking to the end", reader.seek(SeekFrom::Start(end)))?;
    let count = ground.read(&mut reader, &mut [0; 16])?;
    ground.holds("the count of a read at the end", count == 0, "0", count)?;
    Ok(Kept::Tested)
}

/// The length is at least what was written, and nothing can be read beyond it.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn length_is_an_upper_bound<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("length_is_an_upper_bound", dir);
    let data = ground.bytes(5, 777);
    ground.put(name(FILE), &data)?;
    let mut reader = ground.open(name(FILE))?;
    let length = ground.works("the length", reader.len())?;
    let enough = length >= offset(data.len());
    ground.holds("the length", enough, format!("at least {}", data.len()), length)?;
    // A bound may be far from the end: what is read to check it stays small.
    let limit = index(length).min(64 * 1024) + 1024;
    let found = ground.read_up_to(&mut reader, limit)?;
    let within = offset(found.len()) <= length;
    ground.holds("the bytes up to the end", within, format!("at most {length}"), found.len())?;
    let again = ground.works("the length after reading", reader.len())?;
    ground.holds("the length after reading", again == length, length, again)?;
    Ok(Kept::Tested)
}

/// `seek` returns the place it went to, from the start, the cursor and the end, and reading goes on from there.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn seek_goes_where_it_says<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("seek_goes_where_it_says", dir);
    let data = ground.bytes(6, 600);
    ground.put(name(FILE), &data)?;
    let mut reader = ground.open(name(FILE))?;
    let end = ground.works("the length", reader.len())?;
    let steps = [
        ("seeking to the start", SeekFrom::Start(0), 0),
        ("seeking from the start", SeekFrom::Start(300), 300),
        ("seeking on", SeekFrom::Current(50), 350 + 8),
        ("seeking nowhere", SeekFrom::Current(0), 350 + 16),
        ("seeking back", SeekFrom::Current(-100), 250 + 24),
        ("seeking back over a sector", SeekFrom::Start(510), 510),
        ("seeking back from the end", SeekFrom::End(0 - signed(end) + 99), 99),
    ];
    for (step, to, expected) in steps {
        seeks(&ground, &mut reader, step, to, expected)?;
        let found = ground.read_up_to(&mut reader, 8)?;
        let at = index(expected);
        ground.same(step, &found, data.get(at..at + 8).unwrap_or_default())?;
    }
    seeks(&ground, &mut reader, "seeking to the end", SeekFrom::End(0), end)?;
    let count = ground.read(&mut reader, &mut [0; 8])?;
    ground.holds("reading after seeking to the end", count == 0, "0", count)?;
    Ok(Kept::Tested)
}

fn seeks<D: Directory>(
    ground: &Ground<'_, D>,
    reader: &mut D::Reader,
    step: &'static str,
    to: SeekFrom,
    expected: u64,
) -> Result<(), Broken> {
    let found = ground.works(step, reader.seek(to))?;
    ground.holds(step, found == expected, expected, found)
}

fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A seek before the first byte is an error, and the reader still reads.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn seek_before_the_start_is_an_error<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("seek_before_the_start_is_an_error", dir);
    let data = ground.bytes(6, 100);
    ground.put(name(FILE), &data)?;
    let mut reader = ground.open(name(FILE))?;
    let end = ground.works("the length", reader.len())?;
    ground.works("seeking", reader.seek(SeekFrom::Start(10)))?;
    for to in [SeekFrom::Current(-11), SeekFrom::End(-signed(end) - 1), SeekFrom::Current(i64::MIN)]
    {
        let found = reader.seek(to);
        ground.holds("seeking before the start", found.is_err(), "an error", found)?;
    }
    ground.works("seeking to the start", reader.seek(SeekFrom::Start(0)))?;
    let found = ground.read_up_to(&mut reader, data.len())?;
    ground.same("reading after refused seeks", &found, &data)?;
    Ok(Kept::Tested)
}

/// Two readers of one file each have a cursor of their own.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn readers_do_not_share_a_cursor<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("readers_do_not_share_a_cursor", dir);
    let data = ground.bytes(8, 256);
    ground.put(name(FILE), &data)?;
    let mut first = ground.open(name(FILE))?;
    let mut second = ground.open(name(FILE))?;
    let mut first_bytes = Vec::new();
    let mut second_bytes = Vec::new();
    for _ in 0..10 {
        first_bytes.extend(ground.read_up_to(&mut first, 24)?);
        second_bytes.extend(ground.read_up_to(&mut second, 16)?);
    }
    drop(first);
    second_bytes.extend(ground.read_up_to(&mut second, 64)?);
    ground.same("the first of two readers", &first_bytes, data.get(..240).unwrap_or_default())?;
    let expected = data.get(..second_bytes.len()).unwrap_or_default();
    ground.same("the second of two readers", &second_bytes, expected)?;
    Ok(Kept::Tested)
}

/// Files are owned: they can be kept and moved beside the directory, and read and written from there.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn a_reader_is_owned<D: Directory>(dir: &D) -> Verdict {
    struct Log<'a, D: Directory> {
        readers: Vec<D::Reader>,
        appender: D::Appender,
        dir: &'a D,
    }
    let ground = Ground::new("a_reader_is_owned", dir);
    let data = ground.bytes(8, 128);
    ground.put(name("A.BIN"), &data)?;
    let opened = {
        let short_lived: &D = dir;
        ground.works("opening through a short-lived borrow", short_lived.open(name("A.BIN")))?
    };
    let appender = ground.create(name("B.BIN"), 0)?;
    let log = Log { readers: opened.into_iter().collect(), appender, dir };
    let mut log = Box::new(log);
    ground.write(&mut log.appender, &data)?;
    for reader in &mut log.readers {
        let found = ground.read_up_to(reader, data.len())?;
        ground.same("a reader that was moved", &found, &data)?;
    }
    let Log { readers, appender, dir } = *log;
    ground.finish(appender)?;
    drop(readers);
    Ground::new("a_reader_is_owned", dir).has(
        "what a moved appender wrote",
        name("B.BIN"),
        &data,
    )?;
    Ok(Kept::Tested)
}

/// With [`read_while_appending`](durability_core::storage::Capabilities::read_while_appending), readers opened before
/// and after an append see what was flushed.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn flushed_bytes_are_read_beside_the_appender<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("flushed_bytes_are_read_beside_the_appender", dir);
    if !dir.capabilities().read_while_appending() {
        return Ok(Kept::NotApplicable("read_while_appending is not announced"));
    }
    let data = ground.bytes(9, 300);
    let mut appender = ground.create(name(FILE), 0)?;
    let mut early = ground.open(name(FILE))?;
    let step = "reading before anything was written";
    let mut nothing = [0; 8];
    let count = ground.works(step, early.read(&mut nothing))?;
    let stray = nothing.iter().take(count).find(|byte| !matches!(byte, 0x00 | 0xFF));
    ground.holds(step, stray.is_none(), "room, or the end", stray)?;
    ground.write(&mut appender, &data)?;
    ground.works("flushing", appender.flush())?;
    let mut late = ground.open(name(FILE))?;
    for (step, reader) in [
        ("a reader opened after the flush", &mut late),
        ("a reader opened before the append", &mut early),
    ] {
        ground.works(step, reader.seek(SeekFrom::Start(0)))?;
        let found = ground.read_up_to(reader, data.len())?;
        ground.same(step, &found, &data)?;
    }
    ground.write(&mut appender, &data)?;
    ground.works("appending beside two readers", appender.flush())?;
    Ok(Kept::Tested)
}
