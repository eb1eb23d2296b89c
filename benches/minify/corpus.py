"""The files that are minified: of packages from npm, in fixed versions."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from benches.compare.programs import CACHE, find_program, install

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PACKAGES = (
    "antd@6.6.8",
    "bootstrap@5.3.9",
    "bootstrap-icons@1.13.1",
    "bulma@1.0.4",
    "d3@7.9.2",
    "echarts@6.1.0",
    "foundation-sites@6.9.0",
    "jquery@3.7.1",
    "lodash@4.18.1",
    "mime-db@1.54.0",
    "moment@2.30.1",
    "normalize.css@8.0.1",
    "react-dom@19.2.0",
    "tailwindcss@3.4.19",
    "three@0.187.0",
    "vue@3.5.22",
)
PEERS = ("esbuild@0.28.2", "oxc-minify@0.157.0", "lightningcss@1.33.0", "html-minifier-next@6.2.11", "svgo@4.1.0")
PYTHON_PEERS = ("tdewolff-minify==2.24.12", "minify-html==0.18.1")
_SCRIPTS = (
    "antd/dist/antd.js",
    "bootstrap/dist/js/bootstrap.esm.js",
    "bootstrap/dist/js/bootstrap.js",
    "d3/dist/d3.js",
    "echarts/dist/echarts.esm.js",
    "echarts/dist/echarts.js",
    "echarts/dist/echarts.simple.js",
    "foundation-sites/dist/js/foundation.js",
    "foundation-sites/js/foundation.core.js",
    "jquery/dist/jquery.js",
    "lodash/core.js",
    "lodash/fp/_baseConvert.js",
    "lodash/lodash.js",
    "moment/moment.js",
    "react-dom/cjs/react-dom-client.development.js",
    "react-dom/cjs/react-dom.development.js",
    "svgo/dist/svgo.browser.js",
    "three/build/three.core.js",
    "three/build/three.module.js",
    "three/examples/jsm/controls/OrbitControls.js",
    "three/examples/jsm/loaders/GLTFLoader.js",
    "vue/dist/vue.esm-browser.js",
    "vue/dist/vue.global.js",
)
# So many of those that a folder has; the first in order of their names.
_MOST = 30
_LEAST_BYTES = 1500


def installed() -> tuple[Path, Path]:
    """Returns the folder of node_modules and a Python that has the peers written for it.

    Raises:
        MissingPeerError: They could not be installed.
    """
    node = CACHE / "minify"
    modules = node / "node_modules"
    if not (modules / "html-minifier-next").exists():
        node.mkdir(parents=True, exist_ok=True)
        npm: list[str | Path] = [find_program("npm"), "install", "--prefix", node]
        npm += ["--no-save", "--silent", "--ignore-scripts", *PACKAGES, *PEERS]
        install(npm, "the packages of the comparison")
    python = node / "venv" / "bin" / "python"
    if not python.exists():
        install([find_program("python3"), "-m", "venv", node / "venv"], "a Python environment")
        install([python, "-m", "pip", "install", "--quiet", *PYTHON_PEERS], "minifiers for Python")
    return modules, python


def files(modules: Path) -> dict[str, list[Path]]:
    """Returns the files of each kind."""
    return {
        "js": [modules / name for name in _SCRIPTS if (modules / name).exists()],
        "css": _some(
            path
            for path in modules.glob("*/**/*.css")
            if not path.name.endswith(".min.css") and "node_modules" not in path.relative_to(modules).parts
        ),
        "html": _some(_plain(path, modules) for path in (modules / "foundation-sites").rglob("*.html")),
        "svg": _some((modules / "bootstrap-icons" / "icons").glob("*.svg"), least=400),
        "json": _some(path for path in modules.glob("*/*.json") if path.name != "package-lock.json"),
    }


def _plain(path: Path, modules: Path) -> Path:
    """Returns a page without comments for Internet Explorer, which not every peer can be told to keep."""
    plain = modules.parent / "html" / "-".join(path.relative_to(modules).parts)
    if not plain.exists():
        plain.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8")
        plain.write_text(re.sub(r"<!--\[if.*?<!\[endif\]-->\s*", "", text, flags=re.DOTALL), encoding="utf-8")
    return plain


def _some(paths: Iterable[Path], least: int = _LEAST_BYTES) -> list[Path]:
    found = sorted((path for path in paths if path.is_file()), key=lambda path: -path.stat().st_size)
    return [path for path in found if path.stat().st_size >= least][:_MOST]


def versions(python: Path) -> str:
    """Returns what the peers written for Python are, as pip names them."""
    done = subprocess.run([str(python), "-m", "pip", "freeze"], capture_output=True, text=True, check=True)
    return ", ".join(done.stdout.split())
