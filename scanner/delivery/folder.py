"""
Delivery into a folder: a share, an archive's drop box, a disk that is taken away.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

from scanner.delivery.destination import Contents, Parcel, Placed
from scanner.delivery.paths import CHUNK, enter, open_regular
from scanner.errors import DeliveryError, SettingsError
from scanner.evidence.store import PARTIAL

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class FolderDestination:
    """
    A folder that is there already. Below it files are 0600 and folders 0700. See `Destination`.

    A folder that is missing is more often a share that nobody mounted than one to be made. So it is refused,
    with `SettingsError`.
    """

    def __init__(self, root: Path, contents: Contents = "documents") -> None:
        self.root = root
        self.contents: Contents = contents
        if not root.is_dir():
            raise SettingsError(f"deliver: {root}: there is no such folder; make it, or mount it")
        if not os.access(root, os.W_OK | os.X_OK):
            raise SettingsError(f"deliver: {root}: cannot be written to; choose another path")

    def holds(self, run: Path) -> bool:
        """
        Tell whether a run folder lies just where this folder would keep it, or this folder lies in the run.
        """
        ours, theirs = self.root.resolve(), run.resolve()
        return ours in theirs.parents[2:3] or ours.is_relative_to(theirs)

    @property
    def name(self) -> str:
        """
        Return the folder's path. See `Destination.name`.
        """
        return f"folder {self.root}"

    def put(self, parcel: Parcel, content: IO[bytes]) -> Placed:
        """
        Write a file under another name, read it back, and give it its own name. See `Destination.put`.
        """
        *parts, name = parcel.key.split("/")
        where = self.root / parcel.key
        try:
            with enter(self.root, parts, make=True) as folder:
                is_alone = _lock(folder)
                if _exists(name, folder):
                    _refuse_other(name, folder, parcel, where)
                    return Placed(str(where), was_there=True)
                was_there = _write(name, folder, parcel, content, is_alone=is_alone)
                if was_there:
                    _refuse_other(name, folder, parcel, where)
                os.fsync(folder)
                return Placed(str(where), was_there=was_there)
        except FileExistsError as exc:
            raise DeliveryError(
                f"{where}: {exc.filename} is beside it; either another orgproof is delivering, or one was "
                "killed: then remove that file"
            ) from exc
        except OSError as exc:
            raise DeliveryError(f"{where}: cannot be written: {exc.strerror or exc}") from exc


def _lock(folder: int) -> bool:
    """
    Wait until no other delivery writes into this folder; false where the file system cannot tell.
    """
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write(name: str, folder: int, parcel: Parcel, content: IO[bytes], *, is_alone: bool) -> bool:
    """
    Write a file; return whether another one took its name meanwhile, which then stays.
    """
    partial = f".{name}{PARTIAL}"
    if is_alone:
        # What a delivery that was killed left behind.
        _remove(partial, folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(partial, flags, 0o600, dir_fd=folder), "wb") as file:
        try:
            shutil.copyfileobj(content, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                # So that what is read back comes from the disk, and not from the memory it was written from.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if not _holds(partial, folder, parcel):
                raise DeliveryError(
                    f"{parcel.key}: read back from the disk it is not what was written; check the disk"
                )
            return not _take_name(partial, name, folder)
        finally:
            _remove(partial, folder)


def _take_name(partial: str, name: str, folder: int) -> bool:
    """
    Give a whole file its name, or return false when the name is taken. A rename would overwrite; a link cannot.
    """
    try:
        os.link(partial, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # Memory sticks have no hard links. There the lock, and a second look, must do.
        if _exists(name, folder):
            return False
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _refuse_other(name: str, folder: int, parcel: Parcel, where: Path) -> None:
    if not _holds(name, folder, parcel):
        raise DeliveryError(
            f"{where}: another file is there, and nothing is overwritten; find out whose it is, or deliver to "
            "another folder"
        )


def _holds(name: str, folder: int, parcel: Parcel) -> bool:
    try:
        file = open_regular(name, folder)
    except OSError:
        return False
    with file:
        is_same_size = os.fstat(file.fileno()).st_size == parcel.size
        return is_same_size and hashlib.file_digest(file, "sha256").hexdigest() == parcel.sha256


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
