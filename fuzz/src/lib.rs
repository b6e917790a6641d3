//! The laws that the fuzz targets check, one module a target.
//!
//! An input is a script: what is appended, synced, truncated; then how the files are damaged, with or without their checksums put right
//! again. So most inputs get past the checksums, and an input that fails can be read.
//!
//! Must never depend on the core's own decoding for what is right: `format` was written from FORMAT.md.

pub mod checkpoint_read;
mod damage;
mod directory;
mod format;
mod input;
mod limit;
pub mod recordlog_read;
pub mod recovery;
mod script;
pub mod wal_dir_replay;
pub mod wal_entry_decode;

/// Every committed seed passes, without a fuzzer.
#[cfg(test)]
#[test]
fn the_seeds_pass() {
    let targets: [(&str, fn(&[u8])); 5] = [
        ("fuzz_wal_entry_decode", wal_entry_decode::check),
        ("fuzz_wal_dir_replay", wal_dir_replay::check),
        ("fuzz_checkpoint_read", checkpoint_read::check),
        ("fuzz_recordlog_read", recordlog_read::check),
        ("fuzz_recovery", recovery::check),
    ];
    for (target, check) in targets {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut seeds = 0;
        for entry in std::fs::read_dir(&corpus).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has seeds");
        check(&[]);
    }
}
