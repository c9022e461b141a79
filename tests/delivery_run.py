"""
A finished run with documents, to be delivered, and destinations that only pretend.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from run_folder import Folder
from securesystemslib.signer import CryptoSigner
from signing_keys import make_key

from scanner.delivery import Contents, Parcel, Placed
from scanner.evidence import Store, StoredRun
from scanner.evidence.documents import list_documents, write_documents
from scanner.evidence.seal import seal
from scanner.evidence.signature import attest, check_key, describe_key, identify_key
from scanner.interfaces import Signer
from scanner.records import encode

REPORTS = {"orgproof-2026-Q4.pdf": b"%PDF-1.7 made up", "findings.csv": b"finding_id\r\n"}
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


class StillClock:
    """
    A clock that stands still. See `Clock`.
    """

    def now(self) -> datetime:
        """
        Return the one moment there is.
        """
        return NOW

    def monotonic(self) -> float:
        """
        Return that no time has passed.
        """
        return 0.0


class FreshSigner:
    """
    A key that nobody has seen before. See `Signer`.
    """

    def __init__(self) -> None:
        key = make_key("ed25519")
        self._key = CryptoSigner(key, describe_key(check_key(key.public_key())))
        self.key_id = identify_key(key.public_key())

    def attest(self, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
        """
        Sign it. See `Signer.attest`.
        """
        return attest(self._key, name, content, facts)


def make_run(parent: Path, settings: str = "", signer: Signer | None = None) -> Path:
    """
    Make a run folder as a scan leaves it, with two documents. `settings` is the file it was made with.
    """
    filled = Folder(parent).fill()
    if settings:
        filled.put("inputs/settings.toml", settings.encode())
    filled.put("summary.json", encode(filled.derive()))
    folder = filled.path
    seal(Store(folder), StoredRun(folder, is_sealed=False).summary, signer)
    (folder / "reports").mkdir()
    paths = []
    for name, content in REPORTS.items():
        paths.append(folder / "reports" / name)
        paths[-1].write_bytes(content)
    write_documents(folder, list_documents(folder, paths, {"orgproof": "0.1.0"}), signer)
    return folder


def read_tree(folder: Path) -> dict[str, bytes]:
    """
    Return every file below a folder, by its path.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Pretence:
    """
    A destination that remembers what it was sent, and does what a test wants first. See `Destination`.
    """

    def __init__(
        self,
        contents: Contents = "documents",
        before: Callable[[Parcel], None] = lambda _: None,
        name: str = "pretence",
    ) -> None:
        self.contents: Contents = contents
        self.name = name
        self.got: dict[str, bytes] = {}
        self._before = before

    def put(self, parcel: Parcel, content: IO[bytes]) -> Placed:
        """
        Remember what was sent. See `Destination.put`.
        """
        self._before(parcel)
        sent = content.read()
        assert (len(sent), hashlib.sha256(sent).hexdigest()) == (parcel.size, parcel.sha256)
        self.got[parcel.path] = sent
        return Placed(f"{self.name}/{parcel.key}", was_there=False)
