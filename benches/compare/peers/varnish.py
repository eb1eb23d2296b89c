"""Varnish of Debian, keeping in memory what the origin answers, or passing on what may not be kept.

A pool of threads for each thread of the others, as many threads in each as there are connections, so that none is made
while it is measured, and memory for all there is. It writes its log into shared memory, as it does everywhere: there is
no running it without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.compare.client import HOST
from benches.compare.peers import origin
from benches.compare.peers.peer import Peer, Setup
from benches.compare.programs import find_program, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

VCL = """\
vcl 4.1;
backend behind {{
    .path = "{socket}";
}}
"""


def _start(setup: Setup, name: str, socket: Path, port: int) -> Server:
    folder = setup.folder(name)
    config = folder / "behind.vcl"
    config.write_text(VCL.format(socket=socket))
    threads = [
        f"thread_pools={setup.threads}",
        "thread_pool_min=100",
        "thread_pool_max=1000",
        "timeout_idle=300",
        "listen_depth=4096",
    ]
    options: list[str | Path] = [word for setting in threads for word in ("-p", setting)]
    where: list[str | Path] = ["-a", f"{HOST}:{port},HTTP", "-n", folder / "state", "-f", config, "-s", "malloc,4G"]
    # A jail is for a user that a package makes; the work folder is not that user's.
    return setup.server(name).start([find_program("varnishd"), "-F", "-j", "none", *where, *options])


def start_cache(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, keeping what that answers."""
    return _start(setup, "varnish", origin.kept(setup), port)


def start_pass(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, passing on each request."""
    return _start(setup, "varnish-pass", origin.passed(setup), port)


def _version() -> str:
    return f"Varnish {version_of([find_program('varnishd'), '-V']).split('varnish-')[-1].split(' ')[0]}"


VARNISH_CACHE = Peer("varnish", "Varnish, from memory", start_cache, _version)
VARNISH_PASS = Peer("varnish", "Varnish, passing on", start_pass, _version)
