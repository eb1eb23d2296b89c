"""nginx, tuned: files with an open file cache, and as the proxy before Granian."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benches.compare.errors import CompareError
from benches.compare.peers.granian import command
from benches.compare.peers.peer import Peer, Setup, python_path
from benches.compare.programs import find_program, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

# sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107

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

FILES = """\
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000 inactive=300s;
    open_file_cache_valid 300s;
    open_file_cache_min_uses 1;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        root {root};
    }}
"""

PROXY = """\
    upstream python {{
        server unix:{socket};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location / {{
            proxy_pass http://python;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
"""


def _start(server: Server, folder: Path, workers: int, text: str) -> Server:
    # Started by root, workers would run as nobody and could not read the work folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(workers=workers, folder=folder, user=user, server=text))
    return server.start([find_program("nginx"), "-e", folder / "error.log", "-c", config, "-p", folder])


def start_files(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files."""
    folder = setup.folder("nginx")
    return _start(setup.server("nginx"), folder, setup.threads, FILES.format(port=port, root=setup.files()))


def start_proxy(setup: Setup, port: int) -> Server:
    """Starts it in front of Granian on a Unix socket; both are measured.

    Raises:
        CompareError: The work folder's path is too long for a socket.
    """
    folder = setup.folder("nginx-proxy")
    socket = folder / "granian.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
        message = f"{socket} is too long for a Unix socket: set TMPDIR to a shorter folder"
        raise CompareError(message)
    server = setup.server("nginx-proxy")
    app = "benches.compare.apps.granian_json:app"
    server.start(command(app, setup.threads, "--uds", socket), env=python_path())
    try:
        return _start(server, folder, setup.threads, PROXY.format(port=port, socket=socket))
    except BaseException:
        server.stop()
        raise


def _version() -> str:
    return version_of([find_program("nginx"), "-v"]).removeprefix("nginx version: ")


NGINX_FILES = Peer("nginx", "nginx, static files", start_files, _version)
NGINX_PROXY = Peer("nginx", "nginx before Granian", start_proxy, _version)
