#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperweb_fuzz::frames(data));

#[cfg(not(fuzzing))]
fn main() {
    hyperweb_fuzz::replay(hyperweb_fuzz::frames);
}
