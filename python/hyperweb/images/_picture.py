"""The markup of a picture (HTML Standard, section 4.8.1 and on)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperweb.images._facts import ImageFacts
    from hyperweb.images._variant import Variant

# How a picture ends that waits until it is near the window; `first_is_eager` and the Markdown renderer know it too.
LAZY = 'loading="lazy" decoding="async">'
_EAGER = 'fetchpriority="high" decoding="async">'


def picture(
    by_format: Mapping[str, Sequence[Variant]],
    facts: ImageFacts,
    *,
    alt: str,
    sizes: str,
    width: int | None,
    placeholder: str,
    attributes: Mapping[str, str],
    loading: str | None,
) -> str:
    """Returns a picture of which a browser takes the variant that suits it.

    Args:
        by_format: Its variants, the one for all browsers last.
        facts: What is known of it.
        alt: What it shows, in words.
        sizes: How wide it is shown, as the `sizes` attribute says it; unused where `width` is given.
        width: How wide it is shown always, in CSS pixels.
        placeholder: What is shown until it has come: `color`, `blur` or `none`.
        attributes: More attributes of the `<img>`.
        loading: `eager`, `high`, or None to wait until it is near the window, unless it is the page's first.
    """
    *better, (_, last) = by_format.items()
    sources = [
        f'<source type="{found[0].media_type}" srcset="{_srcset(found, width)}"{_sizes(sizes, width)}>'
        for _, found in better
    ]
    fallback = last[-1] if width is None else last[0]
    more = dict(attributes)
    if len(last) > 1:
        more["srcset"] = _srcset(last, width)
        if width is None:
            more["sizes"] = sizes
    shown = (width, max(1, round(facts.height * width / facts.width))) if width else (facts.width, facts.height)
    tag = image(fallback.written, shown, alt=alt, attributes=more, loading=loading, style=_style(facts, placeholder))
    return f"<picture>{''.join(sources)}{tag}</picture>" if sources else tag


def image(
    url: str,
    size: tuple[int, int],
    *,
    alt: str,
    attributes: Mapping[str, str],
    loading: str | None,
    style: str = "",
) -> str:
    """Returns an `<img>`.

    Args:
        url: What it shows, as it stands in a page.
        size: Its width and height in CSS pixels; zero where they are not known.
        alt: What it shows, in words.
        attributes: More attributes.
        loading: As for `picture`.
        style: Its style; that of `attributes` follows it.
    """
    parts = [f'src="{escape(url)}" alt="{escape(alt)}"']
    if all(size):
        parts.append(f'width="{size[0]}" height="{size[1]}"')
    more = dict(attributes)
    if style:
        more["style"] = f"{style};{more['style']}" if "style" in more else style
    parts += [f'{name}="{escape(value)}"' for name, value in more.items()]
    end = {"eager": 'decoding="async">', "high": _EAGER}.get(loading or "", LAZY)
    return f"<img {' '.join(parts)} {end}"


def first_is_eager(page: str) -> str:
    """Returns a page the first picture of which is fetched at once and before others: most often a reader waits for it.

    A page that names one itself, by `fetchpriority`, is left as it is.
    """
    if LAZY not in page or _EAGER in page:
        return page
    return page.replace(LAZY, _EAGER, 1)


def _srcset(found: Sequence[Variant], width: int | None) -> str:
    if width is None:
        return ", ".join(f"{one.written} {one.width}w" for one in found)
    return ", ".join(f"{one.written} {one.width / width:.4g}x" for one in found)


def _sizes(sizes: str, width: int | None) -> str:
    return f' sizes="{escape(sizes)}"' if width is None else ""


def _style(facts: ImageFacts, placeholder: str) -> str:
    if placeholder == "blur" and facts.blur:
        return f"background:{facts.color} url({facts.blur}) 50%/cover no-repeat"
    return f"background:{facts.color}" if placeholder != "none" and facts.color else ""
