"""`hyperweb edge`: the edge alone, in front of any HTTP origin."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec
import rich_click as click

from hyperweb.cli._options import certificate, setting
from hyperweb.config._settings import CacheSettings, CompressionSettings, LearningSettings, LogSettings, ServeSettings


@click.command()
@click.option(
    "--origin",
    "origins",
    multiple=True,
    required=True,
    help="Where the origin is: http://HOST[:PORT], https://HOST[:PORT] or unix:PATH. "
    "With several, each request goes to the least busy one.",
)
@click.option(
    "--origin-ca",
    metavar="FILE",
    help="Check origins with https by the authorities in this PEM file [default: those of the system].",
)
@click.option("--origin-name", metavar="HOST", help="The name their certificates are to have [default: their host].")
@click.option("--origin-cert", metavar="FILE", help="Show origins the certificate in this PEM file.")
@click.option("--origin-key", metavar="FILE", help="The PEM file of its private key.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen on.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the edge [default: the processors].")
@click.option(
    "--memory",
    default="auto",
    show_default=True,
    help='What may be kept in memory: a size like "256MB", a share like "25%", or "auto": a tenth.',
)
@click.option(
    "--health-path",
    metavar="PATH",
    help="Ask each origin for this path; one that does not answer below 400 is given no requests [default: only those "
    "that failed are tried, with a connection].",
)
@click.option(
    "--health-interval",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="How often, in seconds.",
)
@click.option(
    "--failures",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Failures in a row after which an origin is left alone.",
)
@click.option(
    "--pause",
    type=click.FloatRange(0.05, 60),
    default=1.0,
    show_default=True,
    help="For how long at first, in seconds; it doubles with each trial that fails, up to 16 times.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="NETWORK",
    help="The address or network of a proxy that sends the PROXY protocol; each connection from there begins with it.",
)
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    metavar="NETWORK",
    help="The address or network of a proxy that is believed about whom a request is from, and the scheme and host it "
    "was for.",
)
@click.option(
    "--trust-field",
    type=click.Choice(["x-forwarded", "forwarded"]),
    default="x-forwarded",
    show_default=True,
    help="What they say it by: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239).",
)
@click.option("--tls-cert", metavar="FILE", help="Speak TLS with the certificate in this PEM file.")
@click.option("--tls-key", metavar="FILE", help="The PEM file of its private key.")
@setting("serve.tls_self_signed", "--tls")
@setting("serve.tls_least")
@setting("serve.http3", "--http3")
@setting("serve.http_port")
@setting("serve.http")
@click.option(
    "--acme-domain",
    "acme_domains",
    multiple=True,
    metavar="HOST",
    help="Fetch a certificate for this host, and renew it, from an authority that speaks ACME.",
)
@setting("acme.agree", "--acme-agree")
@click.option("--acme-contact", "acme_contacts", multiple=True, metavar="mailto:ADDRESS", help="Where it may write to.")
@setting("acme.directory", "--acme-directory")
@setting("acme.root", "--acme-root")
@setting("acme.storage", "--acme-storage")
@setting("acme.challenge", "--acme-challenge")
@setting("acme.retry", "--acme-retry")
@click.option(
    "--hsts",
    type=click.IntRange(0, 63_072_000),
    default=0,
    show_default=True,
    help="How long, in seconds, browsers that came over TLS are told to come by it alone.",
)
@click.option(
    "--compression/--no-compression",
    default=True,
    show_default=True,
    help="Compress what the origins sent as it is, where that is worth while.",
)
@click.option(
    "--compress-private",
    is_flag=True,
    help="Compress also what is for one client: what is not kept, and answers a request with cookies or credentials. "
    "Not where a page shows a secret beside what its address or form said (BREACH).",
)
@click.option(
    "--learning/--no-learning",
    default=True,
    show_default=True,
    help="Learn from the steps of browsers which page mostly comes next, tell browsers of it, and warm the cache with "
    "it.",
)
@click.option(
    "--learning-threshold",
    type=click.FloatRange(0.01, 1),
    default=0.4,
    show_default=True,
    help="How likely a page must be to come next for browsers to be told of it.",
)
@click.option("--access-log", default="", help="The file of the access log, or - for standard output [default: none].")
@click.option(
    "--log-format",
    type=click.Choice(["common", "combined", "json"]),
    default="combined",
    show_default=True,
    help="How a line of it is written.",
)
@click.option(
    "--log-sample",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="The share of requests that have a line in it; those answered with 5xx always have one.",
)
@setting("serve.admin")
@click.option(
    "--admin-token",
    envvar="HYPERWEB_SERVE_ADMIN_TOKEN",
    default="",
    help="What a purge by the method PURGE, and the admin listener, are asked with, of 16 characters at least; best "
    "given in the environment [env: HYPERWEB_SERVE_ADMIN_TOKEN].",
)
@setting("cache.disk")
@setting("cache.redis")
@setting("cache.namespace")
@setting("cache.stale")
@setting("serve.max_body")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="Another limit on what clients may ask.")
@click.option(
    "--tcp", "tcp", multiple=True, metavar="NAME=VALUE", help="How connections are taken: a setting of `[tcp]`."
)
@click.option("--metrics", is_flag=True, help="Count requests, for `hyperweb stats`.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to give to `hyperweb stats` and `hyperweb purge` [default: this folder].",
)
def edge(
    origins: tuple[str, ...],
    *,
    origin_ca: str | None,
    origin_name: str | None,
    origin_cert: str | None,
    origin_key: str | None,
    host: str,
    port: int,
    threads: int | None,
    memory: str,
    health_path: str | None,
    health_interval: float,
    failures: int,
    pause: float,
    proxies: tuple[str, ...],
    trusted: tuple[str, ...],
    trust_field: str,
    tls_cert: str | None,
    tls_key: str | None,
    serve__tls_self_signed: bool | None,
    serve__tls_least: str | None,
    serve__http3: bool | None,
    serve__http_port: int | None,
    serve__http: str | None,
    acme_domains: tuple[str, ...],
    acme__agree: bool | None,
    acme_contacts: tuple[str, ...],
    acme__directory: str | None,
    acme__root: str | None,
    acme__storage: str | None,
    acme__challenge: str | None,
    acme__retry: float | None,
    hsts: int,
    compression: bool,
    compress_private: bool,
    learning: bool,
    learning_threshold: float,
    access_log: str,
    log_format: Literal["common", "combined", "json"],
    log_sample: float,
    serve__admin: str | None,
    admin_token: str,
    cache__disk: str | None,
    cache__redis: str | None,
    cache__namespace: str | None,
    cache__stale: int | None,
    serve__max_body: int | None,
    limits: tuple[str, ...],
    tcp: tuple[str, ...],
    metrics: bool,
    state: Path,
) -> None:
    """Cache what any HTTP/1.1 origin answers (RFC 9111), and pass on what may not be cached."""
    from hyperweb.serve._access import described
    from hyperweb.serve._address import resolved
    from hyperweb.serve._front import Front, Health
    from hyperweb.serve._learning import described_learning
    from hyperweb.serve._limits import edge_limits, read_limits, read_tcp
    from hyperweb.serve._supervisor import cores
    from hyperweb.serve._tiers import memory_limit, tiers
    from hyperweb.serve._tls import read_acme

    if health_path is not None and not re.fullmatch(r"/[!-~]*", health_path):
        raise click.UsageError("--health-path is a path: it begins with / and has no spaces")
    if not re.fullmatch(r"([!-~]{16,})?", admin_token):
        raise click.UsageError("--admin-token has 16 characters at least, and no spaces")
    tls: dict[str, Any] = {
        "host": host,
        "hsts": hsts,
        "tls": [certificate(tls_cert, tls_key)] if tls_cert or tls_key else [],
        "tls_self_signed": bool(serve__tls_self_signed),
        "tls_least": serve__tls_least or "1.2",
        "http3": bool(serve__http3),
        "http_port": serve__http_port or 0,
        "http": serve__http or "redirect",
    }
    if bool(origin_cert) != bool(origin_key):
        raise click.UsageError("--origin-cert and --origin-key belong together: give both")
    acme = {
        "domains": acme_domains or None,
        "agree": acme__agree or None,
        "contact": acme_contacts or None,
        "directory": acme__directory,
        "root": acme__root,
        "storage": acme__storage,
        "challenge": acme__challenge,
        "retry": acme__retry,
    }
    front = Front(
        origins,
        listen=resolved(host, port),
        threads=threads or cores(),
        memory=memory_limit(memory, "`--memory`"),
        tiers=tiers(
            CacheSettings(disk=cache__disk or "", redis=cache__redis or "", namespace=cache__namespace or ""),
            state / ".hyperweb" / "cache",
            "edge",
        ),
        metrics=metrics,
        limits=edge_limits(
            read_limits(limits), ServeSettings().max_body if serve__max_body is None else serve__max_body
        ),
        health=Health(path=health_path, interval=health_interval, failures=failures, pause=pause),
        stale=CacheSettings().stale if cache__stale is None else cache__stale,
        admin=serve__admin or "",
        proxies=proxies,
        trusted={"proxies": trusted, "field": trust_field},
        learning=described_learning(
            LearningSettings(enabled=learning, threshold=learning_threshold), state / ".hyperweb"
        ),
        serve=msgspec.convert(tls, ServeSettings),
        acme=read_acme(acme),
        tcp=read_tcp(tcp),
        origin_tls={
            "authorities": origin_ca,
            "name": origin_name,
            "certificate": (origin_cert, origin_key) if origin_cert else None,
        },
        compression=CompressionSettings(enabled=compression, private=compress_private),
        access=described(LogSettings(access=access_log, format=log_format, sample=log_sample)),
        token=admin_token,
        state=state / ".hyperweb",
    )

    def started(urls: list[str]) -> None:
        click.echo(f"caching {' and '.join(origins)} at " + " ".join(urls))

    sys.exit(front.run(started))
