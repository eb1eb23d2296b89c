"""The web layer: applications, routes, requests, responses, and what handlers are made of."""

from hyperweb.web.app import App
from hyperweb.web.caching import Cache
from hyperweb.web.errors import (
    BadRequest,
    HTTPError,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PurgeError,
    RouteError,
    UnsafeRedirectError,
    UnsupportedMediaType,
)
from hyperweb.web.failure import RequestInfo
from hyperweb.web.forms import UploadFile
from hyperweb.web.middleware import CallNext, Middleware
from hyperweb.web.params import Body, Cookie, Form, Header, Path, Query
from hyperweb.web.problem import Problem
from hyperweb.web.purge import Purge, purge, purge_sync, set_purge_hook
from hyperweb.web.query import QueryParams
from hyperweb.web.redirect import Redirect, redirect
from hyperweb.web.registry import delete, get, on_shutdown, on_startup, patch, post, provide, put, route
from hyperweb.web.request import Request
from hyperweb.web.response import Created, Response
from hyperweb.web.route import Route
from hyperweb.web.sse import ServerSentEvent, event_stream
from hyperweb.web.template import Template, Templates, render

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
    "MethodNotAllowed",
    "Middleware",
    "NotFound",
    "Path",
    "PayloadTooLarge",
    "Problem",
    "Purge",
    "PurgeError",
    "Query",
    "QueryParams",
    "Redirect",
    "Request",
    "RequestInfo",
    "Response",
    "Route",
    "RouteError",
    "ServerSentEvent",
    "Template",
    "Templates",
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
