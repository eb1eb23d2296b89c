"""A small site to build and serve, and a server that really runs."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "site.toml": 'title = "T"\nbase_url = "https://example.org"\n[aliases]\n"/old/" = "/posts/a/"\n',
    "templates/base.html": """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ page.title }}</title>
<link rel="stylesheet" href="{{ asset('app.css') }}"></head>
<body><main id="content">{% block content %}{{ page.content }}{% endblock %}</main></body></html>
""",
    "templates/page.html": '{% extends "base.html" %}',
    "templates/greet.html": '{% extends "base.html" %}{% block content %}<p>Hello {{ name }}</p>{% endblock %}',
    "pages/index.html": """{% extends "base.html" %}{% block content %}{% for post in site.section("posts") %}
<a href="{{ post.url }}">{{ post.title }}</a>{% endfor %}{% endblock %}""",
    "pages/404.html": '{% extends "base.html" %}{% block content %}<h1>Nothing here</h1>{% endblock %}',
    "pages/tags/[tag].html": """+++
each = "tags"
+++
{% extends "base.html" %}{% block content %}<h1>{{ tag.name }}</h1>{{ tag.pages | length }}{% endblock %}""",
    "content/posts/a.md": '+++\ntitle = "A"\ndate = 2026-01-01\ntags = ["x"]\n+++\n\nText of A, '
    + "and more " * 60
    + "\n",
    "content/posts/b.md": '+++\ntitle = "B"\ndate = 2026-01-02\ntags = ["x", "y"]\n+++\n\nSee [A](a.md).\n',
    "assets/app.css": "@import './parts/_p.css';\nbody { color: red }\n",
    "assets/parts/_p.css": "p { margin: 0 }\n",
    "assets/app.ts": "import { one } from './lib';\nexport const two: number = one + 1;\nconsole.log(two);\n",
    "assets/lib.ts": "export const one: number = 1;\n",
    "static/robots.txt": "User-agent: *\n",
    "handlers.py": '''"""Handlers."""

import asyncio
import os

from hyperweb import get, post, purge, render

calls = {"count": 0}


@get("/api/count", cache="60s", tags=["count"])
async def count() -> dict[str, int]:
    """Counts how often it was really asked."""
    await asyncio.sleep(0.05)
    calls["count"] += 1
    return {"count": calls["count"], "pid": os.getpid()}


@get("/api/pid")
async def pid() -> dict[str, int]:
    """Says who answers."""
    return {"pid": os.getpid()}


@get("/greet/{name}")
async def greet(name: str) -> object:
    """Renders a template."""
    return render("greet.html", name=name, page={"title": "Greet"})


@post("/api/forget")
async def forget() -> dict[str, int]:
    """Purges."""
    return {"purged": await purge(tags=["count"])}


@post("/api/echo")
async def echo(data: dict[str, object]) -> dict[str, object]:
    """Gives back what it was given."""
    return data
''',
}


def make_site(root: Path, **more: str) -> Path:
    """Writes the site; `more` adds or replaces files by path with `/` written as `__`."""
    for name, text in {**FILES, **{path.replace("__", "/"): text for path, text in more.items()}}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def free_port() -> int:
    """Returns a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def get(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Asks on a connection of its own; returns status, header fields and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            has_host = any(name.lower() == "host" for name in headers or {})
            connection.putrequest(method, path, skip_host=has_host, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Sends bytes and returns all that comes back until the server closes or says nothing for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as stream:
            stream.sendall(request)
            stream.settimeout(1)
            found = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while part := stream.recv(65536):
                    found += part
            return found

    def children(self) -> list[int]:
        """Returns the processes this one started."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(pid) for pid in file.read().split()]


def environment() -> dict[str, str]:
    """Returns the environment for a command under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HYPERWEB_")}


def hyperweb(*arguments: str | Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end; with `check` it must exit with 0."""
    found = subprocess.run(
        [sys.executable, "-m", "hyperweb", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(),
    )
    assert not check or found.returncode == 0, found.stdout + found.stderr
    return found


@contextlib.contextmanager
def serving(root: Path, *options: str, wait_for: str = "/") -> Iterator[Running]:
    """Serves a site until the block ends; then it must exit with 0 and leave no child.

    It is waited for until it answers the path `wait_for`, unless that is empty.
    """
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "hyperweb", "serve", str(root), "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    server = Running(process, port)
    try:
        if wait_for:
            wait_up(server, wait_for)
        yield server
        children = server.children()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert not [child for child in children if _lives(child)], "a child was left"
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_up(server: Running, path: str) -> None:
    """Waits until a server answers a path with 200."""
    for _ in range(600):
        if server.process.poll() is not None:
            raise AssertionError(server.process.communicate()[0])
        with contextlib.suppress(OSError):
            if server.get(path)[0] == 200:
                return
        time.sleep(0.05)
    message = f"{path} never answered"
    raise AssertionError(message)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
