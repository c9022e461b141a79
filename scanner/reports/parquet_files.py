"""
The tables as they are stored, in Parquet: the same bytes as under `tables/`, for those who get the documents alone.
"""

import shutil
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.naming import claim

TABLES = ("findings", "accounts", "users", "controls", "history")


def render_parquet(run: StoredRun, folder: Path) -> list[Path]:
    """
    Copy findings, accounts, users, controls and history. See `Renderer`.

    The history holds every finding ever seen, also those that were fixed long ago.
    """
    paths = [claim(folder / f"{name}.parquet") for name in TABLES]
    for path in paths:
        table = run.folder / "tables" / path.name
        try:
            with table.open("rb") as source, create_file(path) as file:
                shutil.copyfileobj(source, file)
        except OSError as exc:
            raise EvidenceError(f"{table}: cannot be read: {exc.strerror}") from exc
    return paths
