"""hyperweb: a folder goes in, a fast site comes out, static pages and Python handlers alike.

    from hyperweb import App, Request, Response, get, post, purge

Names are loaded when they are first used, so that `import hyperweb` costs next to nothing.
"""

from __future__ import annotations

import importlib

# What the typing module calls TYPE_CHECKING; importing that module would take longer than all of this one.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    __version__: str

    from hyperweb.errors import HyperwebError
    from hyperweb.web import (
        App,
        BadRequest,
        Body,
        Cache,
        CallNext,
        Cookie,
        Created,
        Form,
        Header,
        HTTPError,
        HTTPException,
        MethodNotAllowed,
        NotFound,
        Path,
        PayloadTooLarge,
        Purge,
        PurgeError,
        Query,
        QueryParams,
        Redirect,
        Request,
        RequestInfo,
        Response,
        RouteError,
        ServerSentEvent,
        Template,
        UnsafeRedirectError,
        UnsupportedMediaType,
        UploadFile,
        delete,
        event_stream,
        get,
        on_shutdown,
        on_startup,
        patch,
        post,
        provide,
        purge,
        purge_sync,
        put,
        redirect,
        render,
        route,
        set_purge_hook,
    )

__all__ = [
    "App",
    "BadRequest",
    "Body",
    "Cache",
    "CallNext",
    "Cookie",
    "Created",
    "Form",
    "HTTPError",
    "HTTPException",
    "Header",
    "HyperwebError",
    "MethodNotAllowed",
    "NotFound",
    "Path",
    "PayloadTooLarge",
    "Purge",
    "PurgeError",
    "Query",
    "QueryParams",
    "Redirect",
    "Request",
    "RequestInfo",
    "Response",
    "RouteError",
    "ServerSentEvent",
    "Template",
    "UnsafeRedirectError",
    "UnsupportedMediaType",
    "UploadFile",
    "delete",
    "event_stream",
    "get",
    "on_shutdown",
    "on_startup",
    "patch",
    "post",
    "provide",
    "purge",
    "purge_sync",
    "put",
    "redirect",
    "render",
    "route",
    "set_purge_hook",
]

_ELSEWHERE = {"HyperwebError": "hyperweb.errors"}


if not TYPE_CHECKING:  # A type checker that saw this would take every name for one of ours.

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            # The module knows it; asking for the package's metadata takes longer than all else here.
            value = globals()[name] = importlib.import_module("hyperweb._core").__version__
            return value
        if name not in __all__:
            raise AttributeError(f"module 'hyperweb' has no attribute {name!r}")
        module = importlib.import_module(_ELSEWHERE.get(name, "hyperweb.web"))
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
