"""
Tables as the page holds them: column by column, each word once, and for each row the number of its word.

So 50,000 findings make a file that can be sent by mail, and a filter looks at a word once and not at each row
that has it.
"""

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from scanner.evidence import StoredRun
from scanner.evidence.tables import FINDINGS
from scanner.model import Severity
from scanner.reports.census import list_root_checks
from scanner.reports.text import make_visible
from scanner.reports.wording import URGENCY, format_iso
from scanner.summary import Summary

FINDINGS_LIMIT = 100_000
"""
How many findings a page holds: with more it could not be sent, and would be slow to open.
"""

ROOT_FACTS = (
    "mfa_active",
    "password_enabled",
    "password_last_used",
    "access_key_1_active",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_used_date",
)
"""
What is told of each root user, beside the verdicts about it.
"""

_MISSING = -1
# `<` could end the script that holds the data, or open a comment there, and `&` is no danger but to eyes.
_HARMLESS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def encode_json(value: object) -> Markup:
    """
    Write a value as JSON that can stand in a script element: ASCII, and without a sign of markup.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_HARMLESS))  # noqa: S704 - no sign of markup is left


def encode_table(columns: Sequence[str], frames: Iterable[pd.DataFrame]) -> Iterator[Markup]:
    """
    Yield a table as one JSON object, a column a line, from frames that hold these columns.

    A column has `words` and, for each row, the place of its word in `codes`: -1 where the value is missing. Where
    each row has a word of its own, in order, there are no codes.
    """
    coded = {name: _Column() for name in columns}
    rows = 0
    for frame in frames:
        table = pa.Table.from_pandas(frame[list(columns)], preserve_index=False)
        rows += table.num_rows
        for name, column in coded.items():
            column.add(table.column(name))
    yield Markup('{{"rows":{},"columns":[').format(rows)
    for number, (name, column) in enumerate(coded.items()):
        yield Markup(",\n") if number else Markup("\n")
        yield encode_json({"name": name, **column.describe()})
    yield Markup("\n]}")


class _Column:
    """
    One column while it is coded.
    """

    def __init__(self) -> None:
        self._places: dict[str | int, int] = {}
        self._codes = array("i")

    def add(self, values: pa.ChunkedArray) -> None:
        """
        Code more values.
        """
        if not len(values):
            return
        coded = values.combine_chunks()
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode()
        places = [
            self._places.setdefault(_spell(word), len(self._places))
            for word in coded.dictionary.to_pylist()
        ]
        self._codes.extend(
            _MISSING if place is None else places[place] for place in coded.indices.to_pylist()
        )

    def describe(self) -> dict[str, object]:
        """
        Return words and codes.
        """
        words = list(self._places)
        if len(words) == len(self._codes) and self._codes == array("i", range(len(words))):
            return {"words": words}
        return {"words": words, "codes": self._codes.tolist()}


def _spell(value: object) -> str | int:
    """
    Write a value as the CSV files do, but for the guard against formulas.
    """
    match value:
        case str():
            return make_visible(value)
        case bool():
            return "true" if value else "false"
        case int():
            return value
        case datetime():
            return format_iso(value)
        case _:
            return str(value)


def encode_findings(run: StoredRun, limit: int) -> Iterator[Markup]:
    """
    Yield the findings as `encode_table` does; of more than the limit, the most urgent.
    """
    return encode_table(list(FINDINGS.names), select_urgent(run, limit))


def select_urgent(run: StoredRun, limit: int) -> Iterator[pd.DataFrame]:
    """
    Yield the findings in their order, batch by batch: all, or as many as the limit allows.

    Then exceptions come before what could not be determined and leads, and critical ones before others.
    """
    if run.summary.findings <= limit:
        yield from run.findings_in_batches()
        return
    counted: Counter[int] = Counter()
    for frame in run.findings_in_batches():
        counted.update(_rank(frame).tolist())
    room = _allot(counted, limit)
    seen: Counter[int] = Counter()
    for frame in run.findings_in_batches():
        ranks = _rank(frame)
        places = ranks.groupby(ranks).cumcount() + ranks.map(lambda rank: seen[rank])
        yield frame[places < ranks.map(room)]
        seen.update(ranks.tolist())


def _rank(findings: pd.DataFrame) -> pd.Series:
    severities = {str(severity): place for place, severity in enumerate(Severity)}
    verdicts = {str(verdict): place for place, verdict in enumerate(URGENCY)}
    first = findings["severity"].astype("str").map(severities)
    second = findings["verdict"].astype("str").map(verdicts)
    return (second * len(severities) + first).astype("int64")


def _allot(counted: Mapping[int, int], limit: int) -> dict[int, int]:
    """
    Say how many rows of each rank there is room for.
    """
    room, left = {}, limit
    for rank in sorted(counted):
        room[rank] = min(counted[rank], left)
        left -= room[rank]
    return room


def list_root_columns(summary: Summary) -> list[str]:
    """
    Return the columns of the table of root users.
    """
    return ["account_id", "account_name", "ou_path", *ROOT_FACTS, *list_root_checks(summary)]


def encode_roots(run: StoredRun, accounts: pd.DataFrame) -> Iterator[Markup]:
    """
    Yield the root users of the accounts that were read, as `encode_table` does.
    """
    named = accounts.set_index("account_id")[["name", "ou_path"]]
    named = named.rename(columns={"name": "account_name"})
    frames = (
        frame[frame["is_root"].fillna(value=False)].join(named, on="account_id")
        for frame in run.users()
    )
    return encode_table(list_root_columns(run.summary), frames)
