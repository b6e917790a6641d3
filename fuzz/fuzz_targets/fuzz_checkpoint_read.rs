//! See `durability_fuzz::checkpoint_read`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| durability_fuzz::checkpoint_read::check(data));
