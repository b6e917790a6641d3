//! Where the written bytes of a file end and its room begins.
//!
//! Room is a run of one value, `00` or `FF`, up to the end of the file. Zeros before a run of `FF` are written bytes: on erased
//! flash they were programmed, and must not be programmed again.

use super::memory::Buffer;
use super::source::Source;
use super::window::Window;

impl<R, B> Window<R, B>
where
    B: Buffer,
    R: Source,
{
    /// The end of the written bytes from `from` on; `from` itself if there is only room.
    pub(crate) fn written_end(&mut self, from: u64) -> Result<u64, R::Fault> {
        let mut run = Run { fill: None, written_end: from };
        let mut offset = from;
        loop {
            let bytes = self.at(offset, 1)?;
            if bytes.is_empty() {
                return Ok(run.written_end);
            }
            let next = offset.saturating_add(bytes.len() as u64);
            run.extend(offset, bytes);
            offset = next;
        }
    }
}

/// The run of room that the bytes so far end with.
struct Run {
    fill: Option<u8>,
    written_end: u64,
}

impl Run {
    fn extend(&mut self, mut offset: u64, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<64>();
        for block in blocks {
            // Whole vectors at once where the run goes on.
            if self.fill.is_none_or(|fill| *block != [fill; 64]) {
                self.extend_each(offset, block);
            }
            offset = offset.saturating_add(64);
        }
        self.extend_each(offset, rest);
    }

    fn extend_each(&mut self, mut offset: u64, bytes: &[u8]) {
        for &byte in bytes {
            let next = offset.saturating_add(1);
            if self.fill != Some(byte) {
                let blank = byte == 0 || byte == 0xFF;
                self.fill = blank.then_some(byte);
                self.written_end = if blank { offset } else { next };
            }
            offset = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(bytes: &[u8]) -> u64 {
        let mut run = Run { fill: None, written_end: 100 };
        run.extend(100, bytes);
        run.written_end
    }

    #[test]
    fn room_is_the_last_run_of_one_blank_value() {
        assert_eq!(end(&[]), 100);
        assert_eq!(end(&[0; 200]), 100);
        assert_eq!(end(&[0xFF; 200]), 100);
        assert_eq!(end(&[1]), 101);
        assert_eq!(end(&[0, 0, 7, 0, 0]), 103);
        let mut programmed = [0xFF; 300];
        programmed[..90].fill(0);
        assert_eq!(end(&programmed), 190);
        programmed[200] = 0;
        assert_eq!(end(&programmed), 301);
    }
}
