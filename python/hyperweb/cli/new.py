"""`hyperweb new`: begins a site."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import rich_click as click

from hyperweb.errors import HyperwebError

_FILES = {
    "site.toml": 'title = {title}\nbase_url = ""\nlanguage = "en"\n',
    "templates/base.html": """<!doctype html>
<html lang="{{{{ site.language }}}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{% block title %}}{{{{ site.title }}}}{{% endblock %}}</title>
<link rel="stylesheet" href="{{{{ asset('app.css') }}}}">
<link rel="stylesheet" href="{{{{ asset('hyperweb/highlight.css') }}}}">
</head>
<body>
<header><a href="/">{{{{ site.title }}}}</a></header>
<main id="content">{{% block content %}}{{% endblock %}}</main>
</body>
</html>
""",
    "templates/page.html": """{{% extends "base.html" %}}
{{% block title %}}{{{{ page.title }}}} · {{{{ site.title }}}}{{% endblock %}}
{{% block content %}}
<h1>{{{{ page.title }}}}</h1>
{{{{ page.content }}}}
{{% endblock %}}
""",
    "pages/index.html": """{{% extends "base.html" %}}
{{% block content %}}
<ul>
{{% for post in site.section("posts") %}}
<li><a href="{{{{ post.url }}}}">{{{{ post.title }}}}</a> {{{{ post.date | date("%-d %B %Y") }}}}</li>
{{% endfor %}}
</ul>
{{% endblock %}}
""",
    "pages/404.html": """{{% extends "base.html" %}}
{{% block content %}}<h1>Not here</h1><p><a href="/">Home</a></p>{{% endblock %}}
""",
    "content/posts/hello.md": '+++\ntitle = "Hello"\ndate = {today}\ntags = ["first"]\n+++\n\nThe first post.\n',
    "assets/app.css": "body {{ max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1.1rem/1.6 system-ui }}\n"
    "img {{ max-width: 100%; height: auto }}\n",
    "handlers.py": '''"""What is answered by Python."""

from hyperweb import get


@get("/api/hello/{{name}}", cache="1m")
async def hello(name: str) -> dict[str, str]:
    """Greets."""
    return {{"hello": name}}
''',
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--title", default="My site", help="The name of the site.", show_default=True)
def new(folder: Path, *, title: str) -> None:
    """Begin a site in FOLDER: settings, templates, a page, a post and a handler, ready to be served."""
    if not title:
        raise click.UsageError("a site needs a title")
    if folder.exists() and not folder.is_dir():
        raise HyperwebError(f"{folder} is a file", hint="give the name of a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise HyperwebError(f"the folder {folder} is not empty", hint="give the name of a new one")
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for name, text in _FILES.items():
        file = folder / name
        # A JSON string is a TOML string as well, but for one character that TOML wants escaped.
        quoted = json.dumps(title, ensure_ascii=False).replace("\x7f", "\\u007f")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(title=quoted, today=today), encoding="utf-8")
        except OSError as error:
            raise HyperwebError(f"cannot be written: {error.strerror}", file=file, hint="check the place") from None
    click.echo(f"made {folder}; now: hyperweb serve {folder}")
