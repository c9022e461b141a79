"""
The rows of a workbook's tables, batch by batch, as Arrow columns with the links that stand on them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pandas as pd
import pyarrow as pa

from scanner.reports.cells import Link
from scanner.reports.tables import Row

_ROWS = 2_000
"""
How many rows are plain values at once: what Python holds of a batch must not grow with the batch.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Some rows of a table, with the links of those columns that have any.
    """

    table: pa.Table
    links: Mapping[str, Sequence[Link | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        """
        Return the number of rows.
        """
        return int(self.table.num_rows)

    def slice(self, start: int, stop: int) -> "Batch":
        """
        Return the rows from `start` up to `stop`.
        """
        return Batch(
            self.table.slice(start, stop - start),
            {name: links[start:stop] for name, links in self.links.items()},
        )

    def split(self) -> Iterator["Batch"]:
        """
        Yield the rows in smaller batches.
        """
        for start in range(0, len(self), _ROWS):
            yield self.slice(start, start + _ROWS)


def batch_frames(frames: Iterable[pd.DataFrame]) -> Iterator[Batch]:
    """
    Yield frames as batches.
    """
    for frame in frames:
        yield Batch(pa.Table.from_pandas(frame, preserve_index=False))


def batch_rows(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Batch]:
    """
    Yield rows of plain values as batches.
    """
    remaining = iter(rows)
    while part := list(islice(remaining, _ROWS)):
        values = zip(*part, strict=True)
        yield Batch(
            pa.table({name: pa.array(column) for name, column in zip(columns, values, strict=True)})
        )


def list_values(batch: Batch) -> Iterator[Row]:
    """
    Yield a batch's rows as tuples of plain values.
    """
    return zip(*(column.to_pylist() for column in batch.table.columns), strict=True)
