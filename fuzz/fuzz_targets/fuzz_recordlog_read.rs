//! See `durability_fuzz::recordlog_read`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| durability_fuzz::recordlog_read::check(data));
