"""The pictures of a site: what is known of each, which variants it has, and the markup that lets a browser choose."""

from __future__ import annotations

from hyperweb.images._facts import ImageFacts
from hyperweb.images._images import Images
from hyperweb.images._signed import signed_url
from hyperweb.images._variant import Variant

__all__ = ["ImageFacts", "Images", "Variant", "signed_url"]
