"""
From stored evidence to tables and totals. Reads only files, so it can be done again offline.

A run is judged from its own `raw/` and `inputs/`. It is judged again, under other catalogs or acceptances,
from the same `raw/` and other inputs, into another folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scanner.acceptances import AcceptanceLedger
from scanner.checks import Subject
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
from scanner.judge import Tally, judge_accounts, judge_controls, judge_table, name_controls
from scanner.model import AccountId, Organization
from scanner.scopes import resolve_scopes
from scanner.summary import Summary

BATCH_USERS = 50_000
"""
How many rows are typed and judged at a time: memory follows the batch, not the organization.
"""


@dataclass(frozen=True, slots=True)
class _Writers:
    accounts: TableWriter
    users: TableWriter
    findings: TableWriter
    history: TableWriter


def derive_tables(
    folder: Path,
    *,
    raw: Path | None = None,
    parent: str | None = None,
    run_id: str | None = None,
    tables: Path | None = None,
) -> Summary:
    """
    Derive the tables of a run from raw answers and inputs, write them, and return the totals.

    `folder` holds `inputs/` and gets `tables/`; `raw` is the folder of the raw answers, by default its own.
    `parent` is the seal of the run whose answers are judged again, and `run_id` its id, by default the name
    of the folder. `tables` is where the tables go, by default below `folder`. Raises `EvidenceError` when a file
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
        for batch in _read_in_batches(raw or folder / "raw", inputs, judges.ledger):
            _judge_batch(batch, inputs, judges, writers)
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


def _judge_batch(
    batch: Sequence[Reading], inputs: Inputs, judges: Judges, writers: _Writers
) -> None:
    """
    Judge a batch of accounts, read or not, and write its part of every table.
    """
    organization, terms = inputs.organization, inputs.terms
    accounts = {reading.outcome.account.id: reading.outcome.account for reading in batch}
    facts = {reading.outcome.account.id: reading.facts for reading in batch}
    table = build_table((reading.rows for reading in batch if reading.rows), facts)
    users = judge_table(table, judges.checks)
    entries = build_frame(ACCOUNTS, [reading.entry for reading in batch]).assign(
        max_report_age_hours=terms.max_report_age_hours,
        arn=[_name_account(organization, account) for account in accounts],
    )
    listed = judge_accounts(entries, judges.checks)

    live = {arn: state for reading in batch for arn, state in reading.live.items()}
    named = name_controls(inputs.frameworks)
    findings = _merge(
        list_findings(users, judges.checks, accounts, live, named),
        list_findings(listed, judges.checks, accounts, {}, named),
    )
    findings = findings.assign(**judges.acceptances.annotate(findings))
    findings, history = judges.history.advance(findings, listed)

    for part in (users, listed):
        judges.tally.add(part)
    judges.tally.add_accepted(findings)
    judges.ledger.count(findings)
    writers.users.write(users)
    writers.accounts.write(listed)
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
