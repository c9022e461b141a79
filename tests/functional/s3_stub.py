"""
A bucket that does to one object what moto does not: loses answers, spoils bytes, stops people.

It keeps S3's own promises where they matter here: `If-None-Match: *` is answered with 412 where the key is
taken, and a body that does not fit its checksum is not stored.
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Meddle = Callable[["Exchange"], None]


class Exchange:
    """
    One request, and what becomes of it. A test may change any of it before it is answered.
    """

    def __init__(self, method: str, key: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.key = key
        self.headers = headers
        self.body = body
        self.is_lost = False
        self.answer: bytes | None = None
        self.number = 0


class StubBucket:
    """
    Any bucket one may name, over HTTP on this machine. See `serve_bucket`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, bytes] = {}
        self.seen: list[Exchange] = []
        self.meddle: Meddle = lambda _: None
        self._lock = threading.Lock()

    def puts(self) -> list[Exchange]:
        """
        Return the requests to write an object, in order.
        """
        return [exchange for exchange in self.seen if exchange.method == "PUT"]

    def take(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
        """
        Return status, headers and body of the answer to a request.
        """
        with self._lock:
            self.seen.append(exchange)
            exchange.number = sum(other.method == exchange.method for other in self.seen)
            self.meddle(exchange)
            if exchange.answer is not None:
                return 200, {"Content-Type": "text/html"}, exchange.answer
            return self._write(exchange) if exchange.method == "PUT" else self._read(exchange)

    def _write(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
        digest = base64.b64encode(hashlib.sha256(exchange.body).digest()).decode()
        if exchange.key in self.objects and exchange.headers.get("if-none-match") == "*":
            return _refuse(412, "PreconditionFailed")
        if exchange.headers.get("x-amz-checksum-sha256") != digest:
            return _refuse(400, "BadDigest")
        self.objects[exchange.key] = exchange.body
        return 200, {"ETag": '"e"'}, b""

    def _read(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
        if exchange.key not in self.objects:
            return _refuse(404, "NoSuchKey")
        return 200, {"ETag": '"e"'}, self.objects[exchange.key]


def _refuse(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    return (
        status,
        {"Content-Type": "application/xml"},
        f"<Error><Code>{code}</Code><Message>so it is</Message></Error>".encode(),
    )


@contextmanager
def serve_bucket() -> Iterator[StubBucket]:
    """
    Serve a bucket on a free port of this machine.
    """
    bucket = StubBucket()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            key = self.path.partition("?")[0].split("/", 2)[2]
            exchange = Exchange(self.command, key, headers, body)
            status, answered, content = bucket.take(exchange)
            if exchange.is_lost:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**answered, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = _handle  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """
            Say nothing.
            """

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
