//! See `durability_fuzz::recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| durability_fuzz::recovery::check(data));
