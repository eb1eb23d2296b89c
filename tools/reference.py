"""`python -m tools.reference`: writes what the reference pages of the documentation are rendered from.

Commands, settings, front matter, the Python API and the pack format each have one definition in the code; this reads
them there and writes them as JSON into sites/docs/data. With `--check` it writes nothing and exits 1 when a file is
not what it would write. What it writes is the same on every machine and every Python: signatures are read from the
source, and nothing names a path or an address.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

import hyperweb
import hyperweb.cache
import hyperweb.testing
from hyperweb.cli._group import cli
from hyperweb.config import Settings
from hyperweb.site._front_matter import FrontMatter
from hyperweb.site._page import Heading, Page
from hyperweb.site._site import Site, Tag
from hyperweb.web.route import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "sites" / "docs" / "data"
STUB = ROOT / "python" / "hyperweb" / "_core.pyi"

Json = dict[str, Any]
Function = ast.FunctionDef | ast.AsyncFunctionDef

_SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")
_WORDS: dict[Any, str] = {
    str: "text",
    int: "number",
    bool: "true or false",
    type(None): "nothing",
    Any: "anything",
}
# What templates see of these classes is what their properties say, and these methods.
_FOR_TEMPLATES = {Page: frozenset[str](), Site: frozenset({"section", "page"}), Tag: frozenset[str](), Heading: None}
_INTERNAL = frozenset({"meta"})
_NO_BASES = frozenset({"Exception", "Generic", "TypedDict", "msgspec.Struct"})
_RUST_DOCS = {
    "file": "rust/pack/src/format.rs",
    "entry": "rust/pack/src/entry.rs",
    "router": "rust/router/src/flat.rs",
}


# ---- commands ------------------------------------------------------------------------------------------------------


def commands() -> list[Json]:
    """Returns the commands with their arguments and options, in the order of `hyperweb --help`."""
    found = []
    group = click.Context(cli, info_name="hyperweb")
    for name in cli.list_commands(group):
        command = cli.get_command(group, name)
        if command is None:
            continue
        context = click.Context(command, info_name=name, parent=group)
        summary, _, more = inspect.cleandoc(command.help or "").partition("\n\n")
        found.append(
            {
                "name": name,
                "usage": " ".join(["hyperweb", name, *command.collect_usage_pieces(context)]),
                "summary": _line(summary),
                "more": [_line(part) for part in more.split("\n\n") if part],
                "arguments": [_argument(each) for each in command.params if isinstance(each, click.Argument)],
                "options": [_option(each) for each in command.params if isinstance(each, click.Option)],
            }
        )
    return found


def _argument(argument: click.Argument) -> Json:
    return {
        "name": (argument.name or "").upper(),
        "type": argument.type.name,
        "required": argument.required,
        "many": argument.nargs == -1,
    }


def _option(option: click.Option) -> Json:
    setting = (option.name or "").replace("__", ".")
    about = re.sub(r"\s*\[default: .*\]$", "", option.help or "")
    default = option.default if isinstance(option.default, str | int) and not option.is_flag else None
    return {
        "flags": [*option.opts, *option.secondary_opts],
        "type": "" if option.is_flag else option.type.name,
        "default": default,
        "many": option.multiple,
        "help": about,
        "setting": setting if "." in setting else None,
    }


def _line(text: str) -> str:
    return " ".join(text.split())


# ---- settings and front matter -------------------------------------------------------------------------------------


def settings() -> list[Json]:
    """Returns the tables of site.toml with their keys; the first is the top of the file."""
    flags: dict[str, list[Json]] = {}
    for command in commands():
        for option in command["options"]:
            if option["setting"] is not None:
                flags.setdefault(option["setting"], []).append({"command": command["name"], "flag": option["flags"][0]})
    return list(_tables(Settings, "", flags))


def _tables(struct: type[msgspec.Struct], prefix: str, flags: dict[str, list[Json]]) -> Iterator[Json]:
    below: list[tuple[str, type[msgspec.Struct]]] = []
    keys = []
    for field in msgspec.structs.fields(struct):
        name = f"{prefix}{field.name}"
        inner = _struct_of(field.type)
        if inner is not None:
            below.append((name, inner))
        if inner is None or inner is not field.type:
            scalar = inner is None and not _type(field.type).startswith(("a list", "a table"))
            keys.append(
                {
                    **_key(field),
                    "name": name,
                    "environment": f"HYPERWEB_{name.upper().replace('.', '_')}" if scalar else None,
                    "flags": flags.get(name, []),
                }
            )
    yield {"table": prefix.rstrip("."), "doc": inspect.getdoc(struct) or "", "keys": keys}
    for name, inner in below:
        yield from _tables(inner, f"{name}.", flags)


def front_matter() -> list[Json]:
    """Returns the keys of front matter that hyperweb gives a meaning to."""
    return [_key(field) for field in msgspec.structs.fields(FrontMatter)]


def _key(field: msgspec.structs.FieldInfo) -> Json:
    meta = next(
        (one for one in getattr(field.type, "__metadata__", ()) if isinstance(one, msgspec.Meta)), msgspec.Meta()
    )
    default = None if field.required else field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return {
        "name": field.name,
        "type": _type(field.type),
        "required": field.required,
        "default": msgspec.to_builtins(default),
        "unit": (meta.extra or {}).get("unit"),
        "least": meta.ge,
        "most": meta.le,
        "doc": meta.description or "",
    }


def _struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    """Returns the structure of a table, or of a list of tables."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _struct_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is tuple:
        return _struct_of(typing.get_args(annotation)[0])
    return annotation if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) else None


def _type(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_type(each) for each in inner if each is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin is tuple:
        return f"a list of {'tables' if _struct_of(inner[0]) else _type(inner[0]) + 's'}"
    if origin is dict:
        return "a table" if inner[1] is Any else f"a table of {_type(inner[1])}s"
    return _WORDS.get(annotation) or str(annotation.__name__)


# ---- the Python API ------------------------------------------------------------------------------------------------


def api() -> Json:
    """Returns what the public modules offer, and what templates see."""
    return {
        "hyperweb": [_name(hyperweb, name) for name in sorted(hyperweb.__all__, key=str.lower)],
        "cache": [_name(hyperweb.cache, name) for name in sorted(hyperweb.cache.__all__, key=str.lower)],
        "testing": [_name(hyperweb.testing, name) for name in sorted(hyperweb.testing.__all__, key=str.lower)],
        "options": _class(Options, "Options"),
        "templates": [_seen(each, methods) for each, methods in _FOR_TEMPLATES.items()],
    }


def _name(module: types.ModuleType, name: str) -> Json:
    found = getattr(module, name)
    if getattr(found, "__name__", None) != name:
        return _alias(module, name)
    if inspect.isclass(found):
        return _class(found, name)
    bare = inspect.unwrap(found)
    return {"name": name, "kind": "function", **_function(_parse(bare), is_method=False)}


def _alias(module: types.ModuleType, name: str) -> Json:
    """Returns a name that stands for something else, with the text that follows its definition."""
    for path in sorted(path for path in sys.modules if path.startswith(f"{module.__name__}.web.")):
        body = ast.parse(inspect.getsource(sys.modules[path])).body
        for at, node in enumerate(body):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
                after = body[at + 1] if at + 1 < len(body) else None
                text = (
                    after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
                )
                return {"name": name, "kind": "alias", "value": ast.unparse(node.value), "doc": _paragraphs(str(text))}
    raise LookupError(f"{name} is defined nowhere in {module.__name__}")


def _class(found: type, name: str) -> Json:
    node = _parse(found)
    if not isinstance(node, ast.ClassDef):
        raise TypeError(f"{name} is no class")
    doc = _docstring(node)
    methods, properties = [], []
    described: Json = {"signature": _fields(node), "args": [], "raises": []}
    maker = _maker(node)
    if maker is not None:
        described = _function(maker, is_method=True, args=doc["args"])
    for each in _members(node):
        if each.name.startswith("_"):
            continue
        if "property" in map(ast.unparse, each.decorator_list):
            shown = _docstring(each)
            properties.append({"name": each.name, "type": _annotation(each.returns), "doc": shown["doc"]})
        else:
            methods.append({"name": each.name, **_function(each, is_method=True)})
    return {
        "name": name,
        "kind": "exception" if issubclass(found, BaseException) else "class",
        "bases": [base for base in map(ast.unparse, node.bases) if _is_public(base)],
        "signature": described["signature"],
        "doc": doc["doc"],
        "args": described["args"],
        "raises": described["raises"] or doc["raises"],
        "attributes": _typed(doc["attributes"], node),
        "properties": properties,
        "methods": methods,
    }


def _maker(node: ast.ClassDef) -> Function | None:
    """Returns the method that says what a class is made with; one that takes anything says nothing."""
    made = [each for each in node.body if isinstance(each, Function) and each.name in {"__init__", "__new__"}]
    named = [each for each in made if len([*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs]) > 1]
    return max(named, key=lambda each: len(each.args.kwonlyargs), default=next(iter(made), None))


def _members(node: ast.ClassDef) -> Iterator[Function]:
    """Yields the methods of a class, and after them those it has from a class of the Rust module."""
    own = [
        each
        for each in node.body
        if isinstance(each, Function) and "overload" not in map(ast.unparse, each.decorator_list)
    ]
    yield from own
    above = {base.removeprefix("_core.") for base in map(ast.unparse, node.bases) if base.startswith("_core.")}
    if above:
        for core in ast.parse(STUB.read_text(encoding="utf-8")).body:
            if isinstance(core, ast.ClassDef) and core.name in above:
                known = {each.name for each in own}
                yield from (each for each in core.body if isinstance(each, Function) and each.name not in known)


def _is_public(base: str) -> bool:
    return base.partition("[")[0] not in _NO_BASES and not base.startswith("_core.")


def _seen(found: type, methods: frozenset[str] | None) -> Json:
    """Returns what templates see of an object: its properties, its attributes and the methods that are for them."""
    node = _parse(found)
    if not isinstance(node, ast.ClassDef):
        raise TypeError(f"{found} is no class")
    made = _class(found, found.__name__)
    properties = [each for each in made["properties"] if each["name"] not in _INTERNAL]
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    if methods is None:
        properties = [
            {"name": ast.unparse(each.target), "type": _annotation(each.annotation), "doc": []} for each in fields
        ]
    return {
        "name": found.__name__,
        "doc": made["doc"],
        "properties": properties,
        "methods": [each for each in made["methods"] if each["name"] in (methods or ())],
    }


def _parse(found: Any) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]


def _function(node: ast.stmt, *, is_method: bool, args: list[Json] | None = None) -> Json:
    if not isinstance(node, Function):
        raise TypeError(f"this is no function: {ast.unparse(node)[:80]}")
    doc = _docstring(node)
    arguments = node.args
    is_static = "staticmethod" in map(ast.unparse, node.decorator_list)
    if is_method and not is_static:
        first = arguments.posonlyargs or arguments.args
        del first[0]
    defaults = _defaults(arguments)
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {
        "async": isinstance(node, ast.AsyncFunctionDef),
        "signature": _signature(arguments),
        "returns": _annotation(node.returns),
        "doc": doc["doc"],
        "args": [
            {
                "name": each["name"],
                "type": next((_annotation(one.annotation) for one in every if one.arg == each["name"]), ""),
                "default": defaults.get(each["name"]),
                "doc": each["doc"],
            }
            for each in args or doc["args"]
        ],
        "raises": doc["raises"],
    }


def _signature(arguments: ast.arguments) -> str:
    defaults = _defaults(arguments)

    def show(one: ast.arg, stars: str = "") -> str:
        annotation = f": {ast.unparse(one.annotation)}" if one.annotation is not None else ""
        default = f" = {defaults[one.arg]}" if one.arg in defaults else ""
        return f"{stars}{one.arg}{annotation}{default}"

    shown = [show(one) for one in arguments.posonlyargs]
    if shown:
        shown.append("/")
    shown += [show(one) for one in arguments.args]
    if arguments.vararg is not None:
        shown.append(show(arguments.vararg, "*"))
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [show(one) for one in arguments.kwonlyargs]
    if arguments.kwarg is not None:
        shown.append(show(arguments.kwarg, "**"))
    return f"({', '.join(shown)})"


def _defaults(arguments: ast.arguments) -> dict[str, str]:
    given = [*arguments.posonlyargs, *arguments.args]
    found = dict(
        zip([one.arg for one in given[len(given) - len(arguments.defaults) :]], arguments.defaults, strict=True)
    )
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found |= {one.arg: default for one, default in named if default is not None}
    return {name: ast.unparse(default) for name, default in found.items()}


def _fields(node: ast.ClassDef) -> str:
    """Returns the signature of a structure, which its fields make."""
    if "msgspec.Struct" not in map(ast.unparse, node.bases):
        return ""
    fields = [ast.unparse(each) for each in node.body if isinstance(each, ast.AnnAssign)]
    if any(each.arg == "kw_only" for each in node.keywords) and fields:
        fields.insert(0, "*")
    return f"({', '.join(fields)})"


def _typed(attributes: list[Json], node: ast.ClassDef) -> list[Json]:
    known = {
        ast.unparse(each.target): (
            _annotation(each.annotation),
            None if each.value is None else ast.unparse(each.value),
        )
        for each in node.body
        if isinstance(each, ast.AnnAssign)
    }
    return [
        {
            "name": each["name"],
            "type": known.get(each["name"], ("", None))[0],
            "default": known.get(each["name"], ("", None))[1],
            "doc": each["doc"],
        }
        for each in attributes
    ]


def _annotation(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


# ---- docstrings ----------------------------------------------------------------------------------------------------


def _docstring(node: ast.ClassDef | Function) -> Json:
    """Returns a Google docstring taken apart: its paragraphs, and the names each section explains."""
    found: Json = {"doc": [], "args": [], "attributes": [], "raises": []}
    text = ast.get_docstring(node) or ""
    before, *rest = re.split(rf"^({'|'.join(_SECTIONS)}):\n", text, flags=re.MULTILINE)
    found["doc"] = _paragraphs(before)
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        inside = re.match(r"(?:    .*\n?|\n)*", body)
        found.setdefault(title.lower(), []).extend(_named(inside[0] if inside else ""))
        found["doc"] += _paragraphs(body[len(inside[0]) if inside else 0 :])
    return found


def _named(body: str) -> list[Json]:
    items: list[Json] = []
    for line in textwrap.dedent(body).splitlines():
        head = re.match(r"(?P<name>\*{0,2}[A-Za-z_][\w.]*): (?P<text>.*)", line)
        if head:
            items.append({"name": head["name"], "doc": head["text"]})
        elif line.strip() and items:
            items[-1]["doc"] += " " + line.strip()
    return items


def _paragraphs(text: str) -> list[str]:
    return [_line(part) for part in text.strip().split("\n\n") if part.strip()]


# ---- the pack format -----------------------------------------------------------------------------------------------


def pack() -> Json:
    """Returns what the Rust modules that define the formats say of them, as Markdown."""
    return {name: _module_doc((ROOT / path).read_text(encoding="utf-8")) for name, path in _RUST_DOCS.items()}


def _module_doc(source: str) -> str:
    lines = [line[4:] for line in source.splitlines() if line.startswith("//!")]
    return re.sub(r"\[(`[^`]+`)\]\(crate::[^)]*\)", r"\1", "\n".join(lines)).strip()


# ---- writing -------------------------------------------------------------------------------------------------------


def files() -> dict[str, bytes]:
    """Returns the files by name, as they should be."""
    made = {
        "commands.json": commands(),
        "settings.json": settings(),
        "front_matter.json": front_matter(),
        "api.json": api(),
        "pack.json": pack(),
    }
    return {name: msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n" for name, value in made.items()}


def main(arguments: list[str]) -> int:
    """Writes the files, or compares them. Returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tools.reference [--check]\n")
        return 2
    stale = 0
    for name, wanted in files().items():
        file = OUT / name
        if file.is_file() and file.read_bytes() == wanted:
            continue
        stale += 1
        if arguments:
            sys.stderr.write(f"{file.relative_to(ROOT)} is not current; run python -m tools.reference\n")
        else:
            OUT.mkdir(parents=True, exist_ok=True)
            file.write_bytes(wanted)
            sys.stdout.write(f"wrote {file.relative_to(ROOT)}\n")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
