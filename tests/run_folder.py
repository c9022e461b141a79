"""
Run folders for tests, as a scan leaves them, and a catalog of their own to judge them by.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from report_text import ACCOUNT, MADE, Row, root_row, user_row, write_report

from scanner.evidence import Store, StoredRun
from scanner.evidence.previous import name_inputs, take_previous
from scanner.evidence.replay import derive_tables
from scanner.evidence.seal import seal
from scanner.evidence.sittings import name_began, name_ended
from scanner.evidence.tables import read_batches, read_table
from scanner.frameworks import Framework, read_framework
from scanner.model import (
    AccountId,
    Attempt,
    Notes,
    ReasonCode,
    Selection,
    SittingBegan,
    SittingEnded,
    Terms,
    Verdict,
)
from scanner.records import encode
from scanner.summary import Summary

MANAGEMENT = AccountId("000000000017")
ORGANIZATION_ID = "o-a1b2c3d4e5"
STARTED = MADE + timedelta(hours=1)
FETCHED = MADE + timedelta(hours=2)
OPEN = {"password_enabled": "true", "mfa_active": "false"}
SAFE = {"password_enabled": "true", "mfa_active": "true"}
UNCLEAR = {"password_enabled": "true", "mfa_active": "MAYBE"}


def map_check(check: str, relation: str = "direct", **parameters: object) -> dict[str, Any]:
    """
    Return a catalog's entry for one check.
    """
    entry = {"check": check, "relation": relation, "because": "It is what is asked."}
    return {**entry, "parameters": parameters} if parameters else entry


def write_catalog(
    name: str,
    controls: Mapping[str, Sequence[dict[str, Any]] | str],
    *,
    must_be_declared: bool = False,
) -> bytes:
    """
    Return the bytes of a catalog. Each control has checks, or a sentence that says why it has none.
    """
    entries = [
        {
            "id": control,
            "title": f"Control {control}",
            "requirement": "People use MFA.",
            "rationale": "A password alone is one factor.",
            "cannot_show": ["Who the people are"],
            "sources": ["The standard"],
            **(
                {"checks": [], "not_tested": checks}
                if isinstance(checks, str)
                else {"checks": list(checks)}
            ),
        }
        for control, checks in controls.items()
    ]
    catalog = {
        "format": 1,
        "id": name,
        "name": name,
        "version": "1.0",
        "published": date(2026, 1, 2),
        "status": "Current.",
        "scope": {
            "of": "everything",
            "must_be_declared": must_be_declared,
            "because": "It says so.",
        },
        "wording": {str(verdict): f"words for {verdict}" for verdict in Verdict},
        "controls": entries,
    }
    return yaml.safe_dump(catalog).encode()


def make_framework(
    name: str,
    controls: Mapping[str, Sequence[dict[str, Any]] | str],
    *,
    must_be_declared: bool = False,
) -> Framework:
    """
    Return a framework with these controls. See `write_catalog`.
    """
    source = write_catalog(name, controls, must_be_declared=must_be_declared)
    return read_framework(source, f"{name}.yaml")


HOUSE = "house-1.0"
HOUSE_CONTROLS: dict[str, Sequence[dict[str, Any]] | str] = {
    "1": [map_check("console-no-mfa"), map_check("root-console-no-mfa")],
    "2": [map_check("root-access-key-active"), map_check("console-no-mfa", "supporting")],
    "3": [map_check("signing-cert-active", "supporting")],
    "4": "Nothing in a credential report bears on it.",
}
"""
Two direct controls, one that is only supported, and one about which nothing is known.
"""


def attempt(
    account_id: AccountId = ACCOUNT, started: datetime = STARTED, **changes: Any
) -> Attempt:
    """
    Return an attempt that fetched a report, two hours after it was made.
    """
    fetched = Attempt(
        account_id=account_id,
        started=started,
        finished=started + timedelta(hours=1),
        identity="role orgproof-reader",
        reason_code=None,
        reason=None,
        generated_time=started - timedelta(hours=1),
        fetched=started + timedelta(hours=1),
        requests=(),
    )
    return replace(fetched, **changes)


def failed(
    account_id: AccountId = ACCOUNT,
    code: ReasonCode = ReasonCode.ACCESS_DENIED,
    reason: str = "account x: denied",
) -> Attempt:
    """
    Return an attempt that fetched nothing.
    """
    return attempt(account_id, reason_code=code, reason=reason, generated_time=None, fetched=None)


class Folder:
    """
    A run folder as a scan leaves it before judging, with two accounts that were read.

    `counts` is how many users IAM itself counts in an account, `fetched` for how long each report had been
    there when it was fetched, `missed` the accounts that could not be read, `places` the OU ids above each
    account, from the root down.
    """

    def __init__(
        self, parent: Path, run_id: str = "20261124T090000Z", started: datetime = STARTED
    ) -> None:
        self.path = parent / run_id
        self.started = started
        self.organization_id = ORGANIZATION_ID
        self.states: dict[AccountId, str] = {MANAGEMENT: "ACTIVE", ACCOUNT: "ACTIVE"}
        self.names: dict[AccountId, str] = {MANAGEMENT: "management", ACCOUNT: "payments"}
        self.places: dict[AccountId, tuple[str, ...]] = {}
        self.tags: dict[AccountId, dict[str, str]] = {}
        self.missed: set[AccountId] = set()
        self.counts: dict[AccountId, int | None] = {}
        self.fetched: dict[AccountId, timedelta] = {}
        self.catalogs = {HOUSE: write_catalog(HOUSE, HOUSE_CONTROLS)}
        self.terms = Terms(
            period="2026-Q4",
            selection=Selection(),
            scopes=(),
            max_report_age_hours=24,
            frameworks=(HOUSE,),
            formats=("json",),
            role_name="orgproof-reader",
            roles={},
            uses_external_id=False,
            confirm=True,
            owner_tags=("owner",),
            workers=2,
            account_deadline=120,
            endpoint=None,
            simulated=False,
            organization_name="",
            prepared_by="",
        )
        self.ended = SittingEnded(started + timedelta(hours=1), interrupted=False)
        self.warnings: tuple[str, ...] = ()
        self.reports: dict[AccountId, list[Row]] = {
            MANAGEMENT: [root_row(MANAGEMENT, **SAFE)],
            ACCOUNT: [root_row(), user_row("ann", **SAFE)],
        }

    def put(self, name: str, content: object) -> None:
        """
        Write a file of the run, JSON unless it is bytes.
        """
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def put_for(self, account_id: str, name: str, content: object) -> None:
        """
        Write a file of one account.
        """
        self.put(f"raw/{account_id}/{name}", content)

    def answers(self) -> dict[str, bytes]:
        """
        Return what AWS answered about the organization, by file name.
        """
        pages = [
            {
                "Id": account_id,
                "Name": self.names.get(account_id, ""),
                "State": state,
                "Paths": [
                    "/".join([self.organization_id, *self.places[account_id], account_id, ""])
                ]
                if account_id in self.places
                else [],
            }
            for account_id, state in self.states.items()
        ]
        answers: dict[str, Any] = {
            "caller.json": {"Account": MANAGEMENT, "Arn": f"arn:aws:iam::{MANAGEMENT}:user/a"},
            "organization.json": {
                "Organization": {"Id": self.organization_id, "MasterAccountId": MANAGEMENT}
            },
            "accounts.json": {"pages": [{"Accounts": pages}]},
            "organizational-units.json": {},
        }
        if self.tags:
            listed = {
                account_id: [{"Key": key, "Value": value} for key, value in owned.items()]
                for account_id, owned in self.tags.items()
            }
            answers["account-tags.json"] = {"tags": listed}
        return {name: json.dumps(content).encode() for name, content in answers.items()}

    def answers_of(self, account_id: AccountId) -> dict[str, bytes]:
        """
        Return what one account answered, by file name.
        """
        if account_id in self.missed:
            return {"outcome-1.json": encode(failed(account_id))}
        rows = self.reports[account_id]
        made = self.started - timedelta(hours=1)
        read = attempt(
            account_id,
            self.started,
            fetched=made + self.fetched.get(account_id, timedelta(hours=2)),
        )
        answers = {"outcome-1.json": encode(read), "credential-report.csv": write_report(*rows)}
        count = self.counts.get(account_id, len(rows) - 1)
        if count is not None:
            answers["account-summary.json"] = json.dumps({"SummaryMap": {"Users": count}}).encode()
        return answers

    def fill(self) -> "Folder":
        """
        Write the files, and return the folder.
        """
        for name, content in self.answers().items():
            self.put(f"raw/{name}", content)
        began = SittingBegan(self.started, "arn:aws:iam::000000000017:user/auditor", "0.1.0")
        self.put(f"raw/{name_began(1)}", encode(began))
        self.put(f"raw/{name_ended(1)}", encode(self.ended))
        self.put("inputs/settings.json", encode(self.terms))
        self.put("inputs/notes.json", encode(Notes(self.started, self.warnings)))
        for name, catalog in self.catalogs.items():
            self.put(f"inputs/frameworks/{name}.yaml", catalog)
        for account_id in self.reports:
            for name, content in self.answers_of(account_id).items():
                self.put_for(account_id, name, content)
        return self

    def follow(self, previous: Path) -> "Folder":
        """
        Take from a previous run what a scan takes, and return the folder.
        """
        for name, content in name_inputs(take_previous(previous)).items():
            self.put(f"inputs/{name}", content)
        return self

    def derive(self) -> Summary:
        """
        Derive the tables, and return the totals.
        """
        return derive_tables(self.path)

    def finish(self) -> StoredRun:
        """
        Derive the tables and seal the run.
        """
        summary = self.derive()
        store = Store(self.path)
        store.write("summary.json", encode(summary))
        seal(store, summary)
        return StoredRun(self.path)

    def account(self, account_id: AccountId = ACCOUNT) -> "pd.Series[Any]":
        """
        Return one account's row of the table that was derived.
        """
        table = read_table(self.path / "tables" / "accounts.parquet").set_index("account_id")
        row = table.loc[account_id]
        assert isinstance(row, pd.Series)
        return row

    def table(self, name: str) -> pd.DataFrame:
        """
        Return a table that was derived.
        """
        return read_table(self.path / "tables" / f"{name}.parquet")

    def findings(self) -> pd.DataFrame:
        """
        Return the findings that were derived.
        """
        return self.table("findings")

    def controls(self) -> dict[str, str]:
        """
        Return the verdicts of controls, as framework:control.
        """
        rows = self.table("controls").to_dict("records")
        return {f"{row['framework']}:{row['control_id']}": str(row["verdict"]) for row in rows}

    def users(self) -> list[str]:
        """
        Return the users of the table that was derived.
        """
        return [
            user
            for batch in read_batches(self.path / "tables" / "users.parquet")
            for user in batch["user"]
        ]


def moment(day: int, hour: int = 9) -> datetime:
    """
    Return a moment of a year in which days count from one.
    """
    return datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)
