"""All pictures of a site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hyperweb.images._facts import RASTER, VECTOR, ImageFacts, read_facts
from hyperweb.images._picture import image, picture
from hyperweb.images._variant import Variant, variants
from hyperweb.site._errors import SiteError
from hyperweb.site._node import Node
from hyperweb.site._record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from hyperweb.config._build_settings import ImageSettings

_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_-]*")
# Shown this wide always, a picture has so many pixels for each of CSS.
_DENSITIES = (1, 2)
_PREFIX = "image:"


class Images:
    """The pictures of a site, and the variants that pages asked for.

    Args:
        root: The site's folder.
        settings: What is made of them.
        kept: What an earlier build knew of each, by path.
        url_of: Returns where a source file is served as it is.

    Attributes:
        made: The variants that were asked for, by URL.
        is_there: Whether a variant is served, for those who cannot make one; without, all are.
    """

    def __init__(
        self, root: Path, settings: ImageSettings, kept: dict[str, ImageFacts], url_of: Callable[[str], str]
    ) -> None:
        self._root = root
        self._settings = settings
        self._url_of = url_of
        self._files: Mapping[str, str] = {}
        self.kept = kept
        self.made: dict[str, Variant] = {}
        self.is_there: Callable[[str], bool] | None = None

    def update(self, files: Mapping[str, str]) -> None:
        """Takes the site's files (path → hash), and forgets what is known of those that changed."""
        # A page that is shown already may ask for its pictures after another file was edited.
        before = self._files
        self.made = {url: one for url, one in self.made.items() if files.get(one.source) == before.get(one.source)}
        self._files = files
        for path in [path for path, facts in self.kept.items() if files.get(path) != facts.hash]:
            del self.kept[path]

    def find(self, name: str) -> str:
        """Returns the source file that a template means: in assets/, or a path relative to the site, or a URL path.

        Raises:
            SiteError: There is none.
        """
        bare = name.lstrip("/")
        candidates = [f"assets/{bare}", bare, f"static/{bare}", f"content/{bare}"]
        found = next((path for path in candidates if path in self._files), None)
        if found is None:
            import difflib

            there = [path.removeprefix("assets/") for path in self._files if is_image(path)]
            near = difflib.get_close_matches(bare, there, n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else "put it into assets/"
            raise SiteError(f"there is no picture `{name}`", hint=hint)
        return found

    def facts(self, path: str) -> ImageFacts:
        """Returns what is known of a picture; it is read if it was not."""
        known = self.kept.get(path)
        if known is None:
            digest = self._files.get(path, "")
            known = self.kept[path] = read_facts(self._root / path, digest, self._settings.max_pixels)
        return known

    def unread(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Returns those pictures, with their hashes, of which nothing is known yet."""
        return [(path, self._files[path]) for path in paths if path in self._files and path not in self.kept]

    def markup(
        self,
        path: str,
        *,
        alt: str,
        sizes: str | None = None,
        widths: Iterable[int] | None = None,
        width: int | None = None,
        loading: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> str:
        """Returns the markup of a picture, and notes which variants it needs.

        Args:
            path: The picture, relative to the site.
            alt: What it shows, in words.
            sizes: How wide it is shown, as the `sizes` attribute says it; the site's, if not given.
            widths: How wide its variants are, in pixels; the site's, if not given.
            width: How wide it is shown always, in CSS pixels.
            loading: `eager`, `high`, or None to wait until it is near the window, unless it is the page's first.
            attributes: More attributes of the `<img>`.

        Raises:
            SiteError: A width or the name of an attribute is none.
        """
        wanted = self._widths(widths, width)
        record(f"{_PREFIX}{','.join(map(str, wanted))}:{path}")
        facts = self.facts(path)
        more = dict(attributes or {})
        for name in more:
            if not _ATTRIBUTE.fullmatch(name):
                raise SiteError(f"`{name}` is no name of an attribute", hint="write it in lower case")
        if facts.kind == "photo":
            found = variants(path, facts, wanted, self._settings)
            if all(self._is_served(one) for form in found.values() for one in form):
                self.made.update((one.url, one) for form in found.values() for one in form)
                placeholder = self._settings.placeholder
                return picture(
                    found,
                    facts,
                    alt=alt,
                    sizes=sizes or self._settings.sizes,
                    width=width,
                    placeholder=placeholder,
                    attributes=more,
                    loading=loading,
                )
        size = (facts.width, facts.height)
        if width and all(size):
            size = (width, max(1, round(facts.height * width / facts.width)))
        return image(self._url_of(path), size, alt=alt, attributes=more, loading=loading)

    def needed(self, dependencies: Iterable[str]) -> dict[str, Variant]:
        """Returns the variants that responses with these dependencies show, by URL."""
        found: dict[str, Variant] = {}
        for widths, path in _pictures(dependencies):
            facts = self.facts(path)
            if facts.kind == "photo":
                for form in variants(path, facts, widths, self._settings).values():
                    found.update((one.url, one) for one in form)
        return found

    def troubles(self, dependencies: Iterable[str]) -> Iterator[SiteError]:
        """Yields an error for each picture among these dependencies that cannot be used."""
        for path in dict.fromkeys(path for _, path in _pictures(dependencies)):
            trouble = self.facts(path).trouble
            if trouble:
                yield SiteError(
                    f"the picture cannot be used: {trouble}",
                    file=f"{self._root.name}/{path}",
                    hint="it is served as it is, without variants: save it anew, or raise `images.max_pixels`",
                )

    def _widths(self, widths: Iterable[int] | None, width: int | None) -> tuple[int, ...]:
        wanted = tuple(widths or ()) or self._settings.widths
        if width is not None:
            wanted = tuple(density * width for density in _DENSITIES)
        # A template may hand over anything.
        if any(type(one) is not int or one <= 0 for one in wanted):
            raise SiteError("the width of a picture is a number of pixels", hint="write `width=300` or `widths=[300]`")
        return wanted

    def _is_served(self, variant: Variant) -> bool:
        return self.is_there is None or self.is_there(variant.url)


def is_image(path: str) -> bool:
    """Whether a file is a picture, by its ending."""
    return path.lower().endswith((*RASTER, VECTOR))


def is_raster(path: str) -> bool:
    """Whether a file is a picture made of pixels, by its ending."""
    return path.lower().endswith(RASTER)


def variant_node(variant: Variant) -> Node:
    """Returns the response of a variant."""
    return Node(url=variant.url, kind="asset", source=variant.source, target="")


def picture_dependencies(dependencies: Iterable[str]) -> set[str]:
    """Returns those dependencies that are pictures."""
    return {one for one in dependencies if one.startswith(_PREFIX)}


def _pictures(dependencies: Iterable[str]) -> Iterator[tuple[tuple[int, ...], str]]:
    for one in sorted(picture_dependencies(dependencies)):
        widths, _, path = one.removeprefix(_PREFIX).partition(":")
        yield tuple(int(width) for width in widths.split(",")), path
