"""The peers written for Python: reads {"out", "kinds": {kind: [path]}}, writes OUT/KIND.NUMBER.PEER, prints seconds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import minify  # type: ignore[import-not-found]
import minify_html  # type: ignore[import-not-found]

TYPES = {
    "js": "application/javascript",
    "css": "text/css",
    "html": "text/html",
    "svg": "image/svg+xml",
    "json": "application/json",
}
ROUNDS = 3


def main() -> None:
    """Minifies the files of the task on standard input."""
    task = json.load(sys.stdin)
    seconds = {}
    for kind, paths in task["kinds"].items():
        best: list[float | None] = []
        for number, path in enumerate(paths):
            text = Path(path).read_text(encoding="utf-8")
            target = f"{task['out']}/{kind}.{number}"
            best.append(timed(TYPES[kind], text, Path(f"{target}.tdewolff")))
            if kind == "html":
                made = minify_html.minify(text, minify_css=True, minify_js=True, keep_input_type_text_attr=True)
                Path(f"{target}.minify-html").write_text(made, encoding="utf-8")
        seconds[kind] = best
    json.dump(seconds, sys.stdout)


def timed(media_type: str, text: str, target: Path) -> float | None:
    """Writes what tdewolff makes of a text, and returns the seconds it took at best; none where it refuses it."""
    taken = []
    made = ""
    try:
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            made = minify.string(media_type, text)
            taken.append(time.perf_counter() - begun)
    except minify.MinifyError:
        return None
    target.write_text(made, encoding="utf-8")
    return min(taken)


main()
