"""
The run folder: where evidence is written, once, whole or not at all.

A file is written under a temporary name, synced and renamed, so that a crash at any moment leaves
either the whole file or none. Folders are 0700 and files 0600: they hold the names of users who can
sign in without MFA. File names are account ids and hashes, never names that came from AWS.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from scanner.errors import EvidenceError
from scanner.interfaces import Keep
from scanner.model import AccountId

PARTIAL = ".partial"
"""
The ending of a file that is still being written.
"""

_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


@contextmanager
def create_file(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a binary file that takes the name `path` when the block ends well, and vanishes otherwise.

    The folder is made when missing. Raises `EvidenceError` when the file exists already, for evidence
    is written once, and when the disk refuses.
    """
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        make_folder(path.parent)
        if path.exists() or path.is_symlink():
            raise EvidenceError(f"{path}: exists already, and evidence is written once")
        partial.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        partial.rename(path)
    except OSError as exc:
        raise EvidenceError(
            f"{path}: cannot be written: {exc.strerror or exc}; what was collected before is kept"
        ) from exc


def write_file(path: Path, content: bytes) -> None:
    """
    Write a file whole or not at all. See `create_file`.
    """
    with create_file(path) as file:
        file.write(content)


def make_folder(path: Path) -> None:
    """
    Make a folder, and those above it that are missing, for the owner alone.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def read_file(path: Path) -> bytes:
    """
    Read a file of the run folder, or raise `EvidenceError` naming it.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc


def hash_file(path: Path) -> str:
    """
    Return the SHA-256 of a file, in hex.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc


def hash_bytes(content: bytes) -> str:
    """
    Return the SHA-256 of bytes, in hex.
    """
    return hashlib.sha256(content).hexdigest()


def make_run_folder(parent: Path, started: datetime) -> Path:
    """
    Make and return a new folder named by a moment, such as `20261124T101500Z`, with `-2` if it is taken.
    """
    stem = started.strftime("%Y%m%dT%H%M%SZ")
    try:
        make_folder(parent)
        for number in range(1, 1000):
            folder = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return folder
    except OSError as exc:
        raise EvidenceError(f"{parent}: cannot be made: {exc.strerror}") from exc
    raise EvidenceError(f"{parent}: too many runs in the same second")


class Store:
    """
    A run folder that is being filled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, output: Path, organization_id: str, period: str, started: datetime) -> "Store":
        """
        Make the folder of a new run: `output/<organization>/<period>/<run-id>`.

        The run id is the start time; a second run in the same second gets `-2`, and so on.
        """
        for part in (organization_id, period):
            if not _SAFE_PART.fullmatch(part):
                raise EvidenceError(f"{part!r} cannot name a folder; use letters, digits, . _ -")
        return cls(make_run_folder(output / organization_id / period, started))

    @property
    def run_id(self) -> str:
        """
        The folder's own name.
        """
        return self.folder.name

    def keep(self, name: str, content: bytes) -> None:
        """
        Store an answer that concerns the organization as `raw/<name>`. See `Keep`.
        """
        write_file(self.folder / "raw" / name, content)

    def keep_for(self, account_id: AccountId) -> Keep:
        """
        Return the `Keep` of one account: it stores under `raw/<account-id>/`.

        `outcome.json` becomes `outcome-1.json`, or the next number when the account was tried before.
        """
        folder = self.folder / "raw" / account_id

        def keep(name: str, content: bytes) -> None:
            if name == "outcome.json":
                name = f"outcome-{len(list(folder.glob('outcome-*.json'))) + 1}.json"
            write_file(folder / name, content)

        return keep

    def write(self, name: str, content: bytes) -> None:
        """
        Store a file of the run itself, such as `summary.json`.
        """
        write_file(self.folder / name, content)
