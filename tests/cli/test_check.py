"""`hyperweb check` as a command: what it prints, and what it exits with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.check.test_check import FILES, Made
from tests.e2e.site import hyperweb

if TYPE_CHECKING:
    from pathlib import Path


def test_the_exit_code_says_whether_the_site_is_good(tmp_path: Path) -> None:
    site = Made(tmp_path / "site").write(**FILES)
    good = hyperweb("check", str(site.root), "--strict")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("site: 0 errors, 0 warnings in 4 pages and ")
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n<center>x</center>\n"})
    assert hyperweb("check", str(site.root)).returncode == 0
    assert hyperweb("check", str(site.root), "--strict").returncode == 1
    assert hyperweb("check", str(site.root), "--strict", "--disable", "obsolete").returncode == 0
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/nowhere/)\n"})
    bad = hyperweb("check", str(site.root))
    assert bad.returncode == 1
    assert "site/content/b.md:5: error: the link `/nowhere/` leads nowhere [dead-link]\n  on /b/\n" in bad.stdout
    site.write(**{"content/b.md": "[x](gone.md)\n"})
    broken = hyperweb("check", str(site.root))
    assert (broken.returncode, "leads to no page" in broken.stderr) == (1, True)


def test_json_is_one_object_whatever_happens(tmp_path: Path) -> None:
    site = Made(tmp_path / "site").write(**FILES)
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/nowhere/)\n"})
    found = hyperweb("check", str(site.root), "--json")
    report = json.loads(found.stdout)["sites"][0]
    assert (found.returncode, report["errors"], report["warnings"]) == (1, 1, 0)
    assert report["findings"][0]["line"] == 5
    site.write(**{"content/b.md": "[x](gone.md)\n"})
    found = hyperweb("check", str(site.root), "--json")
    assert (found.returncode, "leads to no page" in json.loads(found.stdout)["sites"][0]["error"]) == (1, True)
