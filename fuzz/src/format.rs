//! The formats, written from FORMAT.md and not from the core: what frames and headers are, and how to put their checksums right.

use durability_core::crc32c;

pub(crate) const SYNCED: u32 = 1 << 28;
pub(crate) const CONTROL: u32 = 1 << 29;
pub(crate) const MORE: u32 = 1 << 30;
pub(crate) const RESERVED: u32 = 1 << 31;
const LENGTH: u32 = (1 << 28) - 1;
pub(crate) const HEAD: usize = 16;
/// Of a compact frame.
const COMPACT_HEAD: usize = 8;
const COMPACT_LENGTH: u32 = (1 << 13) - 1;
/// How far the flags of a compact frame's word lie below those of another one.
const COMPACT_SHIFT: u32 = 15;

/// The kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    RecordLog,
    Checkpoint,
}

impl Kind {
    /// The kind of a file, by its name.
    pub(crate) fn of(name: &str) -> Self {
        match name.rsplit('.').next() {
            Some("WAL") => Self::Segment,
            Some("CKP") => Self::Checkpoint,
            _ => Self::RecordLog,
        }
    }

    pub(crate) const fn magic(self) -> [u8; 8] {
        match self {
            Self::Segment => *b"\x89DWAL\r\n\x1a",
            Self::RecordLog => *b"\x89DLOG\r\n\x1a",
            Self::Checkpoint => *b"\x89DCKP\r\n\x1a",
        }
    }

    pub(crate) const fn header_bytes(self) -> usize {
        match self {
            Self::Segment => 72,
            Self::RecordLog => 32,
            Self::Checkpoint => 48,
        }
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |field| u32::from_le_bytes(field.try_into().unwrap()))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |field| u64::from_le_bytes(field.try_into().unwrap()))
}

pub(crate) fn put_at(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

/// Puts a header's checksum right.
pub(crate) fn seal_header(bytes: &mut [u8], kind: Kind) {
    let at = kind.header_bytes() - 4;
    if let Some(checked) = bytes.get(..at) {
        let checksum = crc32c(0, checked);
        put_at(bytes, at, &checksum.to_le_bytes());
    }
}

/// What the frames of one file have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frames {
    pub(crate) kind: Kind,
    pub(crate) salt: u32,
    pub(crate) align: usize,
    pub(crate) compact: bool,
}

impl Frames {
    /// By what the file's header says, whether it verifies or not.
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Self {
        let log2 = bytes.get(10).copied().unwrap_or(2).clamp(2, 8);
        let salt = match kind {
            Kind::Segment => segment_salt(u64_at(bytes, 16), u32_at(bytes, 24)),
            _ => u32_at(bytes, kind.header_bytes() - 4),
        };
        let compact = kind == Kind::Segment && bytes.get(11) == Some(&1);
        Self { kind, salt, align: 1 << log2, compact }
    }

    /// Bytes of a frame's header.
    pub(crate) const fn head_bytes(self) -> usize {
        if self.compact { COMPACT_HEAD } else { HEAD }
    }

    /// The word of a frame, as one that is not compact has it; `None` if no frame begins with it.
    fn word(self, file: &[u8], at: usize) -> Option<u32> {
        if !self.compact {
            return file.get(at..at + HEAD).map(|_| u32_at(file, at));
        }
        let word = file.get(at..at + COMPACT_HEAD).map(|_| u32_at(file, at) & 0xFFFF)?;
        let length = word & COMPACT_LENGTH;
        let flags = (word & !COMPACT_LENGTH) << COMPACT_SHIFT;
        (length != 0 && length != COMPACT_LENGTH).then(|| flags | (length - 1))
    }

    /// Puts a word there, as one that is not compact has it.
    fn put_word(self, file: &mut [u8], at: usize, word: u32) {
        if self.compact {
            let length = ((word & LENGTH) + 1) & COMPACT_LENGTH;
            let flags = (word & !(LENGTH | RESERVED)) >> COMPACT_SHIFT;
            put_at(file, at, &(flags | length).to_le_bytes()[..2]);
        } else {
            put_at(file, at, &word.to_le_bytes());
        }
    }

    /// Changes the flags.
    pub(crate) fn flip_flags(self, file: &mut [u8], at: usize, flags: u32) {
        if let Some(word) = self.word(file, at) {
            self.put_word(file, at, word ^ flags);
        }
    }

    /// Changes the length.
    pub(crate) fn put_length(self, file: &mut [u8], at: usize, length: u32) {
        if let Some(word) = self.word(file, at) {
            self.put_word(file, at, word & !LENGTH | length & LENGTH);
        }
    }

    pub(crate) fn first(self) -> usize {
        self.kind.header_bytes().next_multiple_of(self.align)
    }

    /// A whole frame.
    pub(crate) fn encode(self, at: usize, flags: u32, position: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; self.head_bytes()];
        self.put_word(&mut bytes, 0, flags | payload.len() as u32);
        if !self.compact {
            put_at(&mut bytes, 4, &position.to_le_bytes());
        }
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(self.align), 0);
        self.seal_at(&mut bytes, 0, at);
        bytes
    }

    /// Puts the checksums of the frame at `at` right, as far as it is there.
    pub(crate) fn seal(self, file: &mut [u8], at: usize) {
        self.seal_at(file, at, at);
    }

    fn seal_at(self, bytes: &mut [u8], from: usize, offset: usize) {
        if self.compact {
            return self.seal_compact(bytes, from, offset);
        }
        let Some(checked) = bytes.get(from..from + 8) else { return };
        let checksum = crc32c(self.salt ^ offset as u32, checked);
        put_at(bytes, from + 8, &checksum.to_le_bytes());
        let length = (u32_at(bytes, from) & LENGTH) as usize;
        if let Some(payload) = bytes.get(from + HEAD..(from + HEAD).saturating_add(length)) {
            let checksum = crc32c(checksum, payload);
            put_at(bytes, from + 12, &checksum.to_le_bytes());
        }
    }

    fn seal_compact(self, bytes: &mut [u8], from: usize, offset: usize) {
        let Some(checked) = bytes.get(from..from + 2) else { return };
        let checksum = crc32c(self.salt ^ offset as u32, checked);
        put_at(bytes, from + 2, &checksum.to_le_bytes()[2..]);
        let Some(word) = self.word(bytes, from) else { return };
        let begin = from + COMPACT_HEAD;
        if let Some(payload) = bytes.get(begin..begin + (word & LENGTH) as usize) {
            let checksum = crc32c(checksum, payload);
            put_at(bytes, from + 4, &checksum.to_le_bytes());
        }
    }

    /// Where frames begin by their lengths, whether they verify or not.
    pub(crate) fn places(self, file: &[u8]) -> Vec<usize> {
        let (mut places, mut at) = (Vec::new(), self.first());
        while let Some(word) = self.word(file, at)
            && u64_at(file, at) != 0
        {
            places.push(at);
            at = (at + self.head_bytes() + (word & LENGTH) as usize).next_multiple_of(self.align);
        }
        places
    }

    /// The header at an offset, if it verifies. The first entry of its file, if it is compact.
    pub(crate) fn head(self, file: &[u8], at: usize) -> Option<Head> {
        self.head_behind(file, at, 0)
    }

    /// The header at an offset which so many entries precede, if it verifies.
    fn head_behind(self, file: &[u8], at: usize, before: u32) -> Option<Head> {
        if self.compact {
            return self.compact_head(file, at, before);
        }
        let checked = file.get(at..at + HEAD)?;
        let (word, position) = (u32_at(checked, 0), u32_at(checked, 4));
        let checksum = u32_at(checked, 8);
        let blank = checked[..8] == [0; 8] || checked[..8] == [0xFF; 8];
        if blank || crc32c(self.salt ^ at as u32, &checked[..8]) != checksum {
            return None;
        }
        let end = at + HEAD + (word & LENGTH) as usize;
        let payload = file.get(at + HEAD..end);
        let head = Head {
            word,
            position,
            payload: at + HEAD..end,
            whole: payload.is_some_and(|payload| crc32c(checksum, payload) == u32_at(checked, 12)),
            end: end.next_multiple_of(self.align),
        };
        let possible = if head.is(CONTROL) { !head.is(MORE) } else { position > 0 };
        (possible || head.is(RESERVED)).then_some(head)
    }

    fn compact_head(self, file: &[u8], at: usize, before: u32) -> Option<Head> {
        let word = self.word(file, at)?;
        let checksum = crc32c(self.salt ^ at as u32, &file[at..at + 2]);
        if checksum >> 16 != u32_at(file, at) >> 16 {
            return None;
        }
        let begin = at + COMPACT_HEAD;
        let payload = begin..begin + (word & LENGTH) as usize;
        let sum = file.get(payload.clone()).map(|payload| crc32c(checksum, payload));
        let whole = sum == Some(u32_at(file, at + 4));
        let end = payload.end.next_multiple_of(self.align);
        let mut head = Head { word, position: before, payload, whole, end };
        head.position += head.entries();
        (!head.is(CONTROL) || !head.is(MORE)).then_some(head)
    }
}

/// A frame's header that verifies.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    word: u32,
    pub(crate) position: u32,
    pub(crate) payload: std::ops::Range<usize>,
    pub(crate) whole: bool,
    pub(crate) end: usize,
}

impl Head {
    pub(crate) const fn is(&self, flag: u32) -> bool {
        self.word & flag != 0
    }

    pub(crate) const fn flags(&self) -> u32 {
        self.word & !LENGTH
    }

    /// Entries that this frame is.
    pub(crate) const fn entries(&self) -> u32 {
        !self.is(CONTROL) as u32
    }
}

pub(crate) fn segment_salt(log_id: u64, number: u32) -> u32 {
    crc32c(crc32c(0, &log_id.to_le_bytes()), &number.to_le_bytes())
}

pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0) || bytes.iter().all(|&byte| byte == 0xFF)
}

/// Where a segment that is the tail of its log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    Torn(usize),
    Damaged(usize),
    Newer(usize),
    TooLong,
    /// At this offset, damaged or torn: the document leaves it to the reader when to stop judging payloads.
    Either(usize, usize),
}

/// The entries of a tail, as position, offset and payload, and where it ends: "Where a WAL ends", rules 4 and 5.
pub(crate) fn tail(
    file: &[u8],
    frames: Frames,
    record_bytes_max: usize,
) -> (Vec<(u32, usize, Vec<u8>)>, End) {
    let (mut at, mut position) = (frames.first(), 0);
    let (mut entries, mut batch) = (Vec::new(), Vec::<(u32, usize, Vec<u8>)>::new());
    loop {
        let head = frames.head_behind(file, at, position);
        let good = match &head {
            Some(head) if head.is(RESERVED) => return (entries, End::Newer(at)),
            Some(head) if head.position != position + head.entries() => {
                return (entries, End::Damaged(at));
            }
            // The limit is on records; control frames are none.
            Some(head)
                if head.whole && !head.is(CONTROL) && head.payload.len() > record_bytes_max =>
            {
                return (entries, End::TooLong);
            }
            Some(head) if head.whole => head.clone(),
            _ => {
                let end = batch.first().map_or(at, |first| first.1);
                let proof = if frames.compact {
                    compact_proof(file, frames, at)
                } else {
                    let from = head.map_or(at, |head| head.end);
                    Some(was_durable(file, frames, from, position))
                };
                match proof {
                    Some(true) => return (entries, End::Damaged(at)),
                    Some(false) => {}
                    None => return (entries, End::Either(at, end)),
                }
                let rest = file.get(end..).unwrap_or_default();
                return (entries, if is_blank(rest) { End::Whole } else { End::Torn(end) });
            }
        };
        let payload = file[good.payload.clone()].to_vec();
        if good.is(CONTROL) {
            match payload.first() {
                _ if !batch.is_empty() => return (entries, End::Damaged(at)),
                Some(128..) => {}
                Some(1 | 4) if payload.len() == 1 => {}
                Some(2) if payload.len() == 8 => {}
                Some(3) if payload.len() == 16 => {}
                None | Some(1..=6) => return (entries, End::Damaged(at)),
                Some(_) => return (entries, End::Newer(at)),
            }
        } else {
            batch.push((good.position, at, payload));
            if !good.is(MORE) {
                entries.append(&mut batch);
            }
        }
        (at, position) = (good.end, good.position);
    }
}

fn was_durable(file: &[u8], frames: Frames, from: usize, position: u32) -> bool {
    let mut at = from;
    while at < file.len() {
        let follows = |head: &Head| {
            let ahead = head.position.checked_sub(position);
            ahead.is_some_and(|ahead| ahead as usize <= (at - from) / 16 + 2)
        };
        match frames.head(file, at).filter(|head| !head.is(RESERVED)).filter(follows) {
            Some(head) if head.is(SYNCED) => return true,
            Some(head) => at = head.end,
            None => at += frames.align,
        }
    }
    false
}

/// The same search among compact frames, of which the payload must verify; `None` if a reader may have stopped judging payloads before that.
fn compact_proof(file: &[u8], frames: Frames, from: usize) -> Option<bool> {
    let (mut at, mut in_vain, mut claimed) = (from, 0, false);
    while at < file.len() {
        match frames.head(file, at) {
            Some(head) if head.whole && head.is(SYNCED) => return Some(true),
            Some(head) if head.whole => at = head.end,
            Some(head) => {
                claimed |= in_vain >= file.len() && head.is(SYNCED);
                in_vain += head.payload.len();
                at += frames.align;
            }
            None => at += frames.align,
        }
    }
    (!claimed).then_some(false)
}
