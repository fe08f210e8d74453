//! See `ironrdp_testkit::oracles::input`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironrdp_testkit::oracles::input(data));
