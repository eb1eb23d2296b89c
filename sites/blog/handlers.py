"""What of this blog is made when somebody asks: JSON, a page, something slow, and a form."""

from __future__ import annotations

import asyncio
import datetime
import os
import re
import time
from pathlib import Path
from typing import Annotated

import msgspec

from hyperweb import App, NotFound, Request, Response, Template, get, post, redirect, render

HERE = Path(__file__).parent
MESSAGES = HERE / "var" / "messages.jsonl"

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST_NAME, _LONGEST_MESSAGE = 200, 5000


class Post(msgspec.Struct):
    """A post, as the API tells of it."""

    slug: str
    url: str
    title: str
    date: datetime.date
    description: str
    tags: list[str]


class Slow(msgspec.Struct):
    """What the slow one made, when, and in which process."""

    ms: int
    made: str
    pid: int


def all_posts(app: App) -> dict[str, Post]:
    """Returns the posts by slug, newest first: a template lists them, as it would for a page."""
    found = msgspec.json.decode(app.render("api/posts.json", {}), type=list[Post])
    return {post.slug: post for post in found}


@get("/api/posts", cache="10m", tags=["posts"])
async def posts(request: Request) -> list[Post]:
    """Lists the posts."""
    return list(all_posts(request.app).values())


@get("/api/posts/{slug}", cache="10m", tags=["post:{slug}"])
async def one_post(request: Request, slug: str) -> Post:
    """Tells of one post."""
    try:
        return all_posts(request.app)[slug]
    except KeyError:
        raise NotFound(f"there is no post {slug}") from None


@get("/api/slow", cache="30s", tags=["slow"])
async def slow(ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 500) -> Slow:
    """Takes its time, as a slow query would."""
    await asyncio.sleep(ms / 1000)
    return Slow(ms, datetime.datetime.now(tz=datetime.UTC).isoformat(), os.getpid())


@get("/now/")
async def now() -> Template:
    """Shows the time in the layout of the posts."""
    return render("time.html", now=datetime.datetime.now(tz=datetime.UTC), pid=os.getpid())


@post("/contact")
async def contact(request: Request) -> Template | Response:
    """Takes a message: shows the form again with what is wrong, or leads on to the thanks."""
    given = {name: str(values[-1]).strip() for name, values in (await request.form()).items()}
    problems = problems_of(given)
    if problems:
        return Template("contact.html", {"given": given, "problems": problems}, status=422)
    # Only a program fills in the field that people do not see; it is thanked like everybody else.
    if not given.get("website"):
        await asyncio.to_thread(keep, given)
    return redirect("/contact/thanks/")


def problems_of(given: dict[str, str]) -> dict[str, str]:
    """Returns what is wrong with a message, by field."""
    found = {}
    if not given.get("name"):
        found["name"] = "A name is missing: any will do."
    elif len(given["name"]) > _LONGEST_NAME:
        found["name"] = f"That is over {_LONGEST_NAME} characters."
    if not _ADDRESS.fullmatch(given.get("email", "")):
        found["email"] = "This does not look like an address: it needs an @ and a domain."
    if not given.get("message"):
        found["message"] = "There is nothing to read yet."
    elif len(given["message"]) > _LONGEST_MESSAGE:
        found["message"] = f"That is over {_LONGEST_MESSAGE} characters; a mail would be the better place."
    return found


def keep(given: dict[str, str]) -> None:
    """Adds a message to the file, one line of JSON; a line is written whole, also when two come at once."""
    MESSAGES.parent.mkdir(exist_ok=True)
    line = {"at": int(time.time()), **{name: given[name] for name in ("name", "email", "message")}}
    with MESSAGES.open("ab", buffering=0) as file:
        file.write(msgspec.json.encode(line) + b"\n")
