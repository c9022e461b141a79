"""
A workbook's zip file with nothing in it that depends on when or where it was written.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.writer.excel import ExcelWriter

_UNIX = 3


@contextmanager
def open_workbook(properties: DocumentProperties) -> Iterator[Workbook]:
    """
    Yield a workbook that streams its rows, and close the sheets a failure leaves open.

    openpyxl keeps each sheet in a temporary file for the owner alone until the workbook is saved.
    """
    workbook = Workbook(write_only=True)
    workbook.properties = properties
    try:
        yield workbook
    finally:
        sheets: list[Any] = workbook.worksheets
        for sheet in sheets:
            if not sheet.closed:
                sheet.close()


def save_workbook(workbook: Workbook, file: BinaryIO, moment: datetime) -> None:
    """
    Write the workbook into an open file; every entry, and the workbook itself, is dated `moment`.
    """
    naive = moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    workbook.properties.created = naive
    workbook.properties.modified = naive
    with _DatedArchive(file, naive) as archive:
        ExcelWriter(workbook, archive).write_data()


class _DatedArchive(ZipFile):
    """
    A zip file that dates its entries by one given moment. openpyxl calls `write` and `writestr` only.
    """

    def __init__(self, file: BinaryIO, moment: datetime) -> None:
        super().__init__(file, "w", ZIP_DEFLATED, allowZip64=True)
        self._moment = moment

    def writestr(self, name: str | ZipInfo, data: bytes | str, *_: object, **__: object) -> None:  # type: ignore[override]
        """
        Add an entry from memory. See `ZipFile.writestr`.
        """
        super().writestr(self._describe(str(name)), data)

    def write(self, filename: str, arcname: str, *_: object, **__: object) -> None:  # type: ignore[override]
        """
        Add an entry from a file, streaming. See `ZipFile.write`.
        """
        info = self._describe(arcname)
        info.file_size = Path(filename).stat().st_size
        with Path(filename).open("rb") as source, self.open(info, "w") as target:
            shutil.copyfileobj(source, target)

    def _describe(self, name: str) -> ZipInfo:
        moment = self._moment
        info = ZipInfo(
            name.lstrip("/"),
            (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second),
        )
        info.compress_type = ZIP_DEFLATED
        info.create_system = _UNIX
        info.external_attr = 0o600 << 16
        return info
