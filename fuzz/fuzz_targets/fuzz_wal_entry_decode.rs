//! See `durability_fuzz::wal_entry_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| durability_fuzz::wal_entry_decode::check(data));
