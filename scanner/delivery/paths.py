"""
Ways into a folder that follow no link, whoever made it.
"""

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

CHUNK = 1024 * 1024
"""
How many bytes are read at a time.
"""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def enter(
    root: str | os.PathLike[str], parts: Sequence[str], *, make: bool = False
) -> Iterator[int]:
    """
    Yield a handle of the folder `parts` below `root`. Raises `OSError` where one of the parts is a link.

    Folders that are missing are made for the owner alone, when asked to `make` them. `root` itself may be a
    link: it is what a person named.
    """
    handle = os.open(root, _FOLDER)
    try:
        for part in parts:
            if make:
                _make_folder(part, handle)
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def open_regular(name: str, folder: int) -> io.BufferedReader:
    """
    Open a regular file of a folder for reading, or raise `OSError`. It never waits, as for a pipe it would.
    """
    handle = os.open(
        name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
    )
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "is not a regular file", name)
    return os.fdopen(handle, "rb")


def _make_folder(part: str, above: int) -> None:
    try:
        os.mkdir(part, mode=0o700, dir_fd=above)
    except FileExistsError:
        return
    os.fsync(above)
