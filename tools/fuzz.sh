#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: fuzz.sh SECONDS [TARGET...], every target for so many seconds, all where none is
# named. What is found goes into a folder of the cache first; of that, what leads to places that nothing else leads to is
# added to fuzz/corpus. Ends with an error at the first input that something fails with, and says where it is.
#
#   FUZZ_JOBS=2   processes at once; 1 unless set
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:?fuzz.sh SECONDS [TARGET...]}"
shift
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hyperweb"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}/fuzz"
export PATH="$PATH:$cache/bin"
# As fast to compile as it can be while it runs at a good speed; overflows and failed assertions are found all the same.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2

command -v cargo-fuzz >/dev/null || cargo install --locked --root "$cache" cargo-fuzz@0.13.1
# Most of what is fuzzed has no unsafe code; what has runs under Miri too.
cargo +nightly fuzz build --fuzz-dir fuzz --features fuzzer --sanitizer none
programs="$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release"

if (($# == 0)); then
    set -- $(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

run() {
    local name="$1" found="$cache/fuzz/$1" log="$cache/fuzz/$1.log" options=(-max_len=4096 -timeout=20 -rss_limit_mb=2048)
    mkdir -p "$found" "$cache/fuzz/failed"
    [[ -f "fuzz/dictionaries/$name" ]] && options+=("-dict=fuzz/dictionaries/$name")
    if ! "$programs/$name" "$found" "fuzz/corpus/$name" "${options[@]}" "-max_total_time=$seconds" -print_final_stats=1 \
        "-artifact_prefix=$cache/fuzz/failed/$name-" >"$log" 2>&1; then
        grep -E 'panicked|SUMMARY|Test unit written' -A 3 "$log" | head -n 40
        printf '%s fails; the whole log: %s\n' "$name" "$log"
        return 1
    fi
    # The smallest few hundred are enough: a corpus is read by people and by each test run.
    "$programs/$name" -merge=1 -max_len=1024 "fuzz/corpus/$name" "$found" >>"$log" 2>&1
    ls -Sr "fuzz/corpus/$name" | grep -v '^seed-' | tail -n +301 | sed "s|^|fuzz/corpus/$name/|" | xargs -r rm --
    local runs coverage
    runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | head -n 1)"
    coverage="$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1)"
    printf '| %s | %s | %s | %s | %s |\n' "$name" "$seconds" "$runs" "$coverage" "$(find "fuzz/corpus/$name" -type f | wc -l)"
}
export -f run
export seconds cache programs

printf '| target | seconds | runs | coverage | corpus |\n|---|--:|--:|---|--:|\n'
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-1}" -I{} bash -c 'run {}'
