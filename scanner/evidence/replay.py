"""
From stored evidence to tables and totals. Reads only files, so it can be done again offline.

A run is judged from its own `raw/` and `inputs/`. It is judged again, under other catalogs or acceptances,
from the same `raw/` and other inputs, into another folder.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from scanner.acceptances import AcceptanceLedger
from scanner.checks import BoundCheck, Subject
from scanner.credentials import build_table
from scanner.evidence.accounts import Reading, read_account
from scanner.evidence.inputs import Inputs, read_inputs
from scanner.evidence.tables import (
    ACCOUNTS,
    CONTROLS,
    FINDINGS,
    HISTORY,
    TableWriter,
    accounts_schema,
    build_frame,
    open_table,
    users_schema,
    write_table,
)
from scanner.evidence.totals import Judges, Ledger, check_totals, cover, summarise
from scanner.findings import list_findings
from scanner.frameworks import bind_checks
from scanner.history import History
from scanner.interfaces import Engine
from scanner.judge import Tally, judge_accounts, judge_controls, judge_table, name_controls
from scanner.model import AccountId, Organization
from scanner.scopes import resolve_scopes
from scanner.summary import Summary

BATCH_USERS = 50_000
"""
How many rows are typed and judged at a time: memory follows the batch, not the organization.
"""


_AT_A_TIME = 4
"""
How many batches an engine has in work at most: each takes some 40 MB here.
"""


@dataclass(frozen=True, slots=True)
class _Writers:
    accounts: TableWriter
    users: TableWriter
    findings: TableWriter
    history: TableWriter


def derive_tables(  # noqa: PLR0913 - where each part of a run is; most have one place
    folder: Path,
    *,
    raw: Path | None = None,
    parent: str | None = None,
    run_id: str | None = None,
    tables: Path | None = None,
    engine: Engine | None = None,
) -> Summary:
    """
    Derive the tables of a run from raw answers and inputs, write them, and return the totals.

    `folder` holds `inputs/` and gets `tables/`; `raw` is the folder of the raw answers, by default its own.
    `parent` is the seal of the run whose answers are judged again, and `run_id` its id, by default the name
    of the folder. `tables` is where the tables go, by default below `folder`. `engine` judges batches elsewhere, with the
    same tables byte for byte; None judges them here. Raises `EvidenceError` when a file
    is missing, damaged or there already, and when the totals do not tie out; then the run must not be sealed.
    """
    inputs = read_inputs(folder, raw or folder / "raw", run_id or folder.name)
    judges = _appoint(inputs)
    tables = tables or folder / "tables"
    names = [bound.name for bound in judges.checks]
    about = [bound.name for bound in judges.checks if bound.check.subject is Subject.ACCOUNT]
    with ExitStack() as stack:
        writers = _Writers(
            *(
                stack.enter_context(open_table(tables / f"{name}.parquet", schema))
                for name, schema in (
                    ("accounts", accounts_schema(about)),
                    ("users", users_schema([name for name in names if name not in about])),
                    ("findings", FINDINGS),
                    ("history", HISTORY),
                )
            )
        )
        batches = _read_in_batches(raw or folder / "raw", inputs, judges.ledger)
        for judged in _judge_all(batches, _state_rules(inputs, judges), engine):
            _enter(judged, judges, writers)
        writers.history.write(judges.history.finish())
    totals = {framework.id: judges.tally.checks(framework.id) for framework in inputs.frameworks}
    covered = cover(inputs, judges)
    controls = judge_controls(
        inputs.frameworks,
        judges.scopes,
        totals,
        {scope.framework: scope.not_tested for scope in covered},
    )
    write_table(tables / "controls.parquet", CONTROLS, controls)
    summary = summarise(inputs, judges, totals, covered, parent)
    check_totals(summary)
    return summary


def _appoint(inputs: Inputs) -> Judges:
    checks = bind_checks(inputs.frameworks)
    scopes = resolve_scopes(
        inputs.terms.frameworks, inputs.terms.scopes, inputs.organization, inputs.tags
    )
    started = inputs.started
    accepted = inputs.acceptances.acceptances if inputs.acceptances else ()
    return Judges(
        checks=checks,
        scopes=scopes,
        tally=Tally(checks, scopes),
        ledger=Ledger(),
        acceptances=AcceptanceLedger(accepted, inputs.notes.judged.date()),
        history=History(inputs.previous, started, [bound.name for bound in checks]),
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """
    What a batch is judged by. The organization is without its accounts.
    """

    organization: Organization
    max_report_age_hours: int
    checks: tuple[BoundCheck, ...]
    controls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Judged:
    users: pd.DataFrame
    accounts: pd.DataFrame
    findings: pd.DataFrame


def _state_rules(inputs: Inputs, judges: Judges) -> _Rules:
    return _Rules(
        organization=replace(inputs.organization, accounts=()),
        max_report_age_hours=inputs.terms.max_report_age_hours,
        checks=judges.checks,
        controls=name_controls(inputs.frameworks),
    )


def _judge_all(
    batches: Iterable[Sequence[Reading]], rules: _Rules, engine: Engine | None
) -> Iterator[_Judged]:
    """
    Judge batches, and yield them in their order: an engine has some of them in work at a time.
    """
    waiting: deque[Future[_Judged]] = deque()
    for batch in batches:
        if engine is None:
            yield _judge_batch(batch, rules)
            continue
        waiting.append(engine.submit(_judge_batch, batch, rules))
        if len(waiting) == _AT_A_TIME:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _judge_batch(batch: Sequence[Reading], rules: _Rules) -> _Judged:
    """
    Judge a batch of accounts, read or not. The same in whichever process.
    """
    accounts = {reading.outcome.account.id: reading.outcome.account for reading in batch}
    facts = {reading.outcome.account.id: reading.facts for reading in batch}
    table = build_table((reading.rows for reading in batch if reading.rows), facts)
    users = judge_table(table, rules.checks)
    entries = build_frame(ACCOUNTS, [reading.entry for reading in batch]).assign(
        max_report_age_hours=rules.max_report_age_hours,
        arn=[_name_account(rules.organization, account) for account in accounts],
    )
    listed = judge_accounts(entries, rules.checks)
    live = {arn: state for reading in batch for arn, state in reading.live.items()}
    findings = _merge(
        list_findings(users, rules.checks, accounts, live, rules.controls),
        list_findings(listed, rules.checks, accounts, {}, rules.controls),
    )
    return _Judged(users, listed, findings)


def _enter(judged: _Judged, judges: Judges, writers: _Writers) -> None:
    """
    Enter a judged batch in every count and every table. Batches come in order: the history is carried on.
    """
    findings = judged.findings.assign(**judges.acceptances.annotate(judged.findings))
    findings, history = judges.history.advance(findings, judged.accounts)
    for part in (judged.users, judged.accounts):
        judges.tally.add(part)
    judges.tally.add_accepted(findings)
    judges.ledger.count(findings)
    writers.users.write(judged.users)
    writers.accounts.write(judged.accounts)
    writers.findings.write(findings)
    writers.history.write(history)


def _merge(users: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """
    Put the findings about users and about accounts into one table, sorted by account id, ARN and check.
    """
    if not len(accounts):
        return users
    joined = pd.concat([users, accounts], ignore_index=True)
    words = pd.api.types.union_categoricals
    for name in ("account_name", "ou_path", "check", "controls"):
        joined[name] = pd.Series(words([users[name], accounts[name]]))
    order = joined.assign(check=joined["check"].astype("str"))
    keys = order.sort_values(["account_id", "arn", "check"], kind="stable").index
    return joined.loc[keys].reset_index(drop=True)


def _name_account(organization: Organization, account_id: AccountId) -> str:
    """
    Return an account's ARN as AWS Organizations writes it.
    """
    return (
        f"arn:{organization.caller.partition}:organizations::{organization.management_account_id}:"
        f"account/{organization.id}/{account_id}"
    )


def _read_in_batches(raw: Path, inputs: Inputs, ledger: Ledger) -> Iterator[list[Reading]]:
    """
    Yield every account, read or not, in order of id, and enter each in the ledger.
    """
    batch: list[Reading] = []
    users = 0
    for account in inputs.organization.accounts:
        reading = read_account(
            raw / account.id,
            account,
            inputs.terms,
            inputs.organization,
            centrally=inputs.managed_centrally,
        )
        ledger.enter(reading)
        batch.append(reading)
        users += len(reading.rows.lines) if reading.rows else 1
        if users >= BATCH_USERS:
            yield batch
            batch, users = [], 0
    if batch:
        yield batch
