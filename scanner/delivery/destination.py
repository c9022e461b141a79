"""
Where files are delivered to, and what a destination says of a file that it holds.
"""

from dataclasses import dataclass
from typing import IO, Literal, Protocol

from scanner.model import Moment

Contents = Literal["documents", "run", "seal"]
"""
What of a run is delivered: its documents with the lists that cover them, all of it, or those lists alone.
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """
    One file of a run on its way.

    `path` is its place in the run folder, `key` the one below the destination; both have `/` between their
    parts, and no part begins with a dot. `size` and `sha256` are those of the file as it was sealed.
    """

    path: str
    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A file at its destination, whose bytes were read back and are those of its parcel.

    `was_there` is true when the destination held the same bytes before they were sent: from an earlier
    delivery, or from an attempt whose answer was lost. All but the first two are as the destination
    answered, and None where it has no such thing.
    """

    where: str
    was_there: bool
    version_id: str | None = None
    etag: str | None = None
    checksum_sha256: str | None = None
    encryption: str | None = None
    kms_key: str | None = None
    lock_mode: str | None = None
    retain_until: Moment | None = None


class Destination(Protocol):
    """
    Somewhere that files are delivered to.
    """

    @property
    def name(self) -> str:
        """
        Return what people call it. It holds no secret.
        """
        ...

    @property
    def contents(self) -> Contents:
        """
        Return what of a run it is sent.
        """
        ...

    def put(self, parcel: Parcel, content: IO[bytes]) -> Placed:
        """
        Store a file under its key, whole or not at all, read it back, and say where it is.

        What is there already is never overwritten: it counts as delivered when it is the same, byte for
        byte. Raises `DeliveryError` when it is not, when the destination refuses, and when what was read
        back is not what was sent. May be called from several threads at once.
        """
        ...
