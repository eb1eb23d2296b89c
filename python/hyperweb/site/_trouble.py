"""Turns what goes wrong in a template into an error that names the template, the line and the reason."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError

if TYPE_CHECKING:
    from types import TracebackType


def template_error(error: BaseException, root: Path, template: str) -> SiteError:
    """Returns the site's error for what a render raised.

    Args:
        error: What was raised.
        root: The site's folder: only its files are named.
        template: The template that was rendered, for errors that name no line.
    """
    if isinstance(error, SiteError) and error.file is not None:
        return error
    if isinstance(error, jinja2.TemplateSyntaxError):
        file = error.filename or error.name or template
        return _at(file, error.lineno, f"template syntax error: {error.message}", _syntax_hint(error), root)
    file, line = place(error.__traceback__, root) or (template, None)
    if isinstance(error, SiteError):
        return _at(file, line, error.message, error.hint, root)
    if isinstance(error, jinja2.TemplateNotFound):
        message = f"there is no template `{error.name}`" if error.name else "a template is missing"
        return _at(file, line, message, "templates are looked for in templates/", root)
    if isinstance(error, jinja2.UndefinedError):
        return _at(file, line, str(error.message), "check the name, or test it with `is defined` first", root)
    if isinstance(error, RecursionError):
        return _at(file, line, "it calls, includes or extends itself without end", "break the circle", root)
    reason = traceback.format_exception_only(error)[-1].strip()
    return _at(file, line, f"rendering failed: {reason}", _FAILED, root)


_FAILED = "look at the values this line is given: their types, and that they are there"


def _syntax_hint(error: jinja2.TemplateSyntaxError) -> str:
    """Returns what to do about a template that cannot be parsed, by the kinds of faults that are made most."""
    said = error.message or ""
    if "end of template" in said or "end of print statement" in said or "Missing end of" in said:
        return "close what is open: each block, `{{`, `{%`, `{#` and quote has an end of its own"
    if "unknown tag" in said:
        return "close the inner block first, or mend the tag's name"
    if "No filter" in said or "No test" in said:
        return "mend its name; the reference of templates lists those there are"
    return "a value is written `{{ name }}`, a statement `{% if name %}…{% endif %}`"


def place(trace: TracebackType | None, root: Path) -> tuple[str, int] | None:
    """Returns the innermost file of the site and its line in a traceback, or None."""
    found: tuple[str, int] | None = None
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        if name.startswith(str(root)):
            found = (name, line)
    return found


def _at(file: str, line: int | None, message: str, hint: str | None, root: Path) -> SiteError:
    path = Path(file)
    frame = None
    if line is not None and path.is_file():
        frame = source_frame(path.read_text(encoding="utf-8", errors="replace"), line)
    shown = path.relative_to(root.parent) if path.is_relative_to(root) else path
    return SiteError(message, file=shown, line=line, hint=hint, frame=frame)
