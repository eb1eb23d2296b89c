"""Links to other sites: asked for when that is wanted, a few at a time, and never more often than they must be."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from hyperweb import __version__
from hyperweb.check._fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hyperweb.config._build_settings import CheckSettings

_AGENT = f"hyperweb-check/{__version__}"
# A host is asked for so many pages at a time: a check is no load test.
_EACH_HOST = 2
_GONE = frozenset({404, 410})
# Said to programs, and not to readers: a link that is answered so may well be good.
_SHY = frozenset({401, 403, 405, 406, 429, 451, 999})
_FIRST_ERROR = 400
_NO_PAGE = "no host of that name"


class Answer(NamedTuple):
    """What came of asking for a link: good, gone, or neither for sure, and why."""

    state: Literal["good", "gone", "doubt"]
    reason: str = ""


class External:
    """The links to other sites.

    Args:
        settings: How many are asked for, and how long each may take.
        progress: Told how far it is.

    Attributes:
        asked: How many were asked for.
        unasked: How many were not.
    """

    def __init__(self, settings: CheckSettings, progress: Callable[[str, int, int], None] | None = None) -> None:
        self._settings = settings
        self._progress = progress
        self._hosts: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(_EACH_HOST))
        self.asked = 0
        self.unasked = 0

    def faults(self, links: Mapping[str, list[tuple[str, int]]]) -> Iterator[Fault]:
        """Asks for each link once, and yields what is wrong with them on every page.

        Args:
            links: For each URL the pages that have it, and which of their references it is.
        """
        urls = list(links)[: self._settings.external_limit]
        self.asked, self.unasked = len(urls), len(links) - len(urls)
        # Made before threads ask for them: two that made one for a host at once would not wait for each other.
        for url in urls:
            self._hosts[urlsplit(url).netloc]
        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            for done, (url, answer) in enumerate(zip(urls, pool.map(self._ask, urls), strict=True), start=1):
                if self._progress is not None:
                    self._progress("other sites", done, len(urls))
                if answer.state == "good":
                    continue
                rule = "external-link" if answer.state == "gone" else "external-doubt"
                hint = "mend it or take it out" if answer.state == "gone" else "look at it in a browser"
                for page, index in links[url]:
                    message = f"the link {url} to another site: {answer.reason}"
                    yield Fault(rule, message, hint, page, "references", index)

    def _ask(self, url: str) -> Answer:
        with self._hosts[urlsplit(url).netloc]:
            answer = self._request(url, "HEAD")
            # Many hosts answer HEAD otherwise than GET (RFC 9110, section 9.3.2 notwithstanding).
            return answer if answer.state == "good" else self._request(url, "GET")

    def _request(self, url: str, method: str) -> Answer:
        headers = {"user-agent": _AGENT, "accept": "*/*"}
        try:
            request = urllib.request.Request(quote(url, safe="/%?#[]@!$&'()*+,;=:~"), method=method, headers=headers)  # noqa: S310 - http and https only
            with urllib.request.urlopen(request, timeout=self._settings.timeout) as response:  # noqa: S310 - as above
                return _judged(response.status)
        except urllib.error.HTTPError as error:
            return _judged(error.code)
        except urllib.error.URLError as error:
            reason = str(getattr(error.reason, "strerror", None) or error.reason)
            return Answer(
                "gone" if _is_unknown(error.reason) else "doubt", _NO_PAGE if _is_unknown(error.reason) else reason
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer("doubt", str(error) or type(error).__name__)


def _judged(status: int) -> Answer:
    if status < _FIRST_ERROR:
        return Answer("good")
    reason = f"it is answered with {status}"
    if status in _GONE:
        return Answer("gone", reason)
    return Answer("doubt", reason + (", which may be meant for programs only" if status in _SHY else ""))


def _is_unknown(reason: object) -> bool:
    import socket

    return isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_NONAME
