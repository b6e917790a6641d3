//! The vectors of the three headers, and of the checksum.

use crate::bytes::crc::Crc;
use crate::bytes::frame::Form;
use crate::bytes::header::{
    CheckpointHeader, Common, Decoded, FileHeader as _, Origin, Previous, ReadyMark,
    RecordLogHeader, SegmentHeader, segment_salt,
};

use super::document::{Block, block, blocks_named};

fn common(block: &Block) -> Common {
    let form = match block.optional("form") {
        None => Form::Full,
        Some(form) => {
            assert_eq!(form, "1", "{}: a form", block.name);
            Form::Compact
        }
    };
    Common { alignment: block.number32("alignment"), form, log_id: block.number("log_id") }
}

#[test]
fn the_checksum_is_the_one_in_the_document() {
    for block in blocks_named("crc-") {
        let seed = block.number32("seed");
        let checksum = block.number32("crc");
        assert_eq!(crate::crc32c(seed, &block.bytes), checksum, "{}", block.name);
    }
    let block = block("salt");
    let salt = segment_salt(Crc::detect(), block.number("log_id"), block.number32("segment"));
    block.must_be(&salt.to_le_bytes());
}

#[test]
fn segment_headers_are_the_ones_in_the_document() {
    let crc = Crc::detect();
    for block in blocks_named("segment-header") {
        let previous = block.optional("previous").map(|_| Previous {
            segment: block.number32("previous"),
            end: block.number("previous_end"),
            checksum: block.number32("previous_checksum"),
        });
        let header = SegmentHeader {
            common: common(&block),
            segment: block.number32("segment"),
            oldest: block.number32("oldest"),
            first_id: block.number("first_id"),
            created_ms: block.number("created"),
            previous,
            origin: if block.optional("origin").is_some() {
                Origin::Truncation
            } else {
                Origin::Sequence
            },
        };
        block.must_be(&header.encode(crc));
        assert_eq!(SegmentHeader::decode(crc, &block.bytes), Decoded::Header(header));
    }
}

#[test]
fn the_ready_mark_is_the_one_in_the_document() {
    let (crc, block) = (Crc::detect(), block("ready-mark"));
    let mark = ReadyMark { common: common(&block), segment: block.number32("segment") };
    block.must_be(&mark.encode(crc));
    assert_eq!(ReadyMark::decode(crc, &block.bytes), Decoded::Header(mark));
}

#[test]
fn the_record_log_header_is_the_one_in_the_document() {
    let (crc, block) = (Crc::detect(), block("record-log-header"));
    let header = RecordLogHeader { common: common(&block) };
    block.must_be(&header.encode(crc));
    assert_eq!(RecordLogHeader::decode(crc, &block.bytes), Decoded::Header(header));
}

#[test]
fn the_checkpoint_header_is_the_one_in_the_document() {
    let (crc, block) = (Crc::detect(), block("checkpoint-header"));
    let header = CheckpointHeader {
        common: common(&block),
        last_id: block.number("last_id"),
        tag: block.number32("tag"),
        chunk_bytes: block.number32("chunk_bytes"),
        segment: 0,
    };
    block.must_be(&header.encode(crc));
    assert_eq!(CheckpointHeader::decode(crc, &block.bytes), Decoded::Header(header));
}
