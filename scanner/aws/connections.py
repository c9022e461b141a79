"""
Connections on which an answer takes a limited time in all.

botocore's `read_timeout` limits each wait for further bytes: whoever sends one byte a second would hold a thread for hours,
beyond any account's deadline.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

ANSWER_SECONDS = 60.0
"""
Seconds from the end of a request to the last byte of its answer. The largest report, of 7 MB, takes one Mbit/s.
"""


def limit_answers(client: Any) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes as it goes
    """
    Let no answer to this client take longer than `ANSWER_SECONDS`, and return the client.
    """
    # botocore has no setting for it. Connections are opened later, by the classes that stand here then.
    classes = client._endpoint.http_session._pool_classes_by_scheme  # noqa: SLF001 - see above
    classes.update(http=_Pool, https=_TlsPool)
    return client


class _Bytes(io.RawIOBase):
    """
    What comes from a socket, until the answer's time is over.
    """

    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw
        self._patience = connection.gettimeout()
        self._until = time.monotonic() + ANSWER_SECONDS

    def readable(self) -> bool:
        """
        Return true. See `io.RawIOBase`.
        """
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - as its base class has it
        """
        Wait for bytes, for as long as is left at most. See `io.RawIOBase`.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        if self._patience is None or left < self._patience:
            self._connection.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """
        Let go of the socket. See `io.IOBase`.
        """
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Bytes(sock, self.fp.detach()))


class _Connection(AWSHTTPConnection):
    response_class = _Answer  # type: ignore[assignment]  # the stubs name the one for uploads


class _TlsConnection(AWSHTTPSConnection):
    response_class = _Answer  # type: ignore[assignment]  # the stubs name the one for uploads


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TlsConnection
