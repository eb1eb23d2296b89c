from __future__ import annotations

import asyncio
import importlib.metadata
import subprocess
import sys
import typing

import pytest

import hyperweb
from hyperweb import web


def loaded(code: str) -> set[str]:
    code += "; import sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_that_is_heavy() -> None:
    heavy = {"msgspec", "jinja2", "asyncio", "granian", "typing_extensions", "hyperweb.web", "hyperweb.errors"}
    assert not heavy & loaded("import hyperweb")
    assert "hyperweb.web" in loaded("from hyperweb import get")


def test_handlers_need_neither_a_server_nor_templates() -> None:
    assert not {"granian", "jinja2"} & loaded("from hyperweb import App, get")


def test_every_name_is_there_and_is_the_web_layers_own() -> None:
    for name in hyperweb.__all__:
        assert getattr(hyperweb, name) is not None
        assert name in dir(hyperweb)
    assert set(hyperweb.__all__) - {"HyperwebError"} <= set(web.__all__)
    for name in web.__all__:
        assert getattr(web, name) is not None


def test_the_version_is_the_packages() -> None:
    try:
        expected = importlib.metadata.version("hyperweb")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("hyperweb is run from its source, without being installed")
    assert hyperweb.__version__ == expected


def test_importing_the_package_loads_next_to_nothing() -> None:
    own = {"__future__", "hyperweb", "importlib", "importlib._bootstrap", "importlib._bootstrap_external", "warnings"}
    assert loaded("import hyperweb") - loaded("pass") <= own


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hyperweb.nothing  # type: ignore[attr-defined]


def test_a_decorator_leaves_the_handlers_type_as_it_is() -> None:
    @hyperweb.App().get("/{n}")
    async def handler(n: int) -> str:
        return str(n)

    # mypy reads this line: a decorator that lost the types would make it an error.
    made = typing.assert_type(handler(1), typing.Coroutine[typing.Any, typing.Any, str])
    assert asyncio.run(made) == "1"
