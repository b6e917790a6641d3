//! Appending around the system's cache: whole blocks, from memory that is aligned, within the room that a file has.
//!
//! Must never write a block without the bytes that the file has in it already, change a file's length, nor report a sync that covers less than
//! everything written so far.

use std::fs::File;
use std::io;

use super::file::retry;
use super::{FsRefusal, around, platform};

/// The most that is held back before it is written: what the library's own logs write at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What an appender holds back, and how it goes out.
#[derive(Debug)]
pub(super) struct Direct {
    window: Window,
    /// Everything that was written before what is held back is durable.
    proven: bool,
    /// The system takes writes that are durable when they return.
    durable_writes: bool,
    on: bool,
}

impl Direct {
    /// Begins at `position` of a file that ends at `end`; `None` where the file has no room for a block, or the file system does not do it.
    pub(super) fn begin(
        file: &File,
        position: u64,
        end: u64,
        blank: bool,
    ) -> io::Result<Option<Self>> {
        let Some(block) = around::block(file) else { return Ok(None) };
        if block > WINDOW_BYTES || Window::last_block_end(block, end) <= position {
            return Ok(None);
        }
        let window = Window::around(block, position, blank, |bytes, offset| {
            retry(|| platform::read_at(file, bytes, offset))
        })?;
        if !around::switch(file, true)? {
            return Ok(None);
        }
        Ok(Some(Self { window, proven: false, durable_writes: true, on: true }))
    }

    /// Whether it goes on; if not, nothing is held back any more, and what follows goes through the cache.
    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// Takes bytes, as many as it has place for. None if the room has come to its end: then it is over.
    pub(super) fn put(&mut self, file: &File, bytes: &[u8], end: u64) -> io::Result<usize> {
        if self.window.is_full() {
            self.hand_over(file, false)?;
        }
        let taken = if self.on { self.window.take(bytes, end) } else { 0 };
        if taken == 0 {
            self.leave(file)?;
        }
        Ok(taken)
    }

    /// Hands what is held back to the system; durably, if that makes everything durable, and the system can do both at once. Whether it did.
    pub(super) fn hand_over(&mut self, file: &File, durably: bool) -> io::Result<bool> {
        if !self.window.is_pending() {
            return Ok(false);
        }
        let proven = self.proven || planted!(FsDirectUnproven);
        let durably = durably && proven && self.durable_writes;
        let written = self.window.write_out(|bytes, offset| {
            let write = if durably { around::write_durably_at } else { platform::write_at };
            retry(|| write(file, bytes, offset))
        });
        match written {
            Ok(()) => {
                self.proven = durably;
                Ok(durably)
            }
            // Nothing was done. What is tried instead writes the same bytes to the same place, and is synced as ever.
            Err(error) if durably && around::is_refused(&error) => {
                self.durable_writes = false;
                self.hand_over(file, false)
            }
            Err(error) if self.on && around::is_refused(&error) => {
                self.through_the_cache(file)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Everything written so far was synced.
    pub(super) fn synced(&mut self) {
        self.proven = true;
    }

    /// Hands over what is held back; what follows goes through the cache.
    pub(super) fn leave(&mut self, file: &File) -> io::Result<()> {
        self.hand_over(file, false)?;
        if self.on {
            self.through_the_cache(file)?;
        }
        Ok(())
    }

    fn through_the_cache(&mut self, file: &File) -> io::Result<()> {
        self.on = false;
        around::switch(file, false)?;
        self.window.write_rest(|bytes, offset| retry(|| platform::write_at(file, bytes, offset)))
    }
}

/// A piece of a file, from the beginning of a block on, at an aligned address.
#[derive(Debug)]
struct Window {
    memory: Vec<u8>,
    /// A power of two.
    block: usize,
    /// Where it begins in the file.
    base: u64,
    /// How many bytes of the file it has.
    filled: usize,
    /// How many of them the system has; the others are held back.
    handed: usize,
    /// How many bytes of its first block are the file's own, also behind those that were put there: they are written again as they were.
    own: usize,
}

impl Window {
    /// Begins in the block that holds `position`, with what the file has in it, unless that is `blank` room.
    ///
    /// Behind the position, too: a file that is to be used again loses its header durably before anything else of it.
    fn around(
        block: usize,
        position: u64,
        blank: bool,
        mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<Self> {
        let head = usize::try_from(position % block as u64).unwrap_or(0);
        let base = position.saturating_sub(head as u64);
        let (memory, filled, handed) = (Vec::new(), head, head);
        let mut window = Self { memory, block, base, filled, handed, own: 0 };
        window.lengthen(block);
        while window.own < block && !blank {
            let own = window.own;
            let rest = window.aligned().get_mut(own..block).unwrap_or_default();
            match read(rest, base.saturating_add(own as u64))? {
                0 if own >= head => break,
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => window.own = own.saturating_add(count),
            }
        }
        Ok(window)
    }

    /// Where the last whole block of a file ends.
    const fn last_block_end(block: usize, end: u64) -> u64 {
        end & !(block as u64).wrapping_sub(1)
    }

    const fn is_pending(&self) -> bool {
        self.handed < self.filled
    }

    const fn is_full(&self) -> bool {
        self.filled >= WINDOW_BYTES
    }

    /// Takes bytes as far as they fit the window, and the whole blocks of a file that ends at `end`.
    fn take(&mut self, bytes: &[u8], end: u64) -> usize {
        let position = self.base.saturating_add(self.filled as u64);
        let room = Self::last_block_end(self.block, end).saturating_sub(position);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let count = bytes.len().min(room).min(WINDOW_BYTES.saturating_sub(self.filled));
        let filled = self.filled.saturating_add(count);
        self.lengthen(filled);
        let place = self.filled..filled;
        if let (Some(place), Some(bytes)) = (self.aligned().get_mut(place), bytes.get(..count)) {
            place.copy_from_slice(bytes);
        }
        self.filled = filled;
        count
    }

    /// Writes every block that has something in it; keeps the last one if it is not full. Unchanged after an error.
    fn write_out(
        &mut self,
        mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
    ) -> io::Result<()> {
        let (block, base, filled, handed) = (self.block, self.base, self.filled, self.handed);
        let (end, own) = (filled.next_multiple_of(block), self.own);
        let aligned = self.aligned();
        if planted!(FsDirectHeadForgotten) {
            aligned.get_mut(..handed).unwrap_or_default().fill(0);
        }
        // What follows in the file is room, or has no meaning.
        let rest = if planted!(FsDirectRestBlanked) { filled } else { filled.max(own) };
        aligned.get_mut(rest..end).unwrap_or_default().fill(0);
        let mut done = 0;
        while done < end {
            let rest = aligned.get(done..end).unwrap_or_default();
            // A write may be cut short within a block: then that block once more.
            match write(rest, base.saturating_add(done as u64))? & !(block.wrapping_sub(1)) {
                0 => return Err(FsRefusal::WroteNothing.into()),
                count => done = done.saturating_add(count),
            }
        }
        let whole = filled & !(block.wrapping_sub(1));
        aligned.copy_within(whole..filled, 0);
        self.base = base.saturating_add(whole as u64);
        self.filled = filled.saturating_sub(whole);
        self.handed = self.filled;
        if whole > 0 {
            self.own = 0;
        }
        Ok(())
    }

    /// Writes what is held back, and nothing else.
    fn write_rest(
        &mut self,
        mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
    ) -> io::Result<()> {
        while self.is_pending() {
            let (handed, filled) = (self.handed, self.filled);
            let offset = self.base.saturating_add(handed as u64);
            let rest = self.aligned().get(handed..filled).unwrap_or_default();
            match write(rest, offset)? {
                0 => return Err(FsRefusal::WroteNothing.into()),
                count => self.handed = handed.saturating_add(count),
            }
        }
        Ok(())
    }

    /// The memory from the first aligned address on.
    fn aligned(&mut self) -> &mut [u8] {
        let start = self.memory.as_ptr().align_offset(self.block);
        self.memory.get_mut(start..).unwrap_or_default()
    }

    /// Makes place for so many bytes, and for the rest of the last one's block.
    fn lengthen(&mut self, bytes: usize) {
        let bytes = bytes.next_multiple_of(self.block);
        if self.aligned().len() >= bytes {
            return;
        }
        let doubled = self.aligned().len().saturating_mul(2).min(WINDOW_BYTES);
        let memory = vec![0; bytes.max(doubled).saturating_add(self.block)];
        let mut old = core::mem::replace(self, Self { memory, ..*self });
        let filled = self.filled;
        let (to, from) = (self.aligned(), old.aligned());
        if let (Some(to), Some(from)) = (to.get_mut(..filled), from.get(..filled)) {
            to.copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 4096;

    fn window(position: u64, file: &[u8]) -> io::Result<Window> {
        Window::around(BLOCK, position, false, |bytes, offset| {
            // In small pieces, as a file may be read.
            let at = usize::try_from(offset).unwrap();
            let count = bytes.len().min(1000).min(file.len() - at);
            bytes[..count].copy_from_slice(&file[at..at + count]);
            Ok(count)
        })
    }

    /// Takes all that it is given, and checks how it is given.
    fn store(file: &mut Vec<u8>, bytes: &[u8], offset: u64, most: usize) -> usize {
        let at = usize::try_from(offset).unwrap();
        assert_eq!(bytes.as_ptr().align_offset(BLOCK), 0, "the address");
        assert_eq!((at % BLOCK, bytes.len() % BLOCK), (0, 0), "the place");
        let count = bytes.len().min(most);
        file.resize(file.len().max(at + count), 0);
        file[at..at + count].copy_from_slice(&bytes[..count]);
        count
    }

    #[test]
    fn a_write_that_is_cut_short_goes_on_at_its_last_whole_block() {
        for most in [BLOCK, BLOCK + 1, 3 * BLOCK - 1, usize::MAX] {
            let mut window = window(0, &[]).unwrap();
            let bytes: Vec<u8> = (0..50_000_u32).map(|byte| (byte % 251) as u8).collect();
            assert_eq!(window.take(&bytes, 1 << 20), bytes.len());
            let (mut file, mut offsets) = (Vec::new(), Vec::new());
            let write = |bytes: &[u8], offset| {
                offsets.push(offset);
                Ok(store(&mut file, bytes, offset, most))
            };
            window.write_out(write).unwrap();
            assert!(
                file[..bytes.len()] == bytes && file[bytes.len()..].iter().all(|byte| *byte == 0)
            );
            assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]), "{offsets:?}");
            assert!(!window.is_pending());
        }
    }

    #[test]
    fn a_write_within_a_block_or_of_nothing_is_no_progress() {
        for most in [0, 1, BLOCK - 1] {
            let mut window = window(0, &[]).unwrap();
            assert_eq!(window.take(&[7; 5000], 1 << 20), 5000);
            let mut file = Vec::new();
            let error =
                window.write_out(|bytes, at| Ok(store(&mut file, bytes, at, most))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WriteZero);
            assert!(window.is_pending());
        }
    }

    #[test]
    fn after_a_refusal_the_same_goes_out_byte_by_byte_if_need_be() {
        let mut window = window(5000, &[7; 5000]).unwrap();
        assert_eq!(window.take(&[8; 6000], 1 << 20), 6000);
        assert!(window.write_out(|_, _| Err(io::ErrorKind::InvalidInput.into())).is_err());
        let mut file = vec![7; 5000];
        window
            .write_rest(|bytes, offset| {
                assert_eq!(offset, file.len() as u64, "nothing else is written");
                file.extend(&bytes[..1]);
                Ok(1)
            })
            .unwrap();
        assert!(file.len() == 11_000 && file[5000..] == [8; 6000] && !window.is_pending());
    }

    #[test]
    fn what_stands_in_the_block_already_is_read_and_written_again() {
        let file: Vec<u8> = (0..7000_u32).map(|byte| (byte % 251) as u8).collect();
        for position in [0, 1, 4095, 4096, 4097, 7000] {
            let mut window = window(position, &file).unwrap();
            assert!(!window.is_pending(), "nothing of it is new");
            assert_eq!(window.take(b"new", 1 << 20), 3);
            let mut found = file.clone();
            window.write_out(|bytes, at| Ok(store(&mut found, bytes, at, usize::MAX))).unwrap();
            let at = usize::try_from(position).unwrap();
            assert!(found[..at] == file[..at] && found[at..at + 3] == *b"new", "{position}");
        }
        assert_eq!(window(7001, &file).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn no_more_is_taken_than_the_room_and_the_window_hold() {
        let mut narrow = window(4000, &[0; 4000]).unwrap();
        assert_eq!(narrow.take(&[1; 10_000], 9000), 8192 - 4000);
        assert_eq!(narrow.take(&[1; 10_000], 9000), 0);
        let mut wide = window(10, &[0; 10]).unwrap();
        assert_eq!(wide.take(&vec![1; 2 << 20], 4 << 20), WINDOW_BYTES - 10);
        assert!(wide.is_full());
        let mut file = Vec::new();
        wide.write_out(|bytes, at| Ok(store(&mut file, bytes, at, usize::MAX))).unwrap();
        assert!(file.len() == WINDOW_BYTES && !wide.is_full() && !wide.is_pending());
        assert_eq!(wide.take(&[2; 10], 4 << 20), 10);
    }
}
