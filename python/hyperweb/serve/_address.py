"""The addresses servers listen on."""

from __future__ import annotations

import errno
import socket

from hyperweb.serve._errors import ServeError

_HIGHEST_PORT = 65535


def bracketed(host: str) -> str:
    """Returns a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def resolved(host: str, port: int) -> str:
    """Returns the numeric address `HOST:PORT` that a host name and a port stand for.

    Raises:
        ServeError: The name stands for none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _cannot_listen(f"{bracketed(host)}:{port}", error) from None
    return f"{bracketed(str(found[0][4][0]))}:{port}"


def resolved_pair(address: str, name: str) -> str:
    """Returns the numeric address that the setting `name` stands for, which is written `HOST:PORT`.

    Raises:
        ServeError: It is not written so, or stands for none.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT):
        raise ServeError(f"{name} is {address!r}, which is no address", hint="write HOST:PORT, such as 127.0.0.1:9000")
    return resolved(host.removeprefix("[").removesuffix("]"), int(port))


def free_port(host: str, port: int) -> int:
    """Returns the port to listen on, or says that it is taken: many processes will share it, so none may hold it.

    Raises:
        ServeError: Nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _cannot_listen(f"{bracketed(host)}:{port}", error) from None
        found: int = probe.getsockname()[1]
        return found


def _cannot_listen(address: str, error: OSError | UnicodeError) -> ServeError:
    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, socket.gaierror | UnicodeError) or code == errno.EADDRNOTAVAIL:
        hint = "give an address of this machine with --host, such as 127.0.0.1, or 0.0.0.0 for all it has"
    elif code == errno.EACCES:
        hint = "a port below 1024 is for root; choose another port with --port"
    else:
        hint = "choose another port with --port"
    reason = error.strerror if isinstance(error, OSError) else "this is no name of a host"
    return ServeError(f"cannot listen on {address}: {reason}", hint=hint)
