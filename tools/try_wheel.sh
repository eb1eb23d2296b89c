#!/usr/bin/env bash
# Tries a wheel where there is no Rust: try_wheel.sh WHEEL
# A fresh environment, nothing on the PATH but that environment, a copy of the blog built and one page served.
set -euo pipefail

wheel="$(realpath "$1")"
root="$(cd "$(dirname "$0")/.." && pwd)"
python="$("$root/tools/doctor.sh")"
work="$(mktemp -d)"
server=""
finish() {
    # The server's own children go with it: it drains them on SIGTERM.
    if [[ -n "$server" ]]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

if [[ "$wheel" != *-cp311-abi3-* ]]; then
    printf 'not an abi3 wheel for Python 3.11 and later: %s\n' "$(basename "$wheel")" >&2
    exit 1
fi

"$python" -m venv "$work/venv"
# The locked versions, without their hashes: pip cannot mix hashed packages with a local wheel.
sed -nE 's/^([a-z0-9][a-z0-9._-]*==[^ ]+).*/\1/p' "$root/requirements.lock" >"$work/constraints.txt"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$work/constraints.txt" "$wheel"

alone() { env -i PATH="$work/venv/bin" HOME="$work" LANG=C.UTF-8 TMPDIR="$work" "$@"; }

alone hyperweb --version
mkdir "$work/sites"
cp -r "$root/sites/blog" "$work/sites/blog"
rm -rf "$work/sites/blog/dist" "$work/sites/blog/.hyperweb"
alone hyperweb build "$work/sites/blog"
[[ -s "$work/sites/blog/dist/site.pack" && -s "$work/sites/blog/dist/public/index.html" ]]

port="$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
env -i PATH="$work/venv/bin" HOME="$work" LANG=C.UTF-8 TMPDIR="$work" \
    hyperweb serve "$work/sites/blog" --prod --no-build --host 127.0.0.1 --port "$port" >"$work/serve.log" 2>&1 &
server=$!
if ! "$python" - "$port" <<'PY'; then
import sys, time, urllib.request

deadline = time.monotonic() + 20
while True:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=5) as answer:
            sys.exit(answer.status != 200 or b"<html" not in answer.read().lower())
    except OSError:
        if time.monotonic() > deadline:
            sys.exit("the served wheel never answered")
        time.sleep(0.05)
PY
    cat "$work/serve.log" >&2
    exit 1
fi
printf 'The wheel works without Rust: %s\n' "$(basename "$wheel")"
