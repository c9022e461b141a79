"""
What a scan makes of what it read: for which accounts, with which accepted risks, by whose catalog.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from house_rules import HOUSE_RULES

from scanner.evidence import StoredRun
from scanner.simulator import Fault, FaultKind, FaultPlan, World, build_world
from scanner.simulator.world import AccessKey

pytestmark = pytest.mark.functional

PCI, ISO = "pci-dss-4.0.1", "iso-27001-2022"
WORLD = build_world(accounts=6, users=3, seed=7, clean=True)
IDS = tuple(account.id for account in WORLD.accounts)
UNITS = {unit.name: unit.id for unit in WORLD.units}
LIST_TAGS = "organizations:ListTagsForResource"
HOUR = 3600.0


def without_mfa(world: World, *places: tuple[int, int]) -> World:
    """
    Return the world with some users' MFA devices taken away. A place is an account's and a user's number.
    """
    accounts = list(world.accounts)
    for number, user in places:
        users = list(accounts[number].users)
        users[user] = replace(users[user], devices=())
        accounts[number] = replace(accounts[number], users=tuple(users))
    return replace(world, accounts=tuple(accounts))


def tagged(world: World, number: int, **tags: str) -> World:
    """
    Return the world with other tags on one account.
    """
    accounts = list(world.accounts)
    accounts[number] = replace(accounts[number], tags=tuple(tags.items()))
    return replace(world, accounts=tuple(accounts))


def scope_of(framework: str, *lines: str) -> str:
    return "\n".join([f'[scope."{framework}"]', *lines]) + "\n"


def control(run: StoredRun, framework: str, name: str) -> dict[Any, Any]:
    """
    Return one row of the controls table.
    """
    controls = run.controls()
    wanted = (controls["framework"] == framework) & (controls["control_id"] == name)
    [row] = controls[wanted].to_dict("records")
    return row


def told(run: StoredRun, column: str, check: str = "console-no-mfa") -> dict[tuple[str, str], Any]:
    """
    Return one column of a check's findings, by account id and user. Accounts have no user: empty text.
    """
    findings = run.findings()
    rows = findings[findings["check"] == check]
    who = zip(rows["account_id"], rows["user"].fillna(""), strict=True)
    return dict(zip(who, rows[column], strict=True))


def user_name(number: int, user: int = 0) -> str:
    return WORLD.accounts[number].users[user].name


# Exit status


def test_nothing_to_note_is_status_0(scanning):
    """
    With the frameworks that are judged by unless others are named, a clean organization ends with 0.
    """
    with scanning(WORLD) as scanner:
        done = scanner.scan()

    assert done.status == 0, done.stderr
    assert [ref.id for ref in done.run.summary.frameworks] == [PCI, ISO]
    assert control(done.run, ISO, "A.8.5")["verdict"] == "pass"
    assert control(done.run, PCI, "8.4.2")["verdict"] == "pass"


def test_exceptions_that_only_support_a_control_are_status_0(scanning):
    """
    An old access key is an exception, and only lends weight to controls: findings and status 0.
    """
    used = AccessKey(active=True, rotated=timedelta(days=400), used=timedelta(days=1))
    first, *others = WORLD.accounts[1].users
    users = (replace(first, created=timedelta(days=500), keys=(used,)), *others)
    accounts = list(WORLD.accounts)
    accounts[1] = replace(accounts[1], users=users)

    with scanning(replace(WORLD, accounts=tuple(accounts))) as scanner:
        done = scanner.scan()

    assert done.status == 0, done.stderr
    assert list(told(done.run, "verdict", "access-key-age").values()) == ["fail"]
    assert control(done.run, PCI, "8.6.3")["verdict"] == "needs-review"
    assert control(done.run, PCI, "8.4.2")["verdict"] == "pass"


@pytest.mark.parametrize(
    ("within", "status", "verdict"), [(4, 3, "unknown"), (2, 0, "pass")], ids=["inside", "outside"]
)
def test_an_unknown_verdict_counts_where_a_framework_speaks(scanning, within, status, verdict):
    """
    A value nobody can interpret ends the scan with 3 inside the scope, and is only a finding outside.
    """
    plan = FaultPlan((Fault(FaultKind.CSV_BAD_VALUES, IDS[4]),))

    with scanning(WORLD, plan) as scanner:
        done = scanner.scan(
            *("--framework", PCI), settings=scope_of(PCI, f'accounts = ["{IDS[within]}"]')
        )

    assert done.status == status, done.stderr
    assert control(done.run, PCI, "8.4.2")["verdict"] == verdict
    assert set(told(done.run, "verdict").values()) == {"unknown"}


# Scope


@dataclass(frozen=True)
class Scoped:
    """
    A scope as the settings declare it, and what it makes of two users without MFA: in Production, in Sandbox.
    """

    lines: tuple[str, ...]
    words: str
    accounts: int
    failed: int
    verdict: str = "fail"
    status: int = 1
    asks_tags: bool = False


SCOPES = {
    "an OU and below": Scoped(
        (f'ous = ["{UNITS["Workloads"]}"]',), f"OUs and below {UNITS['Workloads']}", 2, 1
    ),
    "an account": Scoped((f'accounts = ["{IDS[2]}"]',), f"accounts {IDS[2]}", 1, 1),
    "a clean account": Scoped(
        (f'accounts = ["{IDS[1]}"]',), f"accounts {IDS[1]}", 1, 0, verdict="pass", status=0
    ),
    "a tag": Scoped(
        ('tags = { data = "card" }',), "accounts tagged data=card", 1, 1, asks_tags=True
    ),
    "any of these": Scoped(
        (f'accounts = ["{IDS[1]}"]', 'tags = { data = ["card", "none"] }'),
        f"accounts {IDS[1]}; accounts tagged data=card, data=none",
        3,
        2,
        asks_tags=True,
    ),
    "everything": Scoped(("everything = true",), "every account", 6, 2),
    "unknown": Scoped(
        ("unknown = true",),
        "not declared; every account is taken to be in scope",
        6,
        2,
        verdict="needs-review",
    ),
}


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_decides_which_accounts_speak_for_a_framework(scanning, name):
    """
    Only exceptions inside the scope count, and the documents say what was declared and in which file.

    Until the cardholder data environment is declared they need review. Findings are kept either way, and
    tags are asked for only where a scope names one.
    """
    scoped = SCOPES[name]
    world = tagged(tagged(without_mfa(WORLD, (2, 0), (4, 1)), 2, data="card"), 4, data="none")
    settings = scope_of(PCI, *scoped.lines)

    with scanning(world) as scanner:
        done = scanner.scan("--framework", PCI, settings=settings)
        asked = scanner.simulator.requests.get(LIST_TAGS, 0)

    assert done.status == scoped.status, done.stderr
    judged = control(done.run, PCI, "8.4.2")
    assert (judged["verdict"], judged["failed"]) == (scoped.verdict, scoped.failed)
    assert judged["not_tested"] == 0
    assert set(told(done.run, "verdict")) == {(IDS[2], user_name(2)), (IDS[4], user_name(4, 1))}
    assert asked == (len(IDS) if scoped.asks_tags else 0)

    declared = name != "unknown"
    file = (done.folder / "inputs" / "settings.toml").read_bytes()
    document = json.loads(next((done.folder / "reports").glob("*.json")).read_bytes())
    assert file.decode().endswith(settings)
    for summary in (json.loads((done.folder / "summary.json").read_bytes()), document["summary"]):
        assert summary["scopes"] == [
            {
                "framework": PCI,
                "is_declared": declared,
                "words": scoped.words,
                "accounts": scoped.accounts,
                "not_tested": 0,
                "source": "inputs/settings.toml" if declared else None,
                "sha256": hashlib.sha256(file).hexdigest() if declared else None,
            }
        ]


def test_each_framework_has_a_scope_of_its_own(scanning):
    """
    The same users are outside one framework's scope and inside another's, which decides the status.
    """
    with scanning(without_mfa(WORLD, (4, 1))) as scanner:
        done = scanner.scan(settings=scope_of(PCI, f'accounts = ["{IDS[2]}"]'))

    assert done.status == 1, done.stderr
    assert control(done.run, PCI, "8.4.2")["verdict"] == "pass"
    assert control(done.run, ISO, "A.8.5")["verdict"] == "fail"
    assert control(done.run, ISO, "A.8.5")["failed"] == 1


def test_an_account_that_was_not_read_is_missed_where_it_is_in_scope(scanning):
    """
    An account nobody read leaves a control unknown inside its scope and does not touch it outside.
    """
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, IDS[1]),))
    settings = scope_of(PCI, f'accounts = ["{IDS[2]}"]') + scope_of(ISO, f'accounts = ["{IDS[1]}"]')

    with scanning(WORLD, plan) as scanner:
        done = scanner.scan(settings=settings)

    assert done.status == 3
    outside, inside = control(done.run, PCI, "8.4.2"), control(done.run, ISO, "A.8.5")
    assert (outside["verdict"], outside["not_tested"]) == ("pass", 0)
    assert (inside["verdict"], inside["not_tested"]) == ("unknown", 1)


def test_tags_that_are_refused_are_no_empty_scope(scanning):
    """
    Where the caller may not read tags the scan ends with 2 and names the action. Nothing is judged.
    """
    plan = FaultPlan((Fault(FaultKind.ACTION_DENIED, operation=LIST_TAGS),))

    with scanning(tagged(WORLD, 2, data="card"), plan) as scanner:
        done = scanner.scan(settings=scope_of(PCI, 'tags = { data = "card" }'))
        requests = scanner.simulator.requests

    assert done.status == 2
    assert LIST_TAGS in done.stderr
    assert "sts:AssumeRole" not in requests
    assert not list(scanner.output.rglob("tables"))
    assert not list(scanner.output.rglob("manifest.json"))


def test_a_scope_that_names_nothing_is_refused(scanning):
    """
    Account, OU and tag that the organization does not have are all named, before any account is read.
    """
    lines = (
        f'accounts = ["{IDS[1]}", "999999999999"]',
        f'ous = ["{UNITS["Workloads"]}", "ou-none-11111111"]',
        'tags = { data = "card", owner = "nobody@example.com" }',
    )

    with scanning(tagged(WORLD, 2, data="card")) as scanner:
        done = scanner.scan(settings=scope_of(PCI, *lines))
        requests = scanner.simulator.requests

    assert done.status == 2
    problems = done.stderr.splitlines()[-3:]
    for problem, missing in zip(
        problems, ("999999999999", "ou-none-11111111", "owner=nobody@example.com"), strict=True
    ):
        assert PCI in problem
        assert missing in problem
    assert not {"sts:AssumeRole", "iam:GenerateCredentialReport"} & set(requests)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (scope_of("pci-dss-4.0", "everything = true"), "no framework pci-dss-4.0;"),
        (scope_of(PCI), "one of the three"),
        (scope_of(PCI, "everything = true", "unknown = true"), "one of the three"),
        (scope_of(PCI, 'account = ["1"]'), f"scope.{PCI}.account"),
    ],
    ids=["framework", "empty", "both", "field"],
)
def test_a_scope_that_cannot_be_meant_is_refused_at_once(scanning, settings, words):
    """
    A misspelt framework, a scope that says nothing or two things: status 2, before AWS is asked at all.
    """
    with scanning(WORLD) as scanner:
        done = scanner.scan(settings=settings)
        requests = scanner.simulator.requests

    assert done.status == 2
    assert words in done.stderr
    assert not requests


# Accepted risks

TODAY = datetime.now(UTC).date()


def acceptance(name: str, place: tuple[int, int], **fields: object) -> dict[str, object]:
    """
    Return an acceptance of one user's missing MFA, in force for a long time unless `fields` say otherwise.
    """
    number, user = place
    return {
        "id": name,
        "kind": "break-glass",
        "account": IDS[number],
        "user": user_name(number, user),
        "check": "console-no-mfa",
        "reason": "Two sealed passwords; using one pages the security team.",
        "owner": "Cloud operations",
        "approver": "Noor Haddad, CISO",
        "ticket": "RISK-97",
        "from": TODAY - timedelta(days=30),
        "until": TODAY + timedelta(days=200),
        **fields,
    }


def write_acceptances(path: Path, *entries: dict[str, object]) -> Path:
    """
    Write a file of accepted risks: YAML, in which JSON is written but for dates.
    """
    lines = ["format: 1", "acceptances:"]
    for entry in entries:
        fields = [
            f"{key}: {value if isinstance(value, date) else json.dumps(value)}"
            for key, value in entry.items()
        ]
        lines += ["  - " + "\n    ".join(fields)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_accepted_risks_alone_are_status_0(scanning, tmp_path):
    """
    Every exception accepted: status 0. Findings, verdicts and counts stay, with id and note beside them.
    """
    file = write_acceptances(
        tmp_path / "risks.yaml",
        acceptance("sealed-1", (2, 0)),
        acceptance("sealed-2", (4, 1), user=user_name(4, 1).upper()),
    )

    with scanning(without_mfa(WORLD, (2, 0), (4, 1))) as scanner:
        done = scanner.scan("--acceptances", str(file))

    assert done.status == 0, done.stderr
    assert told(done.run, "acceptance") == {
        (IDS[2], user_name(2)): "sealed-1",
        (IDS[4], user_name(4, 1)): "sealed-2",
    }
    until = TODAY + timedelta(days=200)
    note = f"accepted until {until} by Noor Haddad, CISO (break-glass, RISK-97)"
    assert set(told(done.run, "acceptance_note").values()) == {note}
    assert set(told(done.run, "verdict").values()) == {"fail"}
    judged = control(done.run, ISO, "A.8.5")
    assert (judged["verdict"], judged["failed"], judged["accepted"]) == ("fail", 2, 2)

    summary = done.run.summary
    assert summary.accepted == 2
    assert [entry.matched for entry in summary.acceptances] == [1, 1]
    assert summary.warnings == ()
    assert (done.folder / "inputs" / "acceptances.yaml").read_bytes() == file.read_bytes()
    assert summary.acceptances_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_acceptance_that_has_ended_accepts_nothing(scanning, tmp_path):
    """
    Expired and not yet begun: status 1, a note beside each finding, and warnings in summary and terminal.

    An acceptance that matches nothing is warned about too. The file may be named in the settings, which
    look for it beside themselves.
    """
    ended = {"from": TODAY - timedelta(days=30), "until": TODAY - timedelta(days=2)}
    begins = TODAY + timedelta(days=3)
    write_acceptances(
        tmp_path / "risks.yaml",
        acceptance("ended", (2, 0), **ended),
        acceptance("early", (4, 1), **{"from": begins}),
        acceptance("nobody", (1, 0), user="nobody-*"),
    )

    with scanning(without_mfa(WORLD, (2, 0), (4, 1))) as scanner:
        done = scanner.scan(settings='[scan]\nacceptances = "risks.yaml"\n')

    assert done.status == 1, done.stderr
    assert pd.isna(list(told(done.run, "acceptance").values())).all()
    assert told(done.run, "acceptance_note") == {
        (IDS[2], user_name(2)): f"acceptance ended expired on {ended['until']}: open again",
        (IDS[4], user_name(4, 1)): f"acceptance early begins on {begins}",
    }
    states = {entry.id: str(entry.state) for entry in done.run.summary.acceptances}
    assert states == {"ended": "expired", "early": "not-yet", "nobody": "in-force"}
    warned = [warning.split(":")[0] for warning in done.run.summary.warnings]
    assert warned == ["acceptance ended", "acceptance nobody"]
    assert "1 finding is open again" in done.run.summary.warnings[0]
    assert all(warning in done.stdout for warning in done.run.summary.warnings)


def test_an_unknown_verdict_is_not_accepted_away(scanning, tmp_path):
    """
    An acceptance of what nobody can tell accepts nothing: no id at the finding, a warning, status 3.
    """
    names = {user.name for user in WORLD.accounts[4].users}
    last = max(names, key=str.casefold)
    file = write_acceptances(tmp_path / "risks.yaml", acceptance("hopeful", (4, 0), user=last))
    plan = FaultPlan((Fault(FaultKind.CSV_BAD_VALUES, IDS[4]),))

    with scanning(WORLD, plan) as scanner:
        done = scanner.scan("--acceptances", str(file))

    assert done.status == 3, done.stderr
    assert told(done.run, "verdict") == {(IDS[4], last): "unknown"}
    assert pd.isna(told(done.run, "acceptance")[IDS[4], last])
    assert done.run.summary.accepted == 0
    assert "what nobody can tell cannot be accepted" in done.run.summary.warnings[0]


def test_accepted_risks_that_cannot_be_used_end_the_scan(scanning, tmp_path):
    """
    A broken file is refused with every problem at once, before AWS is asked; so is one that is not there.
    """
    file = write_acceptances(
        tmp_path / "risks.yaml",
        acceptance("twice", (2, 0), account=int(IDS[2]), check="no-mfa"),
        acceptance("twice", (4, 1), until=TODAY + timedelta(days=900), reason=""),
        acceptance("blind", (4, 1), user="*", account="*", check="report-stale"),
    )

    with scanning(WORLD) as scanner:
        done = scanner.scan("--acceptances", str(file))
        missing = scanner.scan("--acceptances", str(tmp_path / "none.yaml"))
        requests = scanner.simulator.requests

    assert done.status == missing.status == 2
    problems = done.stderr.splitlines()
    assert all(line.startswith("orgproof: risks.yaml: acceptance ") for line in problems)
    for words in (
        "twice, field account",
        "twice, field check",
        "twice, field until",
        "twice, field reason",
        "blind, field check",
        "blind, field user",
        "twice: the id appears twice",
    ):
        assert any(words in line for line in problems), words
    assert "none.yaml" in missing.stderr
    assert not requests


# Old reports


def test_an_old_report_leaves_every_verdict_open(scanning):
    """
    A report older than a day is read, and shows nothing: unknown verdicts, status 3, a finding with its age.

    Other accounts are judged as ever. An account that nobody can tell about is no exception.
    """
    plan = FaultPlan((Fault(FaultKind.REPORT_OLD, IDS[2], seconds=30 * HOUR),))

    with scanning(without_mfa(WORLD, (2, 0), (4, 1)), plan) as scanner:
        done = scanner.scan()

    assert done.status == 3, done.stderr
    accounts = done.run.accounts().set_index("account_id")
    assert set(accounts["outcome"]) == {"collected"}
    assert dict(accounts["report-stale"]) == {
        account: "unknown" if account == IDS[2] else "pass" for account in IDS
    }
    assert done.run.summary.stale == 1
    assert told(done.run, "verdict") == {
        **{(IDS[2], user.name): "unknown" for user in WORLD.accounts[2].users},
        (IDS[4], user_name(4, 1)): "fail",
    }
    observation = told(done.run, "observation", "report-stale")[IDS[2], ""]
    assert "30 hours old" in observation
    assert "24 hours" in observation

    users = pd.concat(done.run.users())
    checks = [total.check for total in done.run.summary.checks if total.subject != "account"]
    verdicts = users[users["account_id"] == IDS[2]][checks]
    assert set(verdicts.to_numpy(dtype=object).ravel()) == {"unknown", "not-applicable"}


@pytest.mark.parametrize(("limit", "status"), [(2, 3), (4, 1)])
def test_how_old_a_report_may_be_is_a_setting(scanning, limit, status):
    """
    A report of three hours is too old where two are allowed, and judged where four are.
    """
    plan = FaultPlan((Fault(FaultKind.REPORT_OLD, IDS[2], seconds=3 * HOUR),))

    with scanning(without_mfa(WORLD, (2, 0)), plan) as scanner:
        done = scanner.scan(settings=f"[scan]\nmax_report_age_hours = {limit}\n")

    assert done.status == status, done.stderr
    assert done.run.summary.stale == (status == 3)
    assert done.run.summary.max_report_age_hours == limit
    assert told(done.run, "verdict")[IDS[2], user_name(2)] == ("unknown" if status == 3 else "fail")


# The population


def test_users_made_and_deleted_since_the_report_are_counted(scanning):
    """
    Where IAM counts other users than the report, the accounts table says how many came and went since.

    That explains the difference: no finding, status 0.
    """
    world = replace(
        WORLD,
        accounts=tuple(replace(a, report_age=timedelta(hours=1)) for a in WORLD.accounts),
    )

    with scanning(world) as scanner:
        scanner.simulator.change(IDS[1], user_name(1), deleted=True)
        scanner.simulator.create(IDS[2], "newcomer-1")
        scanner.simulator.create(IDS[2], "newcomer-2")
        scanner.simulator.change(IDS[3], user_name(3, 1), deleted=True)
        scanner.simulator.change(IDS[3], user_name(3, 2), deleted=True)
        scanner.simulator.create(IDS[3], "newcomer")
        done = scanner.scan()

    assert done.status == 0, done.stderr
    accounts = done.run.accounts().set_index("account_id")
    counted = accounts[["users", "iam_users", "users_added", "users_gone"]].astype("object")
    numbers = {str(account): list(row) for account, *row in counted.itertuples()}
    assert numbers[IDS[1]] == [3, 2, 0, 1]
    assert numbers[IDS[2]] == [3, 5, 2, 0]
    assert numbers[IDS[3]] == [3, 2, 1, 2]
    assert numbers[IDS[4]][:2] == [3, 3]
    assert pd.isna(numbers[IDS[4]][2:]).all()
    assert accounts["population"][IDS[3]] == (
        "3 in the report; since then 1 made and 2 deleted, 2 listed by IAM"
    )
    assert accounts["population"][IDS[4]] == "3 in the report and in IAM's own count"
    assert set(accounts["population-mismatch"]) == {"pass"}


def test_a_difference_that_nobody_explains_is_unknown(scanning):
    """
    A user less than in the report and no list of users: unknown, status 3. No count at all: to review.
    """
    world = replace(
        WORLD,
        accounts=tuple(replace(a, report_age=timedelta(hours=1)) for a in WORLD.accounts),
    )
    plan = FaultPlan(
        (
            Fault(FaultKind.ACTION_DENIED, IDS[1], "iam:ListUsers"),
            Fault(FaultKind.ACTION_DENIED, IDS[2], "iam:GetAccountSummary"),
            Fault(FaultKind.ACTION_DENIED, IDS[3], "iam:ListUsers"),
        )
    )

    with scanning(world, plan) as scanner:
        scanner.simulator.change(IDS[1], user_name(1), deleted=True)
        scanner.simulator.create(IDS[3], "newcomer")
        done = scanner.scan()

    assert done.status == 3, done.stderr
    accounts = done.run.accounts().set_index("account_id")
    assert list(accounts["population-mismatch"][list(IDS[1:4])]) == [
        "unknown",
        "needs-review",
        "not-applicable",
    ]
    # More users than in the report, unexplained: the report may have been cut short.
    assert accounts["reason_code"][IDS[3]] == "malformed-report"
    explained = told(done.run, "observation", "population-mismatch")
    assert "iam:ListUsers did not answer" in explained[IDS[1], ""]
    assert "stands alone" in explained[IDS[2], ""]


# A catalog of one's own


def test_a_company_judges_by_a_catalog_of_its_own(scanning, tmp_path):
    """
    `--framework-file` adds a catalog to those named: its controls, parameters and exceptions count.

    Its bytes are kept with the run, and a scope may be declared for it like for any other.
    """
    file = tmp_path / "house-rules-2026.yaml"
    file.write_text(HOUSE_RULES)
    settings = scope_of("house-rules-2026", f'accounts = ["{IDS[2]}", "{IDS[3]}"]')

    with scanning(without_mfa(WORLD, (2, 0), (4, 1))) as scanner:
        done = scanner.scan(
            *("--framework", PCI, "--framework-file", str(file)),
            settings=settings + scope_of(PCI, f'accounts = ["{IDS[1]}"]'),
        )

    assert done.status == 1, done.stderr
    summary = done.run.summary
    assert [ref.id for ref in summary.frameworks] == [PCI, "house-rules-2026"]
    kept = done.folder / "inputs" / "frameworks" / "house-rules-2026.yaml"
    assert kept.read_bytes() == file.read_bytes()
    assert summary.frameworks[1].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    fresh, doors = (control(done.run, "house-rules-2026", name) for name in ("H-1", "H-2"))
    assert (fresh["verdict"], fresh["failed"], fresh["relation"]) == ("fail", 1, "direct")
    assert doors["verdict"] == "not-tested"
    assert control(done.run, PCI, "8.4.2")["verdict"] == "pass"
    assert told(done.run, "controls", "single-factor-password-age:days=1") == {
        (IDS[2], user_name(2)): "house-rules-2026:H-1",
        (IDS[4], user_name(4, 1)): "house-rules-2026:H-1",
    }


def test_a_catalog_that_cannot_be_used_ends_the_scan(scanning, tmp_path):
    """
    A broken catalog is refused with every problem, and one under a shipped name as given twice: status 2.

    Nothing is asked of AWS.
    """
    broken = tmp_path / "house-rules-2026.yaml"
    broken.write_text(
        HOUSE_RULES.replace("relation: direct", "relation: loose")
        .replace("{days: 1}", "{days: 1, hours: 3}")
        .replace("    checks: []", "    checks: [{check: door-open, relation: direct, because: x}]")
    )
    taken = tmp_path / f"{PCI}.yaml"
    taken.write_text(HOUSE_RULES.replace("id: house-rules-2026", f"id: {PCI}"))

    with scanning(WORLD) as scanner:
        done = scanner.scan("--framework-file", str(broken))
        twice = scanner.scan("--framework-file", str(taken))
        requests = scanner.simulator.requests

    assert done.status == twice.status == 2
    problems = done.stderr.splitlines()
    assert all(line.startswith("orgproof: house-rules-2026.yaml: ") for line in problems)
    assert any("control H-1" in line and "relation" in line for line in problems)
    assert any("control H-2" in line and "door-open" in line for line in problems)
    assert any("control H-2" in line and "not_tested" in line for line in problems)
    assert f"framework {PCI} is given twice" in twice.stderr
    assert not requests


def test_the_settings_name_catalogs_beside_themselves(scanning, command, tmp_path):
    """
    `framework_files` in the settings are looked for beside the settings file, and `frameworks check` agrees.
    """
    (tmp_path / "house-rules-2026.yaml").write_text(HOUSE_RULES)

    checked = command("frameworks", "check", "house-rules-2026.yaml")
    with scanning(WORLD) as scanner:
        done = scanner.scan(settings='[scan]\nframework_files = ["house-rules-2026.yaml"]\n')

    assert (checked.status, done.status) == (0, 0), done.stderr
    assert "2 controls, no problem found" in checked.stdout
    assert [ref.id for ref in done.run.summary.frameworks] == [PCI, ISO, "house-rules-2026"]
