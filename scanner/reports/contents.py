"""
The tables of a workbook: the stored ones, column for column, and behind them what only a workbook has.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa

from scanner.evidence import StoredRun
from scanner.evidence.tables import FINDINGS, HISTORY
from scanner.frameworks import Control, bind_checks
from scanner.model import ROOT_USER
from scanner.reports.cells import Link
from scanner.reports.census import list_root_checks, mark_stale
from scanner.reports.extras import Extras
from scanner.reports.links import (
    LINK_LIMIT,
    address_account,
    address_user,
    link_address,
)
from scanner.reports.notes import ABOUT, ENTRIES, LEFT_OVER, LEFT_OVER_COLUMNS, Notes
from scanner.reports.sample import lay_out_sample, list_sample_rows
from scanner.reports.sheet_rows import Batch, batch_frames, batch_rows
from scanner.reports.sheets import TableLayout
from scanner.reports.tables import (
    ACCEPTANCE_COLUMNS,
    batch_changes,
    batch_users,
    list_acceptances,
    list_account_checks,
    list_records,
    list_user_columns,
)
from scanner.reports.widths import ACCEPTANCE_WIDTHS, WIDTHS
from scanner.reports.wording import NO_PREVIOUS_RUN, describe_result

Contents = Iterator[tuple[TableLayout, Iterable[Batch]]]

CONSOLE = "console"

REPORT = "report"
"""
The column that marks the rows of accounts whose report was too old. A run without any has none.
"""

_TOO_OLD = "too old: no verdict"

_MARKED = frozenset({"verdict", "severity", "outcome", "state"})

_ROOT_COLUMNS = (
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_used_date",
    "cert_1_active",
    "cert_2_active",
    "generated_time",
    "sentinels",
    "uninterpretable",
)


def list_contents(run: StoredRun, extras: Extras) -> Contents:
    """
    Yield the tables in order, each with its layout and its rows.

    Notes are taken while the findings are read, so that what is left of them is known after that.
    """
    yield _lay_out_findings(), _batch_findings(run, extras.notes)
    columns = [*list_user_columns(run), *_list_marks(run)]
    checks = frozenset(total.check for total in run.summary.checks)
    yield (
        TableLayout("Users", columns, "No account was read", WIDTHS, checks, frozen=2),
        batch_frames(_mark_old(run, batch_users(run))),
    )
    yield _lay_out_accounts(run), _batch_accounts(run)
    yield _lay_out_root(run), _batch_root(run)
    yield _lay_out_controls(run), batch_frames([_cross(run)])
    yield _lay_out_acceptances(), batch_rows(ACCEPTANCE_COLUMNS, list_acceptances(run))
    empty = "Nothing changed since the previous run, and nothing is open"
    if run.summary.previous is None:
        empty = NO_PREVIOUS_RUN
    changes = TableLayout("Changes", list(HISTORY.names), empty, WIDTHS, _MARKED, frozen=3)
    yield changes, batch_frames(batch_changes(run))
    if extras.sample is not None:
        layout = lay_out_sample(extras.sample)
        yield layout, batch_rows(layout.columns, list_sample_rows(extras.sample))
    if extras.notes is not None:
        layout = TableLayout(
            LEFT_OVER, LEFT_OVER_COLUMNS, "No note is left over", WIDTHS, entries=ENTRIES, frozen=1
        )
        yield layout, _batch_left(extras.notes)


def _list_marks(run: StoredRun) -> list[str]:
    return [REPORT] if run.summary.stale else []


def _mark_old(run: StoredRun, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """
    Yield tables with a word on each row that a report too old has brought: what it says was true once.
    """
    if not run.summary.stale:
        yield from frames
        return
    accounts = run.accounts()
    old = accounts.loc[mark_stale(accounts), "account_id"]
    for frame in frames:
        is_old = frame["account_id"].isin(old)
        yield frame.assign(**{REPORT: pd.Series(_TOO_OLD, frame.index, dtype="str").where(is_old)})


def _batch_left(notes: Notes) -> Iterator[Batch]:
    yield from batch_rows(LEFT_OVER_COLUMNS, notes.list_left())


def _lay_out_findings() -> TableLayout:
    columns = [*FINDINGS.names, CONSOLE, *ENTRIES]
    return TableLayout(
        "Findings", columns, "No findings", WIDTHS, _MARKED, entries=ENTRIES, frozen=3
    )


def _batch_findings(run: StoredRun, notes: Notes | None) -> Iterator[Batch]:
    """
    Yield the findings with their console page, what people wrote, and links as long as there may be more.
    """
    listed = run.summary.accounts.listed
    left = max(0, LINK_LIMIT - listed)
    partition = run.summary.partition
    for frame in run.findings_in_batches():
        rows = zip(frame["account_id"], frame["user"], strict=True)
        addresses = [_address(partition, account, user) for account, user in rows]
        links: dict[str, Sequence[Link | None]] = {}
        if left:
            links[CONSOLE] = [
                link_address(address) if address and index < left else None
                for index, address in enumerate(addresses)
            ]
            left = max(0, left - len(frame))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        taken = _take_notes(frame, notes)
        table = table.append_column(CONSOLE, pa.array(addresses, pa.string()))
        for name in ENTRIES:
            column = pa.array([texts.get(name) for texts in taken], pa.string())
            table = table.append_column(name, column)
        yield Batch(table, links)


def _take_notes(frame: pd.DataFrame, notes: Notes | None) -> list[Mapping[str, str | None]]:
    if notes is None:
        return [{}] * len(frame)
    rows = list_records(frame[["finding_id", *ABOUT]])
    return [notes.take(str(row["finding_id"]), row) for row in rows]


def _address(partition: str, account: str, user: object) -> str | None:
    """
    Return the page of the user whom a finding is about, the account's for root users and accounts.
    """
    if isinstance(user, str) and user != ROOT_USER:
        return address_user(partition, user)
    return address_account(partition, account)


def _lay_out_accounts(run: StoredRun) -> TableLayout:
    columns = [*(str(name) for name in run.accounts().columns), *_list_marks(run), CONSOLE]
    marked = _MARKED | set(list_account_checks(run))
    empty = "The organization lists no accounts"
    return TableLayout("Accounts", columns, empty, WIDTHS, marked, frozen=2)


def _batch_accounts(run: StoredRun) -> Iterator[Batch]:
    [accounts] = _mark_old(run, [run.accounts()])
    partition = run.summary.partition
    addresses = [address_account(partition, account) for account in accounts["account_id"]]
    links = [
        link_address(address) if address and index < LINK_LIMIT else None
        for index, address in enumerate(addresses)
    ]
    table = pa.Table.from_pandas(accounts, preserve_index=False)
    yield Batch(table.append_column(CONSOLE, pa.array(addresses, pa.string())), {CONSOLE: links})


def _lay_out_root(run: StoredRun) -> TableLayout:
    checks = list_root_checks(run.summary)
    about = ("account_id", "account_name", "ou_path", *_list_marks(run))
    columns = [*about, *_ROOT_COLUMNS, *checks]
    return TableLayout("Root", columns, "No account was read", WIDTHS, frozenset(checks), frozen=2)


def _batch_root(run: StoredRun) -> Iterator[Batch]:
    """
    Yield the root user of each account that was read, with the account's name and place.
    """
    accounts = run.accounts().set_index("account_id")[["name", "ou_path"]]
    columns = list(_lay_out_root(run).columns)
    for frame in _mark_old(run, run.users()):
        roots = frame[frame["is_root"].fillna(value=False)]
        if roots.empty:
            continue
        about = accounts.reindex(roots["account_id"])
        named = roots.assign(
            account_name=about["name"].to_numpy(), ou_path=about["ou_path"].to_numpy()
        )
        yield Batch(pa.Table.from_pandas(named[columns], preserve_index=False))


EDITIONS = "other_editions"

RESULT = "result"


def _list_crossed(run: StoredRun) -> list[str]:
    return [bound.name for bound in bind_checks(run.frameworks)]


def _lay_out_controls(run: StoredRun) -> TableLayout:
    checks = _list_crossed(run)
    columns = [*_list_control_columns(run), *checks]
    return TableLayout(
        "Controls", columns, "No framework was chosen", WIDTHS, _MARKED, frozenset(checks), frozen=3
    )


def _list_control_columns(run: StoredRun) -> list[str]:
    """
    Return the stored columns, the result in words, and the ids in other editions.
    """
    return [*(str(name) for name in run.controls().columns), RESULT, EDITIONS]


def _cross(run: StoredRun) -> pd.DataFrame:
    """
    Return the controls with their result in words, their ids in other editions, and D or S under each check.
    """
    controls = {
        (framework.id, control.id): control
        for framework in run.frameworks
        for control in framework.controls
    }
    frame = run.controls()
    rows = [controls.get(key) for key in zip(frame["framework"], frame["control_id"], strict=True)]
    crossed = frame.assign(
        **{
            RESULT: pd.array(_say_results(run, frame), "string"),
            EDITIONS: pd.array([_say_editions(row) for row in rows], "string"),
        }
    )
    for check in _list_crossed(run):
        crossed[check] = pd.array([_mark(row, check) for row in rows], "string")
    return crossed


def _say_results(run: StoredRun, controls: pd.DataFrame) -> list[str]:
    frameworks = {framework.id: framework for framework in run.frameworks}
    return [
        describe_result(frameworks[str(row["framework"])], row) for row in list_records(controls)
    ]


def _say_editions(control: Control | None) -> str | None:
    if control is None or not control.crosswalk:
        return None
    return "; ".join(f"{edition}: {', '.join(ids)}" for edition, ids in control.crosswalk.items())


def _mark(control: Control | None, check: str) -> str | None:
    if control is None:
        return None
    relations = {mapped.bound.name: str(mapped.relation) for mapped in control.checks}
    return relations[check][0].upper() if check in relations else None


def _lay_out_acceptances() -> TableLayout:
    return TableLayout(
        "Accepted risks",
        ACCEPTANCE_COLUMNS,
        "No accepted risks were given",
        WIDTHS | ACCEPTANCE_WIDTHS,
        frozenset({"state"}),
        frozen=1,
    )
