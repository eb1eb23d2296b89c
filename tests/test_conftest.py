from __future__ import annotations

import pytest

from tests.conftest import require_program


def test_a_program_that_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERWEB_REQUIRE_PROGRAMS", "1")
    assert require_program("sh").name == "sh"


def test_a_missing_program_skips_the_test_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYPERWEB_REQUIRE_PROGRAMS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs no-such-program.*tools/need\.sh no-such-program"):
        require_program("no-such-program")


def test_a_missing_program_fails_the_test_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERWEB_REQUIRE_PROGRAMS", "1")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-program"):
        require_program("no-such-program")
