"""Does what a page of the documentation says: writes its files and types its commands.

A page is read from top to bottom. A block after `<p class="file">NAME</p>` is a file, and is written. In a block of the
language `console`, lines that begin with `$ ` are commands, those that begin with `> ` continue them, and what follows
is what must be shown, where `...` stands for anything. `hyperweb serve` goes on until `<!-- stop -->` or the end. In a
comment `<!-- run: COMMAND -->` is what a page takes for granted.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.site import environment, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = re.compile(r'<p class="file">(.+)</p>')
_RUN = re.compile(r"<!-- run: (.+) -->")
_FENCE = re.compile(r"(`{3,})(\w*)")
# How long the output of a command may take to become what the page says: a server takes up a new build meanwhile.
_PATIENCE = 10.0


@dataclass
class Step:
    """One thing a page says to do: `file` with a name and a text, `run` with a command and its output, or `stop`."""

    kind: str
    name: str = ""
    text: str = ""
    line: int = 0


def steps(page: str) -> Iterator[Step]:
    """Yields what a page says to do, in order."""
    name = ""
    lines = iter(enumerate(page.splitlines(), start=1))
    for number, line in lines:
        fence = _FENCE.fullmatch(line.strip())
        if found := _FILE.fullmatch(line):
            name = html.unescape(found[1])
        elif found := _RUN.fullmatch(line):
            yield Step("run", found[1], "...", number)
        elif line == "<!-- stop -->":
            yield Step("stop", line=number)
        elif fence:
            body = []
            for _, inner in lines:
                if inner.strip() == fence[1]:
                    break
                body.append(inner)
            if name:
                yield Step("file", name, "\n".join(body) + "\n", number)
            elif fence[2] == "console":
                yield from _commands(body, number)
            name = ""
        elif line.strip() and name:
            message = f"line {number}: no block follows the name of the file {name}"
            raise AssertionError(message)


def _commands(body: list[str], first: int) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(body, start=first + 1):
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step("run", line[2:], "", number)
        elif step is None:
            message = f"line {number}: a console block begins with a command"
            raise AssertionError(message)
        elif line.startswith("> ") and not step.text:
            step.name += "\n" + line[2:]
        else:
            step.text += line + "\n"
    if step is not None:
        yield step


@dataclass
class Session:
    """A terminal in a folder of its own, and the server that was started in it."""

    folder: Path
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[str] | None = None

    def do(self, page: str) -> None:
        """Does all that a page says.

        Raises:
            AssertionError: Something else was shown than the page says.
        """
        try:
            for step in steps(page):
                if step.kind == "file":
                    self.write(step.name, step.text)
                elif step.kind == "stop":
                    self.stop()
                else:
                    self.type(step)
            self.stop()
        finally:
            if self.server is not None:
                self.server.kill()
                self.server.wait()

    def write(self, name: str, text: str) -> None:
        """Writes a file of the page."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.here(text), encoding="utf-8")

    def type(self, step: Step) -> None:
        """Types a command, and waits for what the page says it shows."""
        command = self.here(step.name)
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ")).resolve()
            return
        if re.match(r"hyperweb serve\b", command):
            self.serve(command, step)
            return
        code, output = self.run(command)
        until = time.monotonic() + _PATIENCE
        # Only what asks a server is asked again; a file would be written twice.
        while not self.shows(output, step.text) and command.startswith("curl ") and time.monotonic() < until:
            time.sleep(0.1)
            code, output = self.run(command)
        assert self.shows(output, step.text), f"line {step.line}: $ {command}\nshows\n{output}\nand not\n{step.text}"
        assert code == 0 or step.text, f"line {step.line}: $ {command}\nexits with {code}"

    def run(self, command: str) -> tuple[int, str]:
        """Runs a command in the shell; returns its exit code and all it shows."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def serve(self, command: str, step: Step) -> None:
        """Starts a server, and waits until it says what the page says."""
        assert self.server is None, f"line {step.line}: a server runs already"
        log = self.folder / "server.log"
        with log.open("w", encoding="utf-8") as file:
            self.server = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        wanted = self.here(step.text) or "...http://127.0.0.1:...\n"
        until = time.monotonic() + 60
        while not self.shows(log.read_text(encoding="utf-8"), wanted, somewhere=True):
            assert self.server.poll() is None, f"line {step.line}: {log.read_text(encoding='utf-8')}"
            assert time.monotonic() < until, f"line {step.line}: {log.read_text(encoding='utf-8')}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops the server as Ctrl+C does; it must end in good order."""
        if self.server is None:
            return
        server, self.server = self.server, None
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.kill()
        assert code == 0, (self.folder / "server.log").read_text(encoding="utf-8")

    def here(self, text: str) -> str:
        """Returns a text with the port of this session in place of the one the documentation names."""
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def shows(self, output: str, wanted: str, *, somewhere: bool = False) -> bool:
        """Whether an output is what a page says."""
        pattern = re.escape(self.here(wanted).strip()).replace(r"\.\.\.", r"[\s\S]*?")
        shown = "\n".join(line.rstrip() for line in output.splitlines()).strip()
        return (re.search if somewhere else re.fullmatch)(pattern, shown) is not None

    def environment(self) -> dict[str, str]:
        """Returns the environment of a person who activated the project's own."""
        given = environment()
        given["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)])
        given["HYPERWEB_SERVE_PORT"] = str(self.port)
        given["PYTHONDONTWRITEBYTECODE"] = "1"
        return given
