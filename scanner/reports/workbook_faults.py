"""
A workbook that was read back, held against the one that follows from the raw reports.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from scanner.evidence import StoredRun
from scanner.reports.text import fit_cell, make_visible
from scanner.reports.unpack import TableDigest, read_workbook, spell

if TYPE_CHECKING:
    from scanner.reports.sheet_rows import Batch
    from scanner.reports.sheets import TableLayout

_SHOWN = 100
_ROWS_KEPT = ("Findings", "Users", "Accounts", "Root")
_COLUMNS_KEPT = (
    "finding_id",
    "account_id",
    "user",
    "arn",
    "check",
    "severity",
    "verdict",
    "outcome",
)
"""
What every version of orgproof writes alike: whose rows there are, and what was found.
"""


def compare_workbook(found: Mapping[str, Any], run: StoredRun) -> tuple[list[str], list[str]]:
    """
    Return where a workbook is not the one that a run makes, and what of it no other version explains.
    """
    # All of these bring openpyxl along, which a PDF has no use for.
    from scanner.reports.extras import Extras  # noqa: PLC0415
    from scanner.reports.sheet_rows import list_values  # noqa: PLC0415
    from scanner.reports.workbook import draw_workbook  # noqa: PLC0415

    due: dict[str, TableDigest] = {}

    def take(layout: "TableLayout", batch: "Batch") -> None:
        table = due.setdefault(layout.title, _begin_table(layout))
        table.add(tuple(map(_print_cell, row)) for row in list_values(batch))

    content = BytesIO()
    draw_workbook(run, content, Extras(), witness=take)
    drawn = read_workbook(content)
    # An empty table was drawn with a row that explains it, and a full one without its rows.
    tables = {
        title: due[title].describe() if title in due else empty
        for title, empty in drawn["tables"].items()
    }
    faults = [
        *_compare_pages(found.get("pages", {}), drawn["pages"]),
        *_compare_tables(found.get("tables", {}), tables),
    ]
    firm = [
        *_compare_figures(found.get("pages", {}), drawn["pages"]),
        *_compare_findings(found.get("tables", {}), tables),
    ]
    return faults or list(_compare_parts(found, drawn)), firm


def _compare_figures(
    found: Mapping[str, list[list[str]]], due: Mapping[str, list[list[str]]]
) -> Iterator[str]:
    """
    Yield the figures of the summary that have the name of another figure. Names may have changed, figures not.
    """
    read = _list_figures(found.get("Summary", []))
    for label, number in _list_figures(due["Summary"]).items():
        if label in read and read[label] != number:
            yield (
                f"sheet Summary: the figure {label[1:]} is {read[label][1:]}, and {number[1:]} follows from the raw "
                "reports"
            )


def _list_figures(rows: list[list[str]]) -> dict[str, str]:
    figures: dict[str, str] = {}
    labels = [row[0] for row in rows if len(row) > 1]
    for row in rows:
        if len(row) > 1 and row[1].startswith("n") and labels.count(row[0]) == 1:
            figures[row[0]] = row[1]
    return figures


def _compare_findings(found: Mapping[str, Any], due: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield where the tables that every version writes have other rows, or other findings in them.
    """
    for title in _ROWS_KEPT:
        if title not in found:
            yield f"has no sheet {title}"
        elif found[title].get("rows") != due[title]["rows"]:
            yield _differ_in_rows(title, found[title], due[title])
        else:
            read, right = _name_digests(found[title]), _name_digests(due[title])
            for name in _COLUMNS_KEPT:
                if name in right and read.get(name) != right[name]:
                    yield f"sheet {title}: column {name} does not hold the table's values"


def _name_digests(table: Mapping[str, Any]) -> dict[str, str]:
    names = (name[1:] for name in table["columns"])
    return dict(zip(names, table["digests"], strict=True))


def _differ_in_rows(title: str, found: Mapping[str, Any], due: Mapping[str, Any]) -> str:
    return f"sheet {title}: has {found.get('rows')} rows, and the table has {due['rows']}"


def _begin_table(layout: "TableLayout") -> TableDigest:
    return TableDigest([spell(make_visible(name)) for name in layout.columns])


def _compare_tables(found: Mapping[str, Any], due: Mapping[str, Any]) -> Iterator[str]:
    for title, table in due.items():
        if title not in found:
            yield f"has no sheet {title}"
        else:
            yield from _compare_table(title, found[title], table)
    for title in found:
        if title not in due:
            yield f"has a sheet {title[:_SHOWN]}, which orgproof never writes"


def _compare_parts(found: Mapping[str, Any], drawn: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield where something besides values differs: a link, a chart, a rule, a row that is hidden.
    """
    for kind, words in (
        ("sheets", "sheet {}: its links, rules, rows or settings are not as orgproof draws them"),
        ("parts", "{} is not as orgproof draws it"),
    ):
        read, due = found.get(kind, {}), drawn[kind]
        for name in sorted(read.keys() | due.keys()):
            if read.get(name) != due.get(name):
                yield words.format(name[:_SHOWN])


def _print_cell(value: object) -> object:
    return fit_cell(make_visible(value)) if isinstance(value, str) else value


def _compare_table(title: str, found: Mapping[str, Any], due: Mapping[str, Any]) -> Iterator[str]:
    if found.get("columns") != due["columns"]:
        yield f"sheet {title}: has other columns than the table"
        return
    if found.get("rows") != due["rows"]:
        yield _differ_in_rows(title, found, due)
        return
    for name, digest, right in zip(
        due["columns"], found.get("digests", ()), due["digests"], strict=True
    ):
        if digest != right:
            yield f"sheet {title}: column {name[1:]} does not hold the table's values"


def _compare_pages(
    found: Mapping[str, list[list[str]]], due: Mapping[str, list[list[str]]]
) -> Iterator[str]:
    for title, rows in due.items():
        read = found.get(title)
        if read is None:
            yield f"has no sheet {title}"
            continue
        number = next(
            (n for n, (row, right) in enumerate(zip(read, rows, strict=False)) if row != right),
            min(len(read), len(rows)),
        )
        if number < max(len(read), len(rows)):
            yield (
                f"sheet {title}: row {number + 1} is {_quote(read, number)}, and {_quote(rows, number)} "
                "follows from the raw reports"
            )


def _quote(rows: list[list[str]], number: int) -> str:
    if number >= len(rows):
        return "missing"
    text = ", ".join(value[1:] for value in rows[number])
    return repr(text[:_SHOWN])
