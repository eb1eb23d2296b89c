"""Loads a site's handlers.py."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from hyperweb.errors import HyperwebError, source_frame
from hyperweb.site import SiteError
from hyperweb.site._trouble import place

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from hyperweb.web.app import App

_NAME = "hyperweb_site"


def load_handlers(root: Path) -> App | None:
    """Returns the app made of the routes in the site's handlers.py, or None where there is no such file.

    The module is loaded anew at each call, with the site's folder first on the path so that it can import its siblings.

    Raises:
        SiteError: The module cannot be loaded; it names the file, the line and the reason.
    """
    file = root / "handlers.py"
    if not file.is_file():
        if file.exists():
            raise SiteError("this is no regular file", file=file, hint="put a Python module in its place, or remove it")
        return None
    from hyperweb.web.app import App

    forget_modules(root)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    spec = importlib.util.spec_from_file_location(_NAME, file)
    if spec is None or spec.loader is None:
        raise SiteError("cannot be loaded", file=file, hint="its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    try:
        spec.loader.exec_module(module)
        return App.from_module(module)
    except SyntaxError as error:
        hint = "look at what stands here and just before it: something is missing, left open or one too many"
        raise _failed(error.msg, (error.filename or str(file), error.lineno), hint, root) from error
    except ImportError as error:
        where = place(error.__traceback__, root) or (str(file), None)
        hint = "install it beside hyperweb, or mend the name; modules of the site stand beside handlers.py"
        raise _failed(f"{type(error).__name__}: {error}", where, hint, root) from error
    except HyperwebError as error:
        raise handlers_error(error, root) from error
    except Exception as error:
        where = place(error.__traceback__, root) or (str(file), None)
        hint = "the module is run once when it is loaded: mend what this line does then"
        raise _failed(f"{type(error).__name__}: {error}", where, hint, root) from error


def handlers_error(error: HyperwebError, root: Path) -> SiteError:
    """Returns what hyperweb says against the handlers, with the lines of source around it."""
    where = (error.file, error.line) if error.file else place(error.__traceback__, root)
    found = _failed(error.message, where or (str(root / "handlers.py"), None), error.hint, root)
    found.__cause__ = error
    return found


def forget_modules(root: Path) -> None:
    """Lets the next import read the site's own modules anew."""
    for name, module in list(sys.modules.items()):
        if name == _NAME or _is_below(module, root):
            del sys.modules[name]
    importlib.invalidate_caches()


def _is_below(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(f"{root}/") and "site-packages" not in file


def _failed(reason: str, where: tuple[str, int | None], hint: str | None, root: Path) -> SiteError:
    from pathlib import Path

    path, line = Path(where[0]), where[1]
    frame = None
    if line is not None and path.is_file():
        frame = source_frame(path.read_text(encoding="utf-8", errors="replace"), line)
    shown = path.relative_to(root.parent) if path.is_relative_to(root) else path
    return SiteError(f"the handlers cannot be loaded: {reason}", file=shown, line=line, frame=frame, hint=hint)
