"""Every setting of a site: its name, type, unit, default and meaning, said once.

`--help`, the reference page of the documentation and the error messages are made from these definitions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from hyperweb.config._build_settings import BuildSettings, CheckSettings, CssSettings, ImageSettings, MinifySettings
from hyperweb.config._section import Section, said

# A length of time: `90`, `30s`, `10m`, `1h30m`.
DURATION = r"^([0-9]{1,9}|([0-9]{1,9}[smhdw])+)\Z"
_DURATION = Annotated[str, Meta(pattern=DURATION)] | Annotated[int, Meta(ge=0)] | None
# A field name and a field value (RFC 9110, section 5.1 and 5.5).
_FIELD_NAME = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")]
_FIELD_VALUE = Annotated[str, Meta(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*\Z")]
_OLD_PATH = Annotated[str, Meta(pattern=r"^(?!(.*/)?\.{1,2}(/|\Z))/[^?#\\\x00-\x1f\x7f]*\Z")]
_TARGET = Annotated[str, Meta(pattern=r"^(/|https?://)[^\x00-\x20\x7f]*\Z")]


class CacheSettings(Section, frozen=True):
    """What is kept of responses that Python made."""

    memory: Annotated[
        str | int,
        said(
            "The memory the cache may use: a size like `256MB`, or a share like `25%` of what the machine or the "
            "control group has, which is followed; `auto` is a tenth."
        ),
    ] = "auto"
    disk: Annotated[
        str | int,
        said(
            "What may be kept on disk too, in `.hyperweb/cache`, so that it outlives the server: a size like `1GB`, or "
            "nothing."
        ),
    ] = ""
    redis: Annotated[
        str,
        said(
            "A Redis or Valkey server that machines share what they keep by, and tell each other of purges: "
            "`redis://[USER:PASSWORD@]HOST[:PORT][/DB]` or `unix:///PATH`, or nothing.",
            pattern=r"^((redis|unix)://\S+)?\Z",
        ),
    ] = ""
    namespace: Annotated[
        str,
        said(
            "What keys on that server begin with; machines with one cache have the same. By default the site's name.",
            pattern=r"^[!-~]{0,200}\Z",
        ),
    ] = ""
    stale: Annotated[
        int,
        said(
            "How long what is stale is still used when nobody can be asked for it: all workers or origins are gone.",
            unit="seconds",
            ge=0,
            le=31_536_000,
        ),
    ] = 86_400


class CertificateSettings(Section, frozen=True):
    """A certificate for HTTPS, with its key; the first is used for hosts that none is for."""

    cert: Annotated[
        str, said("The PEM file of the certificate, followed by those that lead to its issuer.", min_length=1)
    ]
    key: Annotated[str, said("The PEM file of its private key, not encrypted.", min_length=1)]
    hosts: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^(\*\.)?[0-9A-Za-z._-]+\Z")], ...],
        said("The hosts it is used for, `*.example.org` for one label; empty is those that it names itself."),
    ] = ()
    ocsp: Annotated[str, said("A file with an OCSP response to staple, in DER; read anew when it changes.")] = ""


class AcmeSettings(Section, frozen=True):
    """Certificates that the edge fetches and renews by itself, from an authority that speaks ACME."""

    domains: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+\Z")], ...],
        said("The hosts that certificates are fetched for, one for each; empty fetches none."),
    ] = ()
    agree: Annotated[
        bool, said("Whether you agree to the terms of service of the authority; nothing is fetched else.")
    ] = False
    contact: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^mailto:[!-~]+@[!-~]+\Z")], ...],
        said("Where the authority may write to: `mailto:you@example.org`."),
    ] = ()
    directory: Annotated[
        str,
        said("The directory of the authority; by default Let's Encrypt.", pattern=r"^https://[!-~]+\Z"),
    ] = "https://acme-v02.api.letsencrypt.org/directory"
    root: Annotated[
        str,
        said("A PEM file that the directory's own certificate is checked by, in place of the system's authorities."),
    ] = ""
    storage: Annotated[
        str,
        said("The folder that the account and the certificates are kept in; empty is `.hyperweb/acme`. Keep it."),
    ] = ""
    challenge: Annotated[
        Literal["auto", "http-01", "tls-alpn-01"],
        said(
            "How it is proved that a host is served here: over plain HTTP on port 80, or in a handshake on port 443; "
            "`auto` is the first where there is `serve.http_port`."
        ),
    ] = "auto"
    retry: Annotated[
        float,
        said(
            "The pause after a failure; it doubles with each in a row, up to twelve hours.",
            unit="seconds",
            gt=0,
            le=43_200,
        ),
    ] = 60.0


class ServeSettings(Section, frozen=True):
    """How the site is served."""

    host: Annotated[str, said("The address to listen on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, said("The port to listen on; 0 takes any that is free.", ge=0, le=65535)] = 8000
    workers: Annotated[
        int, said("Python worker processes at least; 0 is one for each core, none where no page needs one.", ge=0)
    ] = 0
    workers_max: Annotated[
        int, said("Python worker processes at most, reached when requests queue; 0 is the same as workers.", ge=0)
    ] = 0
    worker_age: Annotated[int, said("A worker is replaced at this age; 0 is never.", unit="seconds", ge=0)] = 0
    worker_memory: Annotated[
        int, said("A worker is replaced when its resident memory passes this; 0 is never.", unit="MB", ge=0)
    ] = 0
    edge_threads: Annotated[
        int, said("Threads of the edge; 0 is one for each core.", unit="threads", ge=0, le=1024)
    ] = 0
    tls: Annotated[
        tuple[CertificateSettings, ...],
        said("Certificates for HTTPS: with one, `serve.port` speaks TLS, with HTTP/2 and HTTP/1.1."),
    ] = ()
    tls_self_signed: Annotated[
        bool, said("Speak TLS with a certificate made here, which no browser trusts: for development.")
    ] = False
    tls_least: Annotated[Literal["1.2", "1.3"], said("The least version of TLS that is spoken.")] = "1.2"
    http3: Annotated[
        bool,
        said("Speak HTTP/3 too, by UDP on the port of TLS, and tell browsers so (`Alt-Svc`)."),
    ] = False
    hsts: Annotated[
        int,
        said(
            "How long browsers that came over TLS are told to come by it alone (`Strict-Transport-Security`); 0 does "
            "not tell them. Never said with a certificate made here.",
            unit="seconds",
            ge=0,
            le=63_072_000,
        ),
    ] = 31_536_000
    http_port: Annotated[
        int, said("With TLS: a port that speaks HTTP without it, such as 80; 0 is none.", ge=0, le=65535)
    ] = 0
    http: Annotated[
        Literal["redirect", "serve"],
        said("What is answered there: a redirect to HTTPS (308), or the same as over TLS."),
    ] = "redirect"
    metrics: Annotated[bool, said("Count requests, hits, bytes and latency for `hyperweb stats`.")] = False
    proxies: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?\Z")], ...],
        said(
            "Addresses or networks of proxies that send the PROXY protocol: each connection from there begins with it."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?\Z")], ...],
        said(
            "Addresses or networks of proxies that are believed about whom a request is from, and the scheme and host "
            "it was for."
        ),
    ] = ()
    trusted_field: Annotated[
        Literal["x-forwarded", "forwarded"],
        said(
            "What they say it by: `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239). They must "
            "replace, or add to, what a client sent of these."
        ),
    ] = "x-forwarded"
    admin: Annotated[
        str,
        said(
            "An address, `HOST:PORT`, that figures and purges can be had at over HTTP; other machines need the token.",
            pattern=r"^((\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5})?\Z",
        ),
    ] = ""
    admin_token: Annotated[
        str,
        said(
            "What `PURGE` and the admin listener are asked with; best given as HYPERWEB_SERVE_ADMIN_TOKEN.",
            pattern=r"^([!-~]{16,})?\Z",
        ),
    ] = ""
    drain: Annotated[
        int, said("How long requests in flight may take to finish after SIGTERM.", unit="seconds", ge=0)
    ] = 10
    max_body: Annotated[int, said("The largest request body accepted.", unit="bytes", ge=0)] = 10_485_760


class TcpSettings(Section, frozen=True):
    """How the edge takes connections; 0 leaves a matter to the system."""

    backlog: Annotated[
        int, said("Connections that wait to be taken, for each thread; the system bounds it too.", ge=1, le=65535)
    ] = 4096
    fast_open: Annotated[
        int,
        said(
            "Connections at a time whose first bytes come with their first packet (TCP Fast Open); 0 is none. Such "
            "bytes may come twice.",
            ge=0,
            le=65535,
        ),
    ] = 0
    defer_accept: Annotated[
        int,
        said(
            "How long a connection may be silent before it is taken (`TCP_DEFER_ACCEPT`).", unit="seconds", ge=0, le=60
        ),
    ] = 0
    no_delay: Annotated[bool, said("Send small pieces at once (`TCP_NODELAY`).")] = True
    keep_alive: Annotated[
        int,
        said("Silence after which it is looked whether the client is still there.", unit="seconds", ge=0, le=32_767),
    ] = 60
    pin: Annotated[bool, said("Keep each thread of the edge on a processor of its own.")] = False
    numa: Annotated[
        bool,
        said(
            "Keep each thread of the edge, and each worker, on the processors of one node of memory (NUMA), where the "
            "machine has several."
        ),
    ] = True


class CompressionSettings(Section, frozen=True):
    """What of the answers of handlers is compressed by the edge; what is built is compressed when it is built."""

    enabled: Annotated[bool, said("Compress what handlers answer, with Brotli, Zstandard or gzip.")] = True
    floor: Annotated[int, said("Smaller bodies are sent as they are.", unit="bytes", ge=0)] = 1024
    types: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[!-~]+\Z")], ...],
        said("Media types that are compressed; a star at an end stands for anything."),
    ] = (
        "text/*",
        "*+json",
        "*+xml",
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "font/ttf",
        "font/otf",
    )
    private: Annotated[
        bool,
        said(
            "Compress answers to requests with cookies or credentials too, that are not kept for all. Only where no "
            "page shows a secret beside what its address or form said (BREACH)."
        ),
    ] = False


class LearningSettings(Section, frozen=True):
    """What the edge learns from the steps of browsers from page to page; paths and counts are all that is kept."""

    enabled: Annotated[
        bool, said("Learn which page mostly comes next. Without it nothing is learned, kept or told.")
    ] = True
    threshold: Annotated[
        float,
        said(
            "How likely a page must be to come next for browsers to be told of it, and the cache to be warmed with it.",
            ge=0.01,
            le=1,
        ),
    ] = 0.4
    prefetch: Annotated[
        bool,
        said("Tell browsers to fetch pages ahead that are likely to come next (`Speculation-Rules`, `Link`)."),
    ] = True
    control: Annotated[
        int,
        said(
            "Of so many spans of ten minutes, browsers are told nothing of a page in one, so that their steps from it "
            "can be counted; 0 tells them always, and what is above the threshold is learned no further.",
            ge=0,
            le=1000,
        ),
    ] = 8
    early_hints: Annotated[
        bool,
        said("Tell browsers what a page needs while it is still being made (103)."),
    ] = True
    warm: Annotated[
        bool,
        said(
            "Fetch pages into the cache that are likely to come next, and after a restart those that were hot before, "
            "while there is little to do."
        ),
    ] = True
    warm_rate: Annotated[
        float, said("How many of them in a second, at most.", unit="pages per second", gt=0, le=1000)
    ] = 20.0


class LogSettings(Section, frozen=True):
    """The access log: a line for each answer of the edge."""

    access: Annotated[
        str, said("The file of the access log, or `-` for standard output; empty is none. It may be moved away.")
    ] = ""
    format: Annotated[
        Literal["common", "combined", "json"],
        said("How a line is written: as NCSA httpd did, as nginx does, or as JSON."),
    ] = "combined"
    sample: Annotated[
        float, said("The share of requests that have a line; those answered with 5xx always have one.", ge=0, le=1)
    ] = 1.0


class LimitSettings(Section, frozen=True):
    """What a client may ask of the edge; one that asks for more is refused."""

    target: Annotated[
        int, said("The longest path and query; a longer one is answered with 414.", unit="bytes", ge=64, le=65536)
    ] = 8192
    head: Annotated[
        int,
        said("The largest request line and header fields; 431 beyond.", unit="bytes", ge=1024, le=1_048_576),
    ] = 32_768
    fields: Annotated[int, said("The most header fields of a request; 431 beyond.", ge=8, le=128)] = 128
    handshakes: Annotated[int, said("TLS handshakes at a time; those beyond wait. 0 is any number.", ge=0)] = 1000
    handshake_time: Annotated[float, said("How long a TLS handshake may take.", unit="seconds", gt=0, le=3600)] = 10.0
    head_time: Annotated[
        float, said("How long a request's head may take to come; 408 then.", unit="seconds", gt=0, le=3600)
    ] = 15.0
    body_time: Annotated[
        float, said("How long a client may send nothing of a body; 408 then.", unit="seconds", gt=0, le=3600)
    ] = 30.0
    idle_time: Annotated[
        float, said("How long a connection without a request is kept.", unit="seconds", gt=0, le=86_400)
    ] = 75.0
    write_time: Annotated[
        float,
        said("A client that takes nothing of an answer for so long is given up.", unit="seconds", gt=0, le=3600),
    ] = 60.0
    answer_time: Annotated[
        float,
        said("How long a worker or origin may take to begin its answer; 504 then.", unit="seconds", gt=0, le=3600),
    ] = 60.0
    tunnel_time: Annotated[
        float, said("How long nothing may pass over a WebSocket.", unit="seconds", gt=0, le=86_400)
    ] = 600.0
    connections: Annotated[int, said("Connections at a time; 0 is any number. 503 beyond.", ge=0)] = 20_000
    address_connections: Annotated[
        int,
        said("Connections at a time of one address, or one network of IPv6 (/64); 0 is any number. 503 beyond.", ge=0),
    ] = 0
    outstanding: Annotated[
        int,
        said(
            "Requests of a site at a time that workers or origins have, or that wait for one; 0 is any number. Beyond, "
            "what is stale is used, or 503.",
            ge=0,
        ),
    ] = 10_000
    requests: Annotated[int, said("Requests on one connection, which is closed then.", ge=1)] = 1_000_000
    streams: Annotated[int, said("Requests at a time on one connection of HTTP/2.", ge=1, le=100_000)] = 1000
    resets: Annotated[
        int,
        said(
            "Requests that a connection of HTTP/2 may give up within ten seconds, and that its faults may end in all; "
            "it is closed beyond.",
            ge=1,
        ),
    ] = 400
    control_frames: Annotated[
        int,
        said(
            "Frames of HTTP/2 that ask for nothing (pings, settings, priorities, empty ones) on one connection within "
            "ten seconds; it is closed beyond.",
            ge=10,
        ),
    ] = 2000
    variants: Annotated[
        int, said("Variants of one address, by `Vary`, that are kept at a time; beyond, they are begun anew.", ge=1)
    ] = 200


class ClientSettings(Section, frozen=True):
    """What runs in the browser."""

    spa: Annotated[bool, said("Add the script that swaps pages without loading them anew.")] = False


class SecuritySettings(Section, frozen=True):
    """Headers that every response carries."""

    headers: Annotated[
        dict[_FIELD_NAME, _FIELD_VALUE],
        said("Response headers added to, or with an empty value taken from, the default set."),
    ] = {}


class Settings(Section, frozen=True):
    """The whole of site.toml."""

    title: Annotated[str, said("The name of the site.", min_length=1)] = "Untitled"
    base_url: Annotated[
        str,
        said("Where the site is published, for absolute links: `https://example.org`.", pattern=r"^(https?://\S+)?\Z"),
    ] = ""
    description: Annotated[str, said("What the site is, in a sentence.")] = ""
    language: Annotated[str, said("The language the site is written in (BCP 47).", min_length=2)] = "en"
    hosts: Annotated[
        tuple[str, ...], said("Host names this site answers to when several are served; empty is all the others.")
    ] = ()
    build: BuildSettings = BuildSettings()
    minify: MinifySettings = MinifySettings()
    css: CssSettings = CssSettings()
    cache: CacheSettings = CacheSettings()
    serve: ServeSettings = ServeSettings()
    acme: AcmeSettings = AcmeSettings()
    tcp: TcpSettings = TcpSettings()
    limits: LimitSettings = LimitSettings()
    compression: CompressionSettings = CompressionSettings()
    learning: LearningSettings = LearningSettings()
    log: LogSettings = LogSettings()
    check: CheckSettings = CheckSettings()
    images: ImageSettings = ImageSettings()
    client: ClientSettings = ClientSettings()
    security: SecuritySettings = SecuritySettings()
    aliases: Annotated[dict[_OLD_PATH, _TARGET], said('Old paths and where they lead now: `"/old/" = "/new/"`.')] = {}
    extra: Annotated[dict[str, Any], said("Whatever the site's own templates read as `site.extra`.")] = {}
