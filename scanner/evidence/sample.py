"""
A sample of a sealed run, each item with its line in the raw report, so that a test can be done again by hand.

The population is every row that was read, users and root users, of all accounts and verdicts. Accounts
that could not be read are not in it, and the sample says how many they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from scanner.credentials import REPORT_COLUMNS
from scanner.errors import EvidenceError, SettingsError
from scanner.evidence.lines import find_lines, read_raw_report
from scanner.evidence.run import StoredRun
from scanner.evidence.seal import check_seal, list_sealed
from scanner.frameworks import bind_checks
from scanner.model import AccountId, Moment, Strata
from scanner.sampling import allocate, count_strata, describe_draw, draw
from scanner.summary import AccountTotals

UNDIVIDED = "all"
"""
The one stratum of a sample that is not stratified.
"""


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """
    What was asked for. Without a seed it is taken from the run's seal, so that nobody chooses it.
    """

    size: int
    check: str
    seed: int | None = None
    strata: Strata | None = None


@dataclass(frozen=True, slots=True)
class Stratum:
    """
    A part of the population: how many rows it has, and how many of them were drawn.
    """

    name: str
    rows: int
    drawn: int


@dataclass(frozen=True, slots=True)
class SampledCheck:
    """
    The check whose verdicts the sample is for. `columns` are those it reads, besides user and ARN.
    """

    name: str
    title: str
    condition: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """
    One drawn row. `values` are the report's own words in the check's columns.

    `line` counts the lines of `raw_file`, the header being line 1; a line feed ends a line.
    """

    item: int
    stratum: str
    account_id: AccountId
    account_name: str
    ou_path: str
    user: str
    arn: str
    verdict: str
    values: Mapping[str, str]
    raw_file: str
    line: int
    report_sha256: str
    generated_time: Moment
    rank: str


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A sample and how it was drawn: the same for the same evidence, order and version of orgproof.

    `population` counts rows, `accounts` says what became of every account that is listed.
    """

    run_id: str
    organization_id: str
    period: str
    manifest_sha256: str
    tool_version: str
    check: SampledCheck
    size_asked: int
    size_drawn: int
    seed: int
    seed_source: Literal["given", "seal"]
    stratified_by: Strata | None
    population: int
    accounts: AccountTotals
    strata: tuple[Stratum, ...]
    method: tuple[str, ...]
    items: tuple[Item, ...]
    kind: Literal["sample"] = "sample"
    format: int = 1


def take_sample(run: StoredRun, order: SampleOrder, tool_version: str) -> Sample:
    """
    Draw a sample and find each item's line in the raw reports.

    Raises `SettingsError` when the run has no such check of users, no raw reports or nobody to draw from;
    `EvidenceError` when the evidence is not what was sealed, or does not add up.
    """
    check_seal(run.folder)
    sealed = list_sealed(run.folder)
    if not any(name.startswith("raw/") for name in sealed):
        raise SettingsError(
            f"{run.folder}: has no raw reports of its own; draw from the run that it was derived from"
        )
    accounts = _index_accounts(run)
    seed = int(run.manifest_sha256[:8], 16) if order.seed is None else order.seed
    rows = count_strata(_list_population(run, order, accounts))
    _check_population(run, order.check, sum(rows.values()))
    limits = allocate(rows, order.size)
    population = _list_population(run, order, accounts)
    drawn = draw(population, limits, seed=seed, size=order.size)
    taken = count_strata([drawn])
    check = _describe_check(run, order.check)
    return Sample(
        run_id=run.summary.run_id,
        organization_id=run.summary.organization_id,
        period=run.summary.period,
        manifest_sha256=run.manifest_sha256,
        tool_version=tool_version,
        check=check,
        size_asked=order.size,
        size_drawn=len(drawn),
        seed=seed,
        seed_source="seal" if order.seed is None else "given",
        stratified_by=order.strata,
        population=sum(rows.values()),
        accounts=run.summary.accounts,
        strata=tuple(Stratum(name, count, taken.get(name, 0)) for name, count in rows.items()),
        method=describe_draw(order.size, seed=seed, rows=rows, divided_by=order.strata),
        items=tuple(_list_items(run.folder, sealed, drawn, accounts, check)),
    )


def _index_accounts(run: StoredRun) -> pd.DataFrame:
    accounts = run.accounts().set_index("account_id")
    if not accounts.index.is_unique:
        raise EvidenceError(f"{run.folder}: accounts.parquet names an account twice")
    return accounts.fillna({"name": "", "ou_path": ""})


def _list_population(
    run: StoredRun, order: SampleOrder, accounts: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """
    Yield every row that was read in batches: `account_id user arn verdict stratum`.
    """
    names = [total.check for total in run.summary.checks]
    for frame in run.users():
        usable = [name for name in names if name in frame.columns]
        if order.check not in usable:
            raise SettingsError(
                f"the run has no check of users called {order.check}; there are: {', '.join(usable)}"
            )
        if not frame["account_id"].isin(accounts.index).all():
            raise EvidenceError(
                f"{run.folder}: users.parquet names an account that accounts.parquet lacks"
            )
        rows = frame[["account_id", "user", "arn"]]
        rows = rows.assign(verdict=frame[order.check].astype("string"))
        yield rows.assign(stratum=_divide(rows, order.strata, accounts))


def _divide(rows: pd.DataFrame, strata: Strata | None, accounts: pd.DataFrame) -> pd.Series | str:
    match strata:
        case None:
            return UNDIVIDED
        case Strata.OU:
            return rows["account_id"].map(accounts["ou_path"])
        case Strata.ACCOUNT:
            return rows["account_id"]
        case Strata.VERDICT:
            return rows["verdict"]


def _check_population(run: StoredRun, check: str, rows: int) -> None:
    """
    Hold the rows there are against the totals that every document prints, and refuse to draw from nobody.
    """
    counted = next((total.rows for total in run.summary.checks if total.check == check), 0)
    if rows != counted:
        raise EvidenceError(
            f"{run.folder}: users.parquet has {rows} rows, and summary.json counts {counted}"
        )
    if not rows:
        raise SettingsError(f"{run.folder}: no account was read, so there is nobody to draw from")


def _describe_check(run: StoredRun, name: str) -> SampledCheck:
    bound = next((bound for bound in bind_checks(run.frameworks) if bound.name == name), None)
    if bound is None:
        raise EvidenceError(f"{run.folder}: none of the catalogs kept with the run uses {name}")
    columns = [name for name in bound.check.columns if name in REPORT_COLUMNS[2:]]
    return SampledCheck(name, bound.check.title, bound.condition, tuple(columns))


def _list_items(
    folder: Path,
    sealed: Mapping[str, str],
    drawn: pd.DataFrame,
    accounts: pd.DataFrame,
    check: SampledCheck,
) -> list[Item]:
    """
    Return the items in order. The raw report of each account that was drawn from is read once.
    """
    by_id: Mapping[Any, Mapping[Any, Any]] = accounts.to_dict("index")
    items: list[Item] = []
    for account_id, rows in drawn.groupby("account_id"):
        account = by_id[account_id]
        number = AccountId(str(account_id))
        report = read_raw_report(folder, number, sealed=sealed, recorded=account["report_sha256"])
        generated = account["generated_time"].to_pydatetime()
        lines = find_lines(report, number, generated)
        for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
            line = lines.get((row["user"], row["arn"]))
            if line is None:
                raise EvidenceError(
                    f"{folder / report.path}: has no line of {row['arn']!r}, whom users.parquet lists"
                )
            items.append(
                Item(
                    item=int(index) + 1,
                    stratum=row["stratum"],
                    account_id=number,
                    account_name=account["name"],
                    ou_path=account["ou_path"],
                    user=row["user"],
                    arn=row["arn"],
                    verdict=row["verdict"],
                    values={column: line.values[column] for column in check.columns},
                    raw_file=report.path,
                    line=line.number,
                    report_sha256=report.sha256,
                    generated_time=generated,
                    rank=row["rank"],
                )
            )
    return sorted(items, key=lambda item: item.item)
