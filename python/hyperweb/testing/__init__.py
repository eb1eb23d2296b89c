"""What tests of a hyperweb application use: a client without sockets, and a real server on a free port."""

from hyperweb.testing.client import TestClient, TestStream
from hyperweb.testing.response import TestResponse
from hyperweb.testing.server import TestServer, serve

__all__ = ["TestClient", "TestResponse", "TestServer", "TestStream", "serve"]
