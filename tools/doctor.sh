#!/usr/bin/env bash
# Says what this machine lacks to build hyperweb and how to get it, all of it at once. Prints the Python to use.
#
#   tools/doctor.sh            checks everything; prints the path of a fit Python on standard output
#   PYTHON=... tools/doctor.sh checks that Python instead of looking for one
set -euo pipefail

readonly RUST_NEEDED="1.95"
readonly PYTHON_NEEDED="3.11"
missing=0

# Debian's way with sudo, for those who are not root.
apt="apt-get install"
[[ "$(id -u)" == 0 ]] || apt="sudo apt-get install"

tell() {
    missing=1
    printf 'missing: %s\n' "$1" >&2
    shift
    printf '    %s\n' "$@" >&2
}

at_least() { # at_least WANTED FOUND
    [[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" == "$1" ]]
}

python_fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if command -v "$name" >/dev/null && python_fits "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if python="$(find_python)"; then
    # Debian splits both modules off; without them `python -m venv` fails half way.
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        tell "the venv module of $python" "$apt python3-venv"
    fi
else
    python=""
    found="$("${PYTHON:-python3}" --version 2>/dev/null || echo none)"
    tell "Python $PYTHON_NEEDED or newer (found: $found)" \
        "$apt python3 python3-venv    (Debian 12 has 3.11)" \
        "or name another: make PYTHON=/path/to/python3.12 ..."
fi

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    tell "Rust $RUST_NEEDED or newer: cargo and rustc are not on the PATH" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh    then open a new shell" \
        "or, from Debian 13 on: $apt rustup && rustup default stable" \
        "(cargo from Debian 12 itself is too old)"
else
    rust="$(rustc --version | cut -d ' ' -f 2)"
    if ! at_least "$RUST_NEEDED" "$rust"; then
        tell "Rust $RUST_NEEDED or newer (found: $rust)" "rustup update stable"
    fi
fi

if ! command -v cc >/dev/null; then
    tell "a C compiler and linker: cc is not on the PATH" "$apt build-essential"
fi

if ((missing)); then
    printf 'Install the above, then run the same command again.\n' >&2
    exit 2
fi
printf '%s\n' "$python"
