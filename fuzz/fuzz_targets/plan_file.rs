#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| testing::fuzz::plan_file::run(input));
