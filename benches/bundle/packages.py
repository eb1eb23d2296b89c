"""What is bundled: packages from npm in fixed versions, and the bundlers to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.compare.programs import CACHE, find_program, install

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("antd@6.6.8", "react@19.2.0", "react-dom@19.2.0", "three@0.187.0", "lodash-es@4.17.21", "d3@7.9.0")
PEERS = ("esbuild@0.28.2", "@oven/bun-linux-x64@1.3.2")

ENTRIES = {
    "three, all of it": 'import * as three from "three";\nconsole.log(three);\n',
    "three, a scene": "import { Mesh, BoxGeometry, MeshBasicMaterial, PerspectiveCamera, Scene, WebGLRenderer } "
    'from "three";\n'
    "const scene = new Scene();\nscene.add(new Mesh(new BoxGeometry(), new MeshBasicMaterial()));\n"
    "new WebGLRenderer().render(scene, new PerspectiveCamera());\n",
    "three, one name, later": 'import("three").then((t) => console.log(t.REVISION));\n',
    "antd, all of it": 'import * as antd from "antd";\nconsole.log(antd);\n',
    "antd, a form": 'import { Button, DatePicker, Form, Input, Table } from "antd";\n'
    'import { createRoot } from "react-dom/client";\n'
    'import { createElement } from "react";\n'
    "createRoot(document.body).render(createElement(Form, null, createElement(Form.Item, null, createElement(Input)), "
    "createElement(DatePicker), createElement(Table), createElement(Button)));\n",
    "d3, some": 'import { scaleLinear, select, axisLeft } from "d3";\naxisLeft(scaleLinear())(select("g"));\n',
    "lodash-es, three functions": 'import { debounce, merge, cloneDeep } from "lodash-es";\n'
    "console.log(debounce, merge, cloneDeep);\n",
}


def installed() -> Path:
    """Returns the folder whose node_modules has all of it.

    Raises:
        MissingPeerError: It could not be installed.
    """
    folder = CACHE / "bundle"
    if not (folder / "node_modules" / "@oven").exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm: list[str | Path] = [find_program("npm"), "install", "--prefix", folder]
        npm += ["--no-save", "--silent", "--ignore-scripts", *PACKAGES, *PEERS]
        install(npm, "the packages of the comparison")
    return folder
