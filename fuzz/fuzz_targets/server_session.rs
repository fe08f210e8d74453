//! See `ironrdp_testkit::oracles::server_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironrdp_testkit::oracles::server_session(data));
