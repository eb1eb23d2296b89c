#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperweb_fuzz::html(data));
