"""
What lies in a folder that nobody has reason to trust: looked at, never followed, never opened by surprise.

A folder that came by mail can hold a link to anywhere, a named pipe that never answers, or a file of a
petabyte that takes no room. So everything is looked at by `lstat` first, and only regular files of a size that
evidence can have are opened. The folder must not change meanwhile: look at a copy where somebody else can
write to the original.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from scanner.errors import EvidenceError

ENTRIES_LIMIT = 5_000_000
"""
How many names a folder may hold. An organization of 10,000 accounts has some 60,000.
"""

_MIB = 1024 * 1024
_LIMITS: Mapping[str, int] = {
    # 10,000 accounts make some 20 MiB of it.
    "manifest.json": 128 * _MIB,
    "SHA256SUMS": 128 * _MIB,
    "summary.json": 32 * _MIB,
}
_LIMITS_BY_ENDING: Mapping[str, int] = {
    ".parquet": 8192 * _MIB,
    ".yaml": 8 * _MIB,
    ".toml": 8 * _MIB,
    ".pdf": 2048 * _MIB,
    ".xlsx": 4096 * _MIB,
}
_LIMITS_BY_FOLDER: Mapping[str, int] = {
    # One account: IAM allows 5,000 users, and a line has at most some 2 KiB.
    "raw/*/": 64 * _MIB,
    # The whole organization: some 400 bytes an account.
    "raw/": 64 * _MIB,
    "reports/": 16_384 * _MIB,
}
_LIMIT = 32 * _MIB

_KINDS = (
    (stat.S_ISLNK, "is a link"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


@dataclass(frozen=True, slots=True)
class Survey:
    """
    What a folder holds, by path below it: regular files with their sizes, folders, and what is neither.

    `oddities` says of each thing that evidence never holds what it is, and of each file that is too large.
    """

    files: dict[str, int]
    folders: set[str]
    oddities: dict[str, str]


def survey(root: Path) -> Survey:
    """
    Look at everything in a folder without opening or following any of it.

    Raises `EvidenceError` when the folder cannot be read, or holds more names than any evidence does.
    """
    found = Survey({}, set(), {})
    waiting = [""]
    while waiting:
        where = waiting.pop()
        try:
            entries = _list_entries(root, where)
        except OSError as exc:
            if not where:
                raise EvidenceError(f"{root}: cannot be read: {exc.strerror or exc}") from exc
            found.oddities[where] = f"cannot be read: {exc.strerror or exc}"
            continue
        waiting += [path for path, status in entries if _enter(found, path, status)]
        if len(found.files) + len(found.folders) + len(found.oddities) > ENTRIES_LIMIT:
            raise EvidenceError(
                f"{root}: holds more than {ENTRIES_LIMIT:,} names; no evidence does"
            )
    return found


def _enter(found: Survey, path: str, status: os.stat_result) -> bool:
    """
    Enter one thing, and return whether it is a folder to look into.
    """
    if stat.S_ISDIR(status.st_mode):
        found.folders.add(path)
        return True
    if not stat.S_ISREG(status.st_mode):
        found.oddities[path] = _name_kind(status.st_mode)
        return False
    found.files[path] = status.st_size
    if status.st_size > limit_size(path):
        found.oddities[path] = f"has {status.st_size:,} bytes, more than evidence can have"
    return False


def _list_entries(root: Path, where: str) -> list[tuple[str, os.stat_result]]:
    with os.scandir(root / where) as found:
        return [
            (f"{where}/{entry.name}" if where else entry.name, entry.stat(follow_symlinks=False))
            for entry in found
        ]


def _name_kind(mode: int) -> str:
    return next((words for test, words in _KINDS if test(mode)), "is no file")


def limit_size(path: str) -> int:
    """
    Return how many bytes a file of this path may have before it is refused unopened.
    """
    parts = PurePosixPath(path)
    if parts.name in _LIMITS:
        return _LIMITS[parts.name]
    if parts.suffix in _LIMITS_BY_ENDING:
        return _LIMITS_BY_ENDING[parts.suffix]
    for folder in (
        "raw/*/" if path.startswith("raw/") and path.count("/") > 1 else "raw/",
        "reports/",
    ):
        if path.startswith(folder.replace("*/", "")):
            return _LIMITS_BY_FOLDER[folder]
    return _LIMIT


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """
    Open a regular file for reading; a link, pipe or device is refused with `EvidenceError` and never waited for.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except OSError as exc:
        raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc
    # Before anything else is done with it: a folder or a pipe can be opened too.
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise EvidenceError(f"{path}: is no regular file")
    with os.fdopen(handle, "rb") as file:
        yield file


def read_regular(path: Path, limit: int) -> bytes:
    """
    Read a regular file of at most `limit` bytes, or raise `EvidenceError`. See `open_regular`.
    """
    with open_regular(path) as file:
        try:
            content = file.read(limit + 1)
        except OSError as exc:
            raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc
    if len(content) > limit:
        raise EvidenceError(f"{path}: has more than {limit:,} bytes, and is not read")
    return content


def hash_regular(path: Path, size: int) -> str | None:
    """
    Return the SHA-256 of a regular file in hex, or None where it has not just `size` bytes. See `open_regular`.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size != size:
            return None
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc
