#![no_main]

#[path = "../../tests/fuzz_bodies/audit_log.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
