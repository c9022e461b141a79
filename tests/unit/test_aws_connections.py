"""
A server that sends an answer drop by drop holds nobody for longer than an answer may take.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from botocore.exceptions import ReadTimeoutError

from scanner.aws import connections
from scanner.aws.clients import connect
from scanner.aws.faults import classify
from scanner.model import ReasonCode

BODY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    b"<GetCallerIdentityResult><Account>111111111111</Account></GetCallerIdentityResult>"
    b"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


class Dripping:
    """
    Answers each request with so many bytes at once and the others one by one.
    """

    def __init__(self, at_once: bytes, drops: bytes) -> None:
        self._at_once, self._drops = at_once, drops
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """
        Answer nobody any more.
        """
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        # An error is the other side having had enough.
        with client, suppress(OSError):
            while received := client.recv(65536):
                if received.endswith(b"Version=2011-06-15"):
                    client.sendall(self._at_once)
                    self._drip(client)

    def _drip(self, client: socket.socket) -> None:
        for drop in self._drops:
            if self._over.wait(0.05):
                return
            client.sendall(bytes([drop]))


@pytest.fixture(name="serve")
def serve_answers() -> Iterator[Callable[..., str]]:
    """
    Start servers, and return their addresses.
    """
    servers: list[Dripping] = []

    def serve(at_once: bytes, drops: bytes = b"") -> str:
        servers.append(Dripping(at_once, drops))
        return servers[-1].url

    yield serve
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def sign_in(monkeypatch):
    """
    Set made-up keys, and half a second for an answer.
    """
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAOWN",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.5)


@pytest.mark.parametrize(
    ("at_once", "drops"),
    [
        (b"", HEAD + LENGTH + BODY),
        (HEAD, LENGTH + BODY),
        (HEAD + LENGTH, BODY),
        (HEAD + CHUNKED, CHUNKS),
        (HEAD + CHUNKED + CHUNKS[:10], CHUNKS[10:]),
        (HEAD + LENGTH + BODY[:-1], b""),
    ],
    ids=["all", "headers", "body", "chunks", "within a chunk", "last byte never comes"],
)
def test_an_answer_drop_by_drop_is_given_up_in_time(serve, at_once, drops):
    """
    However much of it came: it counts as the network's fault, which passes.
    """
    made = connect(profile=None, region=None, endpoint=serve(at_once, drops), workers=1)
    began = time.monotonic()

    with pytest.raises(ReadTimeoutError) as given_up:
        made.sts.get_caller_identity()

    assert 0.4 < time.monotonic() - began < 2
    fault = classify("sts:GetCallerIdentity", given_up.value)
    assert fault.code is ReasonCode.NETWORK
    assert fault.passing


@pytest.mark.parametrize(("head", "tail"), [(LENGTH, BODY), (CHUNKED, CHUNKS)])
def test_answers_in_time_are_read_one_after_the_other(serve, head, tail):
    """
    The limit is each answer's own, on one connection that is used again.
    """
    url = serve(HEAD + head + tail[:-3], tail[-3:])
    made = connect(profile=None, region=None, endpoint=url, workers=1)

    answers = [made.sts.get_caller_identity()["Account"] for _ in range(6)]

    assert answers == ["111111111111"] * 6


@pytest.mark.parametrize("service", ["sts", "organizations", "iam"])
def test_every_client_of_a_scan_is_limited(service):
    """
    For plain connections and TLS, and without a proxy or with one.
    """
    made = connect(profile=None, region=None, endpoint=None, workers=1)
    session = getattr(made, service)._endpoint.http_session

    for scheme, url in (("http", "http://localhost:1"), ("https", "https://localhost:1")):
        for manager in (session._manager, session._get_proxy_manager("http://localhost:2")):
            pool = manager.connection_from_url(url)
            made_by = pool.ConnectionCls
            assert made_by.response_class is connections._Answer, scheme
