"""
HTTP on a loopback port: asyncio and a C parser, one thread, many connections.

Small on purpose. Requests have a Content-Length, answers too; connections are kept alive. It speaks
to AWS SDKs, not to browsers, and listens on 127.0.0.1 only.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime

import httptools

from scanner.simulator.wire import Delivery, HttpRequest, Reply

HOST = "127.0.0.1"
_PIECES = 5
"""
Into how many pieces a slow answer is cut.
"""

Answer = Callable[[HttpRequest], Reply]


class Connection(asyncio.Protocol):
    """
    One client's connection: bytes to requests, replies to bytes.
    """

    def __init__(
        self,
        answer: Answer,
        now: Callable[[], datetime],
        latency: float,
        open_connections: set["Connection"],
    ) -> None:
        self._answer = answer
        self._now = now
        self._latency = latency
        self._open_connections = open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._target = ""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Keep the transport. See `asyncio.Protocol`.
        """
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._open_connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """
        Forget the transport. See `asyncio.Protocol`.
        """
        self._transport = None
        self._open_connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """
        Feed the parser, which calls the `on_` methods. See `asyncio.Protocol`.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            # A mistake of ours, not the client's: let it be seen.
            raise
        except httptools.HttpParserError:
            self._send(
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.close()

    def on_message_begin(self) -> None:
        """
        Start a request.
        """
        self._target = ""
        self._headers = {}
        self._body = []

    def on_url(self, url: bytes) -> None:
        """
        Collect the request's target.
        """
        self._target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        Collect a header.
        """
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """
        Collect a piece of the body.
        """
        self._body.append(body)

    def on_message_complete(self) -> None:
        """
        Answer a request that has arrived whole.
        """
        method = self._parser.get_method().decode("latin-1")
        request = HttpRequest(method, self._target, self._headers, b"".join(self._body))
        reply = self._answer(request)
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._deliver, reply)
        else:
            self._deliver(reply)

    def close(self) -> None:
        """
        Close the connection once what was written is sent.
        """
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """
        Drop the connection the way a failing network does: with a reset.
        """
        if self._transport is None:
            return
        connection = self._transport.get_extra_info("socket")
        # Lingering for zero seconds is how a socket is made to send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _deliver(self, reply: Reply) -> None:
        head = (
            f"HTTP/1.1 {reply.status} \r\ncontent-type: {reply.content_type}\r\n"
            f"date: {format_datetime(self._now(), usegmt=True)}\r\n"
            f"x-amzn-requestid: {reply.request_id}\r\ncontent-length: {len(reply.body)}\r\n\r\n"
        ).encode("latin-1")
        match reply.delivery:
            case Delivery.WHOLE:
                self._send(head + reply.body)
                if not self._parser.should_keep_alive():
                    self.close()
            case Delivery.RESET:
                self.abort()
            case Delivery.CUT:
                self._send(head + reply.body[: len(reply.body) // 2])
                self.close()
            case Delivery.SLOW:
                self._send(head)
                self._send_slowly(reply.body, reply.seconds)

    def _send_slowly(self, body: bytes, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        size = -(-len(body) // _PIECES)
        for number in range(_PIECES):
            piece = body[number * size : (number + 1) * size]
            loop.call_later(seconds * (number + 1) / _PIECES, self._send, piece)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class Server:
    """
    Serves `answer` on a loopback port from a daemon thread, from `start` until `stop`.

    `latency` is how many seconds every answer is held back, and answers are dated by `now`. `port` 0 takes a free
    one.
    """

    def __init__(
        self, answer: Answer, now: Callable[[], datetime], *, port: int, latency: float
    ) -> None:
        self.port = port
        self._answer = answer
        self._now = now
        self._latency = latency
        self._open_connections: set[Connection] = set()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """
        Serve, and return once the port is open. Raises `OSError` when it cannot be opened.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """
        Stop serving and drop every connection. Nothing is left running.
        """
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as exc:
            self._failure = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        listener = await self._loop.create_server(self._connect, HOST, self.port)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        listener.close()
        for connection in list(self._open_connections):
            connection.abort()
        # One turn of the loop lets the transports close their sockets.
        await asyncio.sleep(0)
        await listener.wait_closed()

    def _connect(self) -> Connection:
        return Connection(self._answer, self._now, self._latency, self._open_connections)
