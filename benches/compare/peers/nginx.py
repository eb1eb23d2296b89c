"""nginx, tuned: files with an open file cache, over TLS too, and as a proxy that keeps or passes on.

Everywhere: one worker a thread with a listener of its own (`reuseport`), no access log, connections kept for good, no
delay. From files and from its cache it sends by `sendfile` from descriptors that stay open. TLS has sessions in a
cache and records of full size; HTTP/2 has frames of full size. To an origin it keeps connections, and has buffers that
hold a whole response, so that none is written to a file on the way. The descriptors that stay open are 10,000: a system
may allow a process no more than twice that.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benches.compare.peers import origin
from benches.compare.peers.certificate import certificate
from benches.compare.peers.granian import command
from benches.compare.peers.peer import Peer, Setup, python_path
from benches.compare.programs import find_program, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

FRAME = """\
daemon off;
worker_processes {workers};
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{
    worker_connections 16384;
    use epoll;
}}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    tcp_nodelay on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/plain txt; }}
    charset utf-8;
{server}
}}
"""

OPEN_FILES = """\
    sendfile on;
    tcp_nopush on;
    open_file_cache max=10000 inactive=300s;
    open_file_cache_valid 300s;
    open_file_cache_min_uses 1;
"""

FILES = (
    OPEN_FILES
    + """\
    server {{
        listen 127.0.0.1:{port} {speaks} reuseport backlog=4096;
        root {root};
        {tls}
    }}
"""
)

TLS = """\
        ssl_certificate {made.cert};
        ssl_certificate_key {made.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:sessions:10m;
        ssl_buffer_size 16k;
        http2_chunk_size 16k;
        http2_max_concurrent_streams 1000;
"""

PROXY = """\
    upstream behind {{
        server unix:{socket};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            {cache}
        }}
    }}
"""

CACHE = (
    OPEN_FILES
    + """\
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=kept:64m max_size=8g inactive=1d use_temp_path=off;
"""
)


def _start(server: Server, folder: Path, workers: int, text: str) -> Server:
    # Started by root, workers would run as nobody and could not read the work folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(workers=workers, folder=folder, user=user, server=text))
    return server.start([find_program("nginx"), "-e", folder / "error.log", "-c", config, "-p", folder])


def start_files(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files."""
    text = FILES.format(port=port, root=setup.files(), speaks="", tls="")
    return _start(setup.server("nginx"), setup.folder("nginx"), setup.threads, text)


def start_tls(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files, over TLS and HTTP/2."""
    tls = TLS.format(made=certificate(setup))
    text = FILES.format(port=port, root=setup.files(), speaks="ssl http2", tls=tls)
    return _start(setup.server("nginx-tls"), setup.folder("nginx-tls"), setup.threads, text)


def start_proxy(setup: Setup, port: int) -> Server:
    """Starts it in front of Granian on a Unix socket; both are measured."""
    folder = setup.folder("nginx-proxy")
    socket = origin.socket_path(setup, "nginx-proxy")
    server = setup.server("nginx-proxy")
    app = "benches.compare.apps.granian_json:app"
    server.start(command(app, setup.threads, "--uds", socket), env=python_path())
    try:
        return _start(server, folder, setup.threads, PROXY.format(port=port, socket=socket, cache=""))
    except BaseException:
        server.stop()
        raise


def start_cache(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, keeping what that answers."""
    folder = setup.folder("nginx-cache")
    proxy = PROXY.format(port=port, socket=origin.kept(setup), cache="proxy_cache kept;")
    text = CACHE.format(folder=folder) + proxy
    return _start(setup.server("nginx-cache"), folder, setup.threads, text)


def start_pass(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, passing on each request."""
    text = PROXY.format(port=port, socket=origin.passed(setup), cache="")
    return _start(setup.server("nginx-pass"), setup.folder("nginx-pass"), setup.threads, text)


def _version() -> str:
    return version_of([find_program("nginx"), "-v"]).removeprefix("nginx version: ")


NGINX_FILES = Peer("nginx", "nginx, static files", start_files, _version)
NGINX_PROXY = Peer("nginx", "nginx before Granian", start_proxy, _version)
NGINX_TLS = Peer("nginx", "nginx, static files", start_tls, _version)
NGINX_CACHE = Peer("nginx-cache", "nginx, proxy_cache", start_cache, _version)
NGINX_PASS = Peer("nginx", "nginx, proxy_pass", start_pass, _version)
