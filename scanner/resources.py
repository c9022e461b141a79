"""
Where the templates and catalogs that ship with orgproof are found.

A wheel carries them inside the package (`scanner/_data`); a checkout and an editable install have
them beside it. The working directory is never searched: what a run used must not depend on where
it was started.
"""

from pathlib import Path

from scanner.errors import OrgproofError

_PACKAGE = Path(__file__).resolve().parent


def find_resource(name: str) -> Path:
    """
    Return the folder or file `name` (such as `config/frameworks`), packaged first, else beside the source.

    Raises `OrgproofError` when the installation lacks it.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        candidate = root / name
        if candidate.exists():
            return candidate
    raise OrgproofError(f"this installation of orgproof lacks {name}; install it again")
