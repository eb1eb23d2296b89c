"""The pages of the documentation that say what to type, typed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.docs.session import Session, steps

CONTENT = Path(__file__).parents[2] / "sites" / "docs" / "content"


def front_matter(page: Path) -> dict[str, object]:
    return tomllib.loads(page.read_text(encoding="utf-8").split("+++\n")[1])


TESTED = sorted(page for page in CONTENT.rglob("*.md") if front_matter(page).get("tested"))


def test_the_tutorial_is_among_them() -> None:
    assert CONTENT / "tutorial.md" in TESTED


@pytest.mark.e2e
@pytest.mark.parametrize("page", TESTED, ids=lambda page: str(page.relative_to(CONTENT)))
def test_what_a_page_says_works_when_typed(page: Path, tmp_path: Path) -> None:
    require_program("curl")
    Session(tmp_path).do(page.read_text(encoding="utf-8"))


def test_a_page_is_read_as_a_person_would() -> None:
    page = """\
<!-- run: mkdir a -->
<p class="file">a/[b].txt</p>

```text
$ no command
```

```console
$ cat a/\\
> b
one
...
$ true
```

```sh
not typed
```
<!-- stop -->
"""
    found = [(step.kind, step.name, step.text) for step in steps(page)]
    assert found == [
        ("run", "mkdir a", "..."),
        ("file", "a/[b].txt", "$ no command\n"),
        ("run", "cat a/\\\nb", "one\n...\n"),
        ("run", "true", ""),
        ("stop", "", ""),
    ]


def test_what_a_command_shows_is_compared(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="line 2"):
        Session(tmp_path).do("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match="exits with 1"):
        Session(tmp_path).do("```console\n$ false\n```\n")
    Session(tmp_path).do("```console\n$ echo one two three\none ... three\n```\n")
