"""One file that is made of a picture: its width, its format and where it is served."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from hyperweb.site._urls import encoded

if TYPE_CHECKING:
    from hyperweb.config._build_settings import ImageSettings
    from hyperweb.images._facts import ImageFacts

# Another way of making variants has other digests.
_METHOD = 1
_ENDINGS = {"avif": "avif", "webp": "webp", "jpeg": "jpg", "png": "png"}
_OWN = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp"}
# The one file of old browsers is about so wide.
_FALLBACK_WIDTH = 1200
# A width so near the picture's own is not worth a file.
_NEAR = 0.9


class Variant(msgspec.Struct, frozen=True):
    """A variant of a picture.

    Attributes:
        source: The picture, relative to the site.
        width: Its width in pixels.
        height: Its height in pixels; 0 is by its proportions, and no wider than it is.
        format: `avif`, `webp`, `jpeg` or `png`.
        quality: How good it is, from 1 to 100.
        effort: How hard the encoder tries, from 0 to 10.
        digest: What names its bytes: a hash of the picture, of all of the above, and of the encoders.
    """

    source: str
    width: int
    height: int
    format: str
    quality: int
    effort: int
    digest: str

    @property
    def url(self) -> str:
        """Where it is served."""
        stem = self.source.partition("/")[2].rpartition(".")[0]
        return f"/assets/{stem}.{self.width}.{self.digest}.{_ENDINGS[self.format]}"

    @property
    def written(self) -> str:
        """Its URL as it stands in a page, in a `srcset` too."""
        return encoded(self.url)

    @property
    def file(self) -> str:
        """Its name in the folder of all variants."""
        return f"{self.digest}.{_ENDINGS[self.format]}"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return f"image/{self.format}"


def variants(
    source: str, facts: ImageFacts, widths: tuple[int, ...], settings: ImageSettings
) -> dict[str, tuple[Variant, ...]]:
    """Returns the variants of a picture by format, those of browsers of today first, and last the one for all others.

    Args:
        source: The picture, relative to the site.
        facts: What is known of it.
        widths: How wide its variants are; none is wider than the picture.
        settings: The formats, and how good they are.
    """
    own = _OWN.get(facts.format, "png" if facts.alpha else "jpeg")
    there = [width for width in sorted(set(widths)) if width <= facts.width * _NEAR]
    there.append(min(facts.width, max(widths)))
    there = sorted(set(there))
    made: dict[str, tuple[Variant, ...]] = {
        form: tuple(_variant(source, facts, width, form, settings) for width in there)
        for form in settings.formats
        if form != own
    }
    narrow = [width for width in there if width <= _FALLBACK_WIDTH] or there[:1]
    made[own] = tuple(
        _variant(source, facts, width, own, settings) for width in (there if own in settings.formats else narrow[-1:])
    )
    return made


def one_variant(source: str, digest: str, width: int, form: str, settings: ImageSettings) -> Variant:
    """Returns a variant of a picture of which nothing is known but what names its bytes.

    Args:
        source: The picture.
        digest: What names its bytes.
        width: How wide it is to be at most.
        form: Its format.
        settings: How good it is.
    """
    return _named(source, digest, (width, 0), form, settings)


def _variant(source: str, facts: ImageFacts, width: int, form: str, settings: ImageSettings) -> Variant:
    height = max(1, round(facts.height * width / facts.width))
    return _named(source, facts.hash, (width, height), form, settings)


def _named(source: str, of: str, size: tuple[int, int], form: str, settings: ImageSettings) -> Variant:
    width, height = size
    chosen = {str(name): value for name, value in settings.quality.items()}
    quality = chosen.get(form, _QUALITY[form])
    said = f"{_METHOD}\0{encoders()}\0{of}\0{width}\0{height}\0{form}\0{quality}\0{settings.effort}"
    digest = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    return Variant(source, width, height, form, quality, settings.effort, digest)


# About as good as each other to the eye.
_QUALITY = {"avif": 60, "webp": 78, "jpeg": 80, "png": 100}


@cache
def encoders() -> str:
    """Returns what names the encoders: others make other bytes."""
    import PIL

    return PIL.__version__
