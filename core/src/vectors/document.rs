//! Reads FORMAT.md: blocks of hex that say what they hold, and tables of fields.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::Range;

const DOCUMENT: &str = include_str!("../../FORMAT.md");

/// A block of hex: its name, what it says that it holds, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    keys: Vec<(String, String)>,
}

impl Block {
    /// The value of a key. A block without it is a mistake in the document.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.optional(key).unwrap_or_else(|| panic!("the block {} does not say {key}", self.name))
    }

    pub(crate) fn optional(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// A number, decimal or `0x` hexadecimal.
    pub(crate) fn number(&self, key: &str) -> u64 {
        let text = self.text(key);
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|_| panic!("the block {}: {key}={text} is no number", self.name))
    }

    pub(crate) fn number32(&self, key: &str) -> u32 {
        u32::try_from(self.number(key)).unwrap()
    }

    /// Fails, with the bytes that should stand in the document, unless they do.
    pub(crate) fn must_be(&self, bytes: &[u8]) {
        assert!(
            self.bytes == bytes,
            "FORMAT.md, block {}: the code writes\n{}",
            self.name,
            hex(bytes)
        );
    }
}

/// The block of a name.
pub(crate) fn block(name: &str) -> Block {
    let found: Vec<Block> =
        blocks(DOCUMENT).into_iter().filter(|block| block.name == name).collect();
    assert_eq!(found.len(), 1, "FORMAT.md has one block {name}");
    found.into_iter().next().unwrap()
}

/// All blocks whose name begins so.
pub(crate) fn blocks_named(prefix: &str) -> Vec<Block> {
    let found: Vec<Block> =
        blocks(DOCUMENT).into_iter().filter(|block| block.name.starts_with(prefix)).collect();
    assert!(!found.is_empty(), "FORMAT.md has blocks {prefix}");
    found
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in document.lines() {
        if let Some(block) = &mut open {
            if line == "```" {
                blocks.extend(open.take());
                continue;
            }
            let code = line.split(';').next().unwrap_or_default();
            let bytes = code.split_whitespace().map(|byte| {
                assert_eq!(byte.len(), 2, "{}: {byte:?} is no byte", block.name);
                u8::from_str_radix(byte, 16).unwrap()
            });
            block.bytes.extend(bytes);
        } else if let Some(info) = line.strip_prefix("```hex ") {
            let mut words = info.split_whitespace();
            let name = words.next().unwrap().to_string();
            let keys = words.map(|word| {
                let (key, value) = word.split_once('=').expect("key=value");
                (key.to_string(), value.to_string())
            });
            open = Some(Block { name, bytes: Vec::new(), keys: keys.collect() });
        }
    }
    assert!(open.is_none(), "an open block of hex");
    blocks
}

/// The rows of the first table of fields below a heading: each field's name and bytes.
fn fields(document: &str, heading: &str) -> Vec<(String, Range<usize>)> {
    let mut lines = document.lines().skip_while(|line| *line != heading).skip(1);
    let header = lines.find(|line| line.starts_with("| bytes | field |"));
    assert!(header.is_some(), "FORMAT.md has a table of fields below {heading}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (bytes, field) = (cells.next().unwrap(), cells.next().unwrap());
        let (start, end) = bytes.split_once("..").expect("start..end");
        (field.to_string(), start.parse().unwrap()..end.parse().unwrap())
    })
    .collect()
}

/// Fails unless the table below a heading names exactly these fields at these bytes, chained without a gap.
pub(crate) fn table_must_be(heading: &str, expected: &[(&str, Range<usize>)]) {
    let found = fields(DOCUMENT, heading);
    let expected: Vec<(String, Range<usize>)> =
        expected.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect();
    assert_eq!(found, expected, "FORMAT.md, {heading}");
    for pair in found.windows(2) {
        assert_eq!(pair[0].1.end, pair[1].1.start, "FORMAT.md, {heading}: {}", pair[1].0);
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(16) {
        for (index, byte) in line.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(text, "{space}{byte:02X}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn blocks_and_tables_are_parsed() {
    let document = "### T\n\n| bytes | field | |\n|---|---|---|\n| 0..4 | a b | x |\n| 4..5 | c | |\n\n\
        ```hex some k=v n=0x10\n01 fF ; comment 77\n\n02\n```\n";
    let found = blocks(document);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].bytes.as_slice()), ("some", &[1, 255, 2][..]));
    assert_eq!((found[0].text("k"), found[0].number("n")), ("v", 16));
    assert_eq!(fields(document, "### T"), [("a b".to_string(), 0..4), ("c".to_string(), 4..5)]);
    assert_eq!(hex(&[1; 17]), "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01\n01\n");
}
