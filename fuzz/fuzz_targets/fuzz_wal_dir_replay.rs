//! See `durability_fuzz::wal_dir_replay`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| durability_fuzz::wal_dir_replay::check(data));
