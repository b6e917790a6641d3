//! What a crash leaves on the disk, what was known by then, and how both are told to people.
//!
//! Must never decide what survives.

use std::fmt::Write as _;

use super::device::Entry;
use super::image::{Image, SECTOR_BYTES};
use super::survivors::{Crash, Keep, writes};

/// Walks along a log and gives the image of each crash. Crashes must come in the order of what is durable.
#[derive(Debug)]
pub(crate) struct Imager<'a> {
    log: &'a [Entry],
    durable: Image,
    upto: usize,
}

impl<'a> Imager<'a> {
    /// Begins with what was on the disk before the log.
    pub(crate) const fn new(log: &'a [Entry], before: Image) -> Self {
        Self { log, durable: before, upto: 0 }
    }

    pub(crate) fn image(&mut self, crash: &Crash) -> Image {
        for entry in &self.log[self.upto..crash.durable.max(self.upto)] {
            if let Entry::Write { offset, bytes } = entry {
                self.durable.write(*offset, bytes);
            }
        }
        self.upto = crash.durable.max(self.upto);
        let mut image = self.durable.clone();
        for (position, keep) in &crash.keep {
            if let Entry::Write { offset, bytes } = &self.log[*position] {
                put(&mut image, *offset, bytes, keep);
            }
        }
        image
    }
}

fn put(image: &mut Image, offset: u64, bytes: &[u8], keep: &Keep) {
    let Keep::Sectors(sectors) = keep else { return image.write(offset, bytes) };
    for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
        if sectors[number] {
            image.write(offset + (number * SECTOR_BYTES) as u64, sector);
        }
    }
}

/// How much each story knew at a crash, after what it had known before the log.
pub(crate) fn known(log: &[Entry], at: usize, before: &[usize]) -> Vec<usize> {
    let mut known = before.to_vec();
    for entry in &log[..at] {
        if let Entry::Told { story, events } = entry {
            known[*story] = *events;
        }
    }
    known
}

/// How a crash is told to people.
pub(crate) fn describe(log: &[Entry], crash: &Crash) -> String {
    let pending = writes(log, &(crash.durable..crash.at));
    let mut text = format!(
        "crash at position {} of {} in the disk's log; durable: all before position {}; {} writes since then:\n",
        crash.at,
        log.len(),
        crash.durable,
        pending.len()
    );
    for position in pending {
        let Entry::Write { offset, bytes } = &log[position] else { continue };
        let kept = crash.keep.iter().find(|(kept, _)| *kept == position);
        let fate = match kept.map(|(_, keep)| keep) {
            None => "lost".to_owned(),
            Some(Keep::All) => "survived".to_owned(),
            Some(Keep::Sectors(sectors)) => {
                let kept = sectors.iter().map(|kept| if *kept { '#' } else { '.' });
                format!("survived by sectors {}", kept.collect::<String>())
            }
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {position}: {} bytes at {offset}: {fate}", bytes.len());
    }
    text
}

/// Whether a crash has torn a write at this place.
pub(crate) fn is_torn(log: &[Entry], crash: &Crash, place: u64) -> bool {
    let covers = |entry: &Entry| {
        matches!(entry, Entry::Write { offset, bytes }
            if (*offset..offset + bytes.len() as u64).contains(&place))
    };
    let mut torn = crash.keep.iter().filter(|(_, keep)| matches!(keep, Keep::Sectors(_)));
    torn.any(|(position, _)| covers(&log[*position]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, byte: u8) -> Entry {
        Entry::Write { offset, bytes: vec![byte; 1024].into() }
    }

    fn byte(image: &Image, offset: u64) -> u8 {
        let mut bytes = [9];
        image.read(offset, &mut bytes);
        bytes[0]
    }

    #[test]
    fn an_image_holds_what_is_durable_and_what_survives_by_sectors() {
        let log = [write(0, 1), Entry::Flush, write(0, 2), write(2048, 3), write(4096, 4)];
        let keep = vec![(2, Keep::Sectors(vec![false, true])), (3, Keep::All)];
        let crash = Crash { durable: 2, at: 5, keep };
        let image = Imager::new(&log, Image::default()).image(&crash);
        let bytes = [0, 512, 2048, 4096].map(|offset| byte(&image, offset));
        assert_eq!(bytes, [1, 2, 3, 0]);
    }

    #[test]
    fn one_crash_leaves_no_trace_in_the_next() {
        let log = [write(0, 1), Entry::Flush, write(0, 2), Entry::Flush, write(4096, 3)];
        let mut imager = Imager::new(&log, Image::default());
        let early = Crash { durable: 0, at: 1, keep: vec![(0, Keep::All)] };
        let late = Crash { durable: 3, at: 5, keep: Vec::new() };
        assert_eq!(byte(&imager.image(&early), 0), 1);
        let image = imager.image(&late);
        assert_eq!((byte(&image, 0), byte(&image, 4096)), (2, 0));
    }

    #[test]
    fn a_torn_write_is_torn_where_it_lies() {
        let log = [write(0, 1), write(2048, 2)];
        let keep = vec![(0, Keep::All), (1, Keep::Sectors(vec![false, true]))];
        let crash = Crash { durable: 0, at: 2, keep };
        let torn = [0, 2047, 2048, 3071, 3072].map(|place| is_torn(&log, &crash, place));
        assert_eq!(torn, [false, false, true, true, false]);
    }

    #[test]
    fn what_was_told_after_the_crash_was_not_known() {
        let told = |events| Entry::Told { story: 1, events };
        let log = [told(4), Entry::Flush, told(5)];
        assert_eq!(known(&log, 2, &[7, 3]), [7, 4]);
        assert_eq!(known(&log, 3, &[7, 3]), [7, 5]);
        assert_eq!(known(&log, 0, &[7, 3]), [7, 3]);
    }
}
