"""Pictures that come at run time: only what the site signed is made, once, and of nothing outside its folder."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hyperweb.build import BuildErrors, build_site
from hyperweb.config import ConfigError, load_site
from hyperweb.images import signed_url
from hyperweb.images._signed import asked_for
from tests.e2e.site import FILES, Running, make_site, serving
from tests.images.pictures import bomb, photo

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "0123456789abcdef"
SETTINGS = FILES["site.toml"] + f'[images]\neffort = 0\nfolder = "var/pictures"\nsecret = "{SECRET}"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = make_site(tmp_path / "site", **{"site.toml": SETTINGS})
    photo(root / "var/pictures/a/cup.jpg", 120, 80, orientation=6)
    return root


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))


@given(st.text(max_size=30), st.integers(1, 8192), st.sampled_from(["avif", "webp", "jpeg", "png"]))
def test_what_is_signed_is_what_is_asked_for(path: str, width: int, form: str) -> None:
    found = asked_for(SECRET, query(signed_url(SECRET, path, width, form)))  # type: ignore[arg-type]
    assert found is not None
    assert (found.path, found.width, found.format) == (path, width, form)


@given(st.sampled_from(["src", "w", "f", "s", "x"]), st.text(max_size=8))
def test_what_is_changed_is_not_signed(name: str, value: str) -> None:
    good = query(signed_url(SECRET, "a.jpg", 80))
    if good.get(name) != value:
        assert asked_for(SECRET, {**good, name: value}) is None
    assert asked_for("another secret, as long", good) is None
    assert asked_for(SECRET, {key: one for key, one in good.items() if key != name} if name in good else {}) is None


def test_a_width_or_format_that_there_is_not_is_refused() -> None:
    for width in (0, -1, 8193, True):
        with pytest.raises(ValueError, match="the width of a picture"):
            signed_url(SECRET, "a.jpg", width)
    with pytest.raises(ValueError, match="a picture's format"):
        signed_url(SECRET, "a.jpg", 1, "bmp")  # type: ignore[arg-type]


def check_answers(site: Path, server: Running) -> None:
    url = signed_url(SECRET, "a/cup.jpg", 40)
    status, headers, body = server.get(url)
    assert (status, headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(body)) as image:
        assert image.size == (40, 60)
    made = {file.name for file in (site / ".hyperweb/images").iterdir()}
    assert len(made) == 1
    assert server.get(url)[2] == body
    assert {file.name for file in (site / ".hyperweb/images").iterdir()} == made
    # No wider than it is.
    with Image.open(io.BytesIO(server.get(signed_url(SECRET, "a/cup.jpg", 4000, "jpeg"))[2])) as image:
        assert (image.size, image.format) == ((80, 120), "JPEG")
    assert server.get(url.replace("w=40", "w=41"))[0] == 403
    assert server.get(url + "&w=40")[0] == 403
    assert server.get("/_image")[0] == 403


def test_a_picture_is_made_when_it_is_asked_for(site: Path) -> None:
    with serving(site) as server:
        check_answers(site, server)


@pytest.mark.e2e
def test_production_makes_it_too(site: Path) -> None:
    with serving(site, "--prod") as server:
        check_answers(site, server)


def test_what_is_outside_the_folder_or_no_picture_is_not_there(site: Path) -> None:
    photo(site / "var/secret.jpg")
    (site / "var/pictures/link.jpg").symlink_to(site / "var/secret.jpg")
    (site / "var/pictures/text.txt").write_text("x")
    whole = (site / "var/secret.jpg").read_bytes()
    (site / "var/pictures/cut.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    bomb(site / "var/pictures/bomb.png")
    with serving(site) as server:
        for path in (
            "../secret.jpg",
            "link.jpg",
            "text.txt",
            "gone.jpg",
            "",
            "a",
            str(site / "var/secret.jpg"),
            "a\0.jpg",
        ):
            assert server.get(signed_url(SECRET, path, 40))[0] == 404, path
        for path, why in (("cut.jpg", "truncated"), ("bomb.png", "100,000 by 100,000")):
            status, _, body = server.get(signed_url(SECRET, path, 40))
            assert (status, why in body.decode()) == (422, True)
        assert server.get(signed_url(SECRET, "a/cup.jpg", 40))[0] == 200


def test_a_picture_that_was_replaced_is_made_anew(site: Path) -> None:
    with serving(site) as server:
        url = signed_url(SECRET, "a/cup.jpg", 30, "png")
        first = server.get(url)[2]
        photo(site / "var/pictures/a/cup.jpg", 120, 90)
        os.utime(site / "var/pictures/a/cup.jpg", (1, 1))
        assert server.get(url)[2] != first


def test_templates_sign(site: Path) -> None:
    page = FILES["pages/index.html"] + '{% block x %}{{ image_url("a/cup.jpg", 40, "avif") }}{% endblock %}'
    (site / "pages/index.html").write_text(page.replace("{% endblock %}{% block x %}", ""), encoding="utf-8")
    build_site(load_site(site))
    text = (site / "dist/public/index.html").read_text(encoding="utf-8")
    assert signed_url(SECRET, "a/cup.jpg", 40, "avif").replace("&", "&amp;") in text


def test_a_folder_needs_a_secret_and_its_path_is_taken(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = (
        FILES["handlers.py"] + '\n\n@get("/_image")\nasync def mine() -> str:\n    """Says x."""\n    return "x"\n'
    )
    (site / "handlers.py").write_text(handlers, encoding="utf-8")
    with pytest.raises(BuildErrors, match="the path /_image is that of pictures"):
        build_site(load_site(site))
    (site / "site.toml").write_text(SETTINGS.replace(f'secret = "{SECRET}"\n', ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"`images.folder` needs `images.secret`"):
        load_site(site)
    monkeypatch.setenv("HYPERWEB_IMAGES_SECRET", SECRET)
    assert load_site(site).settings.images.secret == SECRET
