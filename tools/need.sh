#!/usr/bin/env bash
# Makes sure that programs are there: need.sh PROGRAM...
# As root on a machine with apt-get it installs what is missing; otherwise it says what to install.
set -euo pipefail

package_of() {
    case "$1" in
        redis-server) echo redis-server ;;
        cc) echo build-essential ;;
        node | npm) echo npm ;;
        rustc) echo "" ;; # rustup's business: tools/doctor.sh tells how
        *) echo "$1" ;;
    esac
}

packages=()
unknown=()
for program in "$@"; do
    # Debian keeps servers out of an ordinary user's PATH.
    if PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null; then
        continue
    fi
    package="$(package_of "$program")"
    if [[ -n "$package" ]]; then packages+=("$package"); else unknown+=("$program"); fi
done

if ((${#unknown[@]})); then
    printf 'missing: %s (make setup says how to get it)\n' "${unknown[@]}" >&2
    exit 2
fi
((${#packages[@]})) || exit 0

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
else
    printf 'missing: %s\n    sudo apt-get install %s\n' "${packages[*]}" "${packages[*]}" >&2
    exit 2
fi
