"""
The run folder: where evidence is written, once, whole or not at all.

A file is written under a temporary name, synced, and given its name only then; the folder is synced after
it. So a crash or a power cut at any moment leaves either the whole file or none, and no name is ever
written twice. A new run folder appears in the same way, with its account list and inputs in it, or not at
all. Folders are 0700 and files 0600: they hold the names of users who can sign in without MFA. File names
are account ids and hashes, never names that came from AWS.
"""

import errno
import fcntl
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from scanner.errors import EvidenceError, SettingsError
from scanner.interfaces import Keep
from scanner.model import AccountId

PARTIAL = ".partial"
"""
The ending of a file or run folder that is still being written. Its name begins with a dot.
"""

_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_LOCKS = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EBADF})
_OUTCOME = re.compile(r"outcome-([0-9]+)\.json", re.ASCII)


@contextmanager
def create_file(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a binary file that takes the name `path` when the block ends well, and vanishes otherwise.

    The folder is made when missing. Raises `EvidenceError` when the file exists already, for evidence
    is written once, when somebody else is writing it, and when the disk refuses.
    """
    with _explaining(path):
        _check_is_new(path)
        with _naming(path) as handle, os.fdopen(handle, "wb", closefd=False) as file:
            yield file
        _sync_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """
    Write a file whole or not at all. See `create_file`.
    """
    with _explaining(path):
        _write_whole(path, content)
        _sync_folder(path.parent)


def _write_whole(path: Path, content: bytes) -> None:
    """
    Write a file and give it its name, which survives a power cut once its folder is synced.
    """
    with _naming(path) as handle:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]


@contextmanager
def _naming(path: Path) -> Iterator[int]:
    """
    Yield a handle to write to, and give what was written its name once it is on the disk.

    It asks little of the system, for each question lets another thread run: hundreds of thousands of raw answers
    are written while as many threads wait for AWS.
    """
    partial = _name_partial(path)
    try:
        handle = _open_new(partial)
    except FileNotFoundError:
        make_folder(path.parent)
        handle = _open_new(partial)
    try:
        try:
            yield handle
            os.fsync(handle)
        finally:
            os.close(handle)
        _take_name(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _name_partial(path: Path) -> Path:
    return path.with_name(f".{path.name}{PARTIAL}")


def _open_new(partial: Path) -> int:
    return os.open(
        partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """
    Raise `EvidenceError` where the disk refuses to write a file.
    """
    try:
        yield
    except FileExistsError as exc:
        raise EvidenceError(
            f"{_name_partial(path)}: exists already; either another orgproof is writing here, or one was stopped: then "
            "`orgproof scan --resume` cleans up"
        ) from exc
    except OSError as exc:
        raise EvidenceError(
            f"{path}: cannot be written: {exc.strerror or exc}; what was collected before is kept"
        ) from exc


def _take_name(partial: Path, path: Path) -> None:
    """
    Give a whole file its name. A rename would replace a file that came there meanwhile; a link cannot.
    """
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise _written_once(path) from None
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # Some file systems have no hard links. There a look beforehand and the run's lock must do.
        _check_is_new(path)
        partial.rename(path)
    else:
        partial.unlink()


def _check_is_new(path: Path) -> None:
    if os.path.lexists(path):
        raise _written_once(path)


def _written_once(path: Path) -> EvidenceError:
    return EvidenceError(f"{path}: exists already, and evidence is written once")


def _sync_folder(folder: Path) -> None:
    """
    Make the names in a folder survive a power cut.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """
    Make a folder, and those above it that are missing, for the owner alone.
    """
    missing = list(itertools.takewhile(lambda folder: not folder.exists(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def read_file(path: Path) -> bytes:
    """
    Read a file of the run folder, or raise `EvidenceError` naming it.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise EvidenceError(f"{path}: cannot be read: {exc.strerror}") from exc


def list_names(folder: Path) -> list[str]:
    """
    Return the names in a folder, none where there is no such folder, or raise `EvidenceError`.
    """
    try:
        return os.listdir(folder)  # noqa: PTH208 - a tenth of the cost of paths, for every account
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise EvidenceError(f"{folder}: cannot be read: {exc.strerror}") from exc


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


@contextmanager
def hold(folder: Path, *, is_new: bool = False) -> Iterator[None]:
    """
    Hold a run folder within the block, so that no other orgproof works in it.

    Raises `SettingsError` when another one does, and where the file system cannot tell: unless the folder
    `is_new`, for then nobody else is there yet, and who comes later is refused.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise EvidenceError(f"{folder}: cannot be opened: {exc.strerror}") from exc
    try:
        _lock(handle, folder, is_new=is_new)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path, *, is_new: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(
            f"{folder}: another orgproof is at work in this run; wait until it has ended"
        ) from None
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise
        if is_new:
            return
        raise SettingsError(
            f"{folder}: its file system has no locks, so nobody can tell whether another orgproof is at "
            "work there; copy the run to a local disk and go on with the copy"
        ) from exc


@contextmanager
def stage_run(parent: Path, started: datetime) -> Iterator["Store"]:
    """
    Yield the store of a new run, whose folder `parent/<run-id>` appears when the block ends well.

    The run id is the start time; a second run in the same second gets `-2`, and so on. Until then the
    folder has another name. When the settings turn out to be wrong, or somebody stops it, it is removed; after
    any other failure it is left as it is, for what AWS answered may explain it.
    """
    staging, folder = _reserve(parent, started)
    store = Store(staging)
    try:
        yield store
    except (SettingsError, KeyboardInterrupt):
        shutil.rmtree(staging, ignore_errors=True)
        raise
    try:
        staging.rename(folder)
        _sync_folder(parent)
    except OSError as exc:
        raise EvidenceError(f"{folder}: cannot be made: {exc.strerror}") from exc
    store.folder = folder


def discard(folder: Path) -> None:
    """
    Remove the folder of a run in which no account was read.
    """
    shutil.rmtree(folder, ignore_errors=True)


def name_place(output: Path, organization_id: str, period: str) -> Path:
    """
    Return the folder of an organization's runs in one period, or raise `EvidenceError` where it cannot be one.
    """
    for part in (organization_id, period):
        if not _SAFE_PART.fullmatch(part):
            raise EvidenceError(f"{part!r} cannot name a folder; use letters, digits, . _ -")
    return output / organization_id / period


def _reserve(parent: Path, started: datetime) -> tuple[Path, Path]:
    """
    Make a folder for what a new run holds at first, and return it with the run folder's name to be.
    """
    try:
        make_folder(parent)
        for name in _name_runs(started):
            staging, folder = parent / f".{name}{PARTIAL}", parent / name
            try:
                staging.mkdir(mode=0o700)
            except FileExistsError:
                continue
            if not folder.exists():
                return staging, folder
            staging.rmdir()
    except OSError as exc:
        raise EvidenceError(f"{parent}: cannot be made: {exc.strerror}") from exc
    raise EvidenceError(f"{parent}: too many runs in the same second")


def _name_runs(started: datetime) -> Iterator[str]:
    stem = started.strftime("%Y%m%dT%H%M%SZ")
    yield stem
    yield from (f"{stem}-{number}" for number in range(2, 1000))


class Store:
    """
    A run folder that is being filled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def raw(self) -> Path:
        """
        The folder of what AWS answered.
        """
        return self.folder / "raw"

    @property
    def run_id(self) -> str:
        """
        The folder's own name.
        """
        return self.folder.name.removeprefix(".").removesuffix(PARTIAL)

    def keep(self, name: str, content: bytes) -> None:
        """
        Store an answer that concerns the organization as `raw/<name>`. See `Keep`.
        """
        write_file(self.folder / "raw" / name, content)

    def keep_for(self, account_id: AccountId) -> Keep:
        """
        Return the `Keep` of one attempt at an account: it stores under `raw/<account-id>/`.

        `outcome.json` becomes `outcome-1.json`, or the next number when the account was tried before. It is the
        last: from then on all that was stored survives a power cut, and before that the account has no outcome. What
        an earlier attempt stored, which led to no report or to one that is no use, is moved to `superseded-1/`
        and so on: nothing is written over, and nothing is lost.
        """
        folder = self.folder / "raw" / account_id
        number = _set_aside(folder) + 1
        filled: set[Path] = set()

        def keep(name: str, content: bytes) -> None:
            is_last = name == "outcome.json"
            path = folder / (f"outcome-{number}.json" if is_last else name)
            with _explaining(path):
                for place in filled if is_last else ():
                    _sync_folder(place)
                _write_whole(path, content)
                filled.add(path.parent)
                if is_last:
                    _sync_folder(path.parent)

        return keep

    def write(self, name: str, content: bytes) -> None:
        """
        Store a file of the run itself, such as `summary.json`.
        """
        write_file(self.folder / name, content)


def _set_aside(folder: Path) -> int:
    """
    Move what earlier attempts at an account left out of the way, and return how many were finished.
    """
    names = sorted(list_names(folder))
    outcomes = [int(found[1]) for name in names if (found := _OUTCOME.fullmatch(name))]
    earlier = [name for name in names if name.startswith("superseded-")]
    left = [name for name in names if not _OUTCOME.fullmatch(name) and name not in earlier]
    if left:
        aside = folder / f"superseded-{len(earlier) + 1}"
        try:
            make_folder(aside)
            for name in left:
                (folder / name).rename(aside / name)
            _sync_folder(aside)
            _sync_folder(folder)
        except OSError as exc:
            raise EvidenceError(f"{aside}: cannot be made: {exc.strerror}") from exc
    return max(outcomes, default=0)
