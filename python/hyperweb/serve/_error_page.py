"""The page that shows a developer what is wrong, and where."""

from __future__ import annotations

import html
import linecache
import traceback
from typing import TYPE_CHECKING

from hyperweb.errors import HyperwebError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hyperweb.web.failure import RequestInfo

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;padding:2rem clamp(1rem,4vw,4rem)}
body{background:light-dark(#fbf7f4,#191614);color:light-dark(#231f1c,#eee6df)}
h1{font-size:1.25rem;margin:0 0 .5rem;color:light-dark(#a3261b,#ff9d8f);white-space:pre-wrap;overflow-wrap:anywhere}
.where{font:600 .9rem ui-monospace,monospace;opacity:.85}pre{font:.85rem/1.6 ui-monospace,monospace;padding:1rem;
overflow:auto;border-radius:.5rem;background:light-dark(#fff,#231f1c);border:1px solid light-dark(#e6ddd5,#3a332e)}
mark{display:block;background:light-dark(#ffe3dc,#4c1f18);color:inherit}article{margin-bottom:2.5rem}
.hint{border-left:3px solid light-dark(#b58a00,#e3b93c);padding-left:.75rem}summary{cursor:pointer}
table{font:.85rem ui-monospace,monospace;border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top;
overflow-wrap:anywhere}
"""


def error_page(errors: Sequence[BaseException], root: Path, *, request: RequestInfo | None = None) -> str:
    """Returns an HTML page for what went wrong.

    Args:
        errors: What was raised.
        root: The site's folder; frames in it are shown open.
        request: The request, where one was being answered.
    """
    parts = [_article(error, root) for error in errors]
    if request is not None:
        parts.append(_request(request))
    title = html.escape(str(errors[0]).splitlines()[0]) if errors else "Error"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><body><main>{''.join(parts)}</main>"
    )


def _article(error: BaseException, root: Path) -> str:
    if isinstance(error, HyperwebError):
        where = "" if error.file is None else error.file + (f":{error.line}" if error.line else "")
        hint = f'<p class="hint">{html.escape(error.hint)}</p>' if error.hint else ""
        frame = f"<pre>{_marked(error.frame)}</pre>" if error.frame else ""
        cause = _frames(error.__cause__, root) if error.__cause__ is not None else ""
        return (
            f'<article><h1>{html.escape(error.message)}</h1><p class="where">{html.escape(where)}</p>'
            f"{frame}{hint}{cause}</article>"
        )
    reason = "".join(traceback.format_exception_only(error)).strip()
    return f"<article><h1>{html.escape(reason)}</h1>{_frames(error, root)}</article>"


def _marked(frame: str) -> str:
    lines = [html.escape(line) for line in frame.splitlines()]
    return "\n".join(f"<mark>{line}</mark>" if line.lstrip().startswith("&gt;") else line for line in lines)


def _frames(error: BaseException, root: Path) -> str:
    shown = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        inside = file.startswith(str(root))
        source = []
        for number in range(max(1, line - 3), line + 4):
            text = html.escape(linecache.getline(file, number).rstrip("\n"))
            row = f"{number:>5}  {text}"
            source.append(f"<mark>{row}</mark>" if number == line else row)
        name = html.escape(f"{file}:{line} in {frame.f_code.co_name}")
        body = "\n".join(source)
        shown.append(
            f'<details{" open" if inside else ""}><summary class="where">{name}</summary><pre>{body}</pre></details>'
        )
    return "".join(reversed(shown))


def _request(request: RequestInfo) -> str:
    secret = {"cookie", "authorization"}
    rows = [("request", f"{request.method} {request.path}"), ("query", request.query_string), ("id", request.id)]
    rows += [(name, "…" if name in secret else value) for name, value in request.headers]
    cells = "".join(f"<tr><td>{html.escape(name)}<td>{html.escape(value)}" for name, value in rows if value)
    return f"<article><h1>Request</h1><table>{cells}</table></article>"
