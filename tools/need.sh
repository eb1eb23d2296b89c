#!/usr/bin/env bash
# Makes sure that programs are there: need.sh PROGRAM...
# As root on a machine with apt-get it installs what is missing; otherwise it says what to install. What Debian does not
# have is built into a folder of the cache, where tests look too.
set -euo pipefail

bin="${XDG_CACHE_HOME:-$HOME/.cache}/hyperweb/bin"

package_of() {
    case "$1" in
        go) echo golang-go ;;
        redis-server) echo redis-server ;;
        pebble | pebble-challtestsrv) echo pebble ;;
        cc) echo build-essential ;;
        h2load) echo nghttp2-client ;;
        varnishd) echo varnish ;;
        node | npm) echo npm ;;
        rustc) echo "" ;; # rustup's business: tools/doctor.sh tells how
        *) echo "$1" ;;
    esac
}

is_there() {
    # Debian keeps servers out of an ordinary user's PATH, and Go installs itself where nobody's is.
    PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin:$bin" command -v "$1" >/dev/null
}

packages=()
unknown=()
built=()
for program in "$@"; do
    if is_there "$program"; then
        continue
    fi
    if [[ "$program" == h2spec || "$program" == pebble-ari ]]; then
        built+=("$program")
        if is_there go; then continue; fi
        program=go
    fi
    package="$(package_of "$program")"
    if [[ -n "$package" ]]; then packages+=("$package"); else unknown+=("$program"); fi
done

if ((${#unknown[@]})); then
    printf 'missing: %s (make setup says how to get it)\n' "${unknown[@]}" >&2
    exit 2
fi

# Builds a program of Go from tools/PROGRAM, which says by hash of what.
build() {
    local package
    case "$1" in
        h2spec) package=github.com/summerwind/h2spec/cmd/h2spec ;;
        pebble-ari) package=github.com/letsencrypt/pebble/v2/cmd/pebble ;;
    esac
    printf 'Building %s into %s\n' "$1" "$bin"
    mkdir -p "$bin"
    (cd "$(dirname "$0")/$1" && PATH="$PATH:/usr/local/go/bin" GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        go build -o "$bin/$1" "$package")
}

if ! ((${#packages[@]})); then
    for program in "${built[@]}"; do build "$program"; done
    exit 0
fi

if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    printf 'Installing from Debian: %s\n' "${packages[*]}"
    log="$(mktemp)"
    trap 'rm -f "$log"' EXIT
    # RUNLEVEL=1 keeps Debian from starting the servers it installs.
    if ! { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        exit 1
    fi
    for program in "${built[@]}"; do build "$program"; done
else
    printf 'missing: %s\n    sudo apt-get install %s\n' "${packages[*]}" "${packages[*]}" >&2
    exit 2
fi
