"""How long the edge may keep a handler's response, said in header lines."""

from __future__ import annotations

import msgspec

from hyperweb.web._duration import seconds

_SWR_AT_MOST = 60


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """How a response is kept.

    Browsers are told to ask again each time (`max-age=0`) unless `browser` says otherwise, because a purge reaches the
    edge and not them. For the same reason what is said of stale responses is said to the edge alone, in
    CDN-Cache-Control (RFC 9213): in Cache-Control it would be a browser's leave as well (RFC 5861).

    Attributes:
        ttl: How long the edge answers without asking the handler, in seconds or as `10m`.
        swr: For how long after that the old response may be sent while a new one is made (RFC 5861, section 3).
            None is a tenth of the time to live, a minute at most.
        sie: For how long the old response may be sent when the handler fails (RFC 5861, section 4).
        browser: How long a browser may keep it without asking.
    """

    ttl: str | float
    swr: str | float | None = None
    sie: str | float = 0
    browser: str | float = 0

    def header(self) -> str:
        """Returns the Cache-Control value (RFC 9111, section 5.2.2).

        Raises:
            ValueError: One of the lengths of time cannot be read.
        """
        return f"public, max-age={seconds(self.browser)}, s-maxage={seconds(self.ttl)}"

    def edge_header(self) -> str | None:
        """Returns the CDN-Cache-Control value (RFC 9213), None where it would say no more than `header`.

        A cache that knows the field takes it in place of Cache-Control; the edge sends it to nobody.

        Raises:
            ValueError: One of the lengths of time cannot be read.
        """
        ttl = seconds(self.ttl)
        swr = min(ttl // 10, _SWR_AT_MOST) if self.swr is None else seconds(self.swr)
        graces = {"stale-while-revalidate": swr, "stale-if-error": seconds(self.sie)}
        named = [f"{name}={length}" for name, length in graces.items() if length]
        return ", ".join(["public", f"max-age={ttl}", *named]) if named else None


def as_cache(value: str | float | Cache | None) -> Cache | None:
    """Returns what a route's `cache=` means; a bare length of time is the time to live."""
    if value is None or isinstance(value, Cache):
        return value
    return Cache(ttl=value)
