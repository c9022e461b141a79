"""
The checks, many rows at once, against `reference.py`, one row at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from reference import DEFAULTS, LEADS, SUBJECTS, USER, judge_row
from report_text import HEADER, MADE, Row, root_row, user_row, write_report

from scanner.checks import CHECKS, BoundCheck, Subject
from scanner.credentials import AccountFacts, build_table, parse_report
from scanner.judge import judge_table
from scanner.model import AccountId

# The same examples in every run: a failure on one machine is a failure on all. Rows are judged each by
# itself and every claim names the rows that break it, so there is nothing to gain from smaller examples.
FEW = settings(
    phases=[Phase.generate],
    verbosity=Verbosity.quiet,
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = settings(FEW, max_examples=200)

EXTRA = "additional_credentials_info"

OTHER_PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "user-inactive": [
        {"days": 35},
        {"days": 45, "operator": "at-least"},
        {"operator": "at-least"},
    ],
    "password-unused": [
        {"days": 90},
        {"days": 90, "operator": "more-than"},
        {"operator": "more-than"},
    ],
    "access-key-unused": [
        {"days": 90},
        {"days": 90, "operator": "more-than"},
        {"operator": "more-than"},
    ],
    "access-key-age": [{"days": 45}, {"days": 45, "operator": "at-least"}],
    "single-factor-password-age": [{"days": 35, "operator": "at-least"}],
    "setup-key-never-used": [{"within_minutes": 5}, {"within_minutes": 0}],
    "two-active-keys": [{"grace_days": 7}],
    "initial-password-unchanged": [{"minutes": 0}, {"minutes": 10}],
    "generic-username": [{"patterns": ["svc-*", "*BUILD", "a?n"]}],
    "root-recent-use": [{"days": 45}],
}

DEFAULT_PATTERNS = CHECKS["generic-username"].parameters().model_dump()


@dataclass(frozen=True)
class Case:
    """
    A check with parameters, as the scanner binds it and as the reference is told.
    """

    check_id: str
    parameters: Mapping[str, Any]
    bound: BoundCheck

    @property
    def name(self) -> str:
        """
        The column of its verdicts.
        """
        return self.bound.name


def bind(check_id: str, given: Mapping[str, Any]) -> Case:
    check = CHECKS[check_id]
    told = {**DEFAULT_PATTERNS, **given} if check_id == "generic-username" else given
    return Case(check_id, told, BoundCheck(check, check.parameters.model_validate(given)))


CASES = [
    bind(check_id, given)
    for check_id in SUBJECTS
    for given in ({}, *OTHER_PARAMETERS.get(check_id, []))
]
BOUND = [case.bound for case in CASES]

# What a row of a fresh report can get, of those the check is about.
NEVER_EXEMPT = {
    "signing-cert-active",
    "generic-username",
    "no-visible-credentials",
    "root-access-key-active",
    "root-signing-cert-active",
    "root-recent-use",
}
NEVER_UNKNOWN = {"generic-username", "extra-credentials"}


def list_verdicts(check_id: str) -> set[str]:
    """
    Return every verdict that a check can give on a row that it is about.
    """
    verdicts = {"pass", "needs-review" if check_id in LEADS else "fail"}
    if check_id not in NEVER_EXEMPT:
        verdicts.add("not-applicable")
    if check_id not in NEVER_UNKNOWN:
        verdicts.add("unknown")
    return verdicts


# Reports, drawn near every threshold

DAY = 24 * 3600


@dataclass(frozen=True)
class Since:
    """
    A time so many seconds after the user was made.
    """

    seconds: int


Cell = str | int | Since
"""
What stands in a cell: text, or an age in seconds when the report was made, or a time since the user was made.
"""


def list_ages(*thresholds: int) -> list[Cell]:
    """
    Return ages in seconds about each of the thresholds in days.
    """
    return [
        days * DAY + seconds
        for threshold in thresholds
        for days in (threshold - 1, threshold, threshold + 1)
        for seconds in (-1, 0, 1)
    ]


# Up to a day ahead a time is a time.
AGES = [*list_ages(7, 35, 45, 90), *list_ages(0, 20, 60, 200), -3600, -DAY]
OLD_AGES = [*list_ages(90), *list_ages(200, 4000)]
AHEAD: list[Cell] = [-DAY - 1, -2 * DAY, -4000 * DAY]
AT_SETUP: list[Cell] = [
    Since(sign * (minutes * 60 + seconds))
    for sign in (1, -1)
    for minutes in (0, 5, 10)
    for seconds in (-1, 0, 1)
]
TRUTHS: list[Cell] = [*["true", "false"] * 5, "TRUE", "False"]
NO_TRUTHS: list[Cell] = [
    *("", "N/A", "no_information", "not_supported", "Not_Supported", "MAYBE", "tru", " true", "1"),
    *("fal\u017fe", "2026-11-01T00:00:00Z"),
]
NO_TIMES: list[Cell] = [
    *("", "MAYBE", "true", "not_supported", "no_information", "N/A", "n/a", "0"),
    *("2026-13-45T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-01T24:00:00Z"),
    *("2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "2026-11-01T00:00:00"),
    *("2026-11-01 00:00:00Z", "2026-11-01T00:00:00z", "2026-11-01T00:00:00+01:00"),
    *("2026-11-01T00:00:00.000Z", "2026-11-01T00:00Z", "2026-11-01", " 2026-11-01T00:00:00Z"),
    "\uff12026-11-01T00:00:00Z",
]


def weigh(usual: Sequence[Cell], *others: tuple[int, Sequence[Cell]]) -> list[Cell]:
    """
    Return a list to draw from: for every 100 of the usual cells so many of the others.
    """
    drawn = list(usual) * (1 + 400 // len(usual))
    part = len(drawn) / 100
    for percent, cells in others:
        count = round(percent * part)
        drawn += (list(cells) * (1 + count // len(cells)))[:count]
    return drawn


def make_pools(ages: list[Cell], odd: int) -> dict[str, list[Cell]]:
    """
    Return for each column the cells to draw, so many percent of them such as AWS never writes.
    """
    nothing: list[Cell] = ["N/A"]
    odd_times = ((odd, NO_TIMES), (odd // 2, AHEAD))
    regions: list[Cell] = ["N/A", "us-east-1", ""]
    services: list[Cell] = ["N/A", "s3", ""]
    issued = weigh(ages, (30, AT_SETUP), (5, nothing), *odd_times)
    used = weigh(ages, (40, nothing), *odd_times)
    active = weigh(TRUTHS, (odd, NO_TRUTHS))
    pools: dict[str, list[Cell]] = {
        "user_creation_time": weigh(AGES, *odd_times),
        "password_enabled": active,
        "password_last_used": weigh(ages, (40, ["no_information"]), (10, nothing), *odd_times),
        "password_last_changed": issued,
        "password_next_rotation": weigh([*AGES, *AHEAD], (40, nothing), (odd, NO_TIMES)),
        "mfa_active": active,
    }
    for slot in (1, 2):
        pools |= {
            f"access_key_{slot}_active": active,
            f"access_key_{slot}_last_rotated": issued,
            f"access_key_{slot}_last_used_date": used,
            f"access_key_{slot}_last_used_region": regions,
            f"access_key_{slot}_last_used_service": services,
            f"cert_{slot}_active": weigh(["false"], (15, ["true"]), (odd, NO_TRUTHS)),
            f"cert_{slot}_last_rotated": ["N/A", 300 * DAY, 400 * DAY],
        }
    extra: list[Cell] = ["2 more access keys: call ListAccessKeys", "MAYBE", "no_information"]
    return pools | {EXTRA: ["", "N/A", *extra], "a_new_column": ["", "true", "N/A"]}


def make_root_pools(ages: list[Cell], odd: int) -> dict[str, list[Cell]]:
    """
    Return what to draw for root: of today, of an older report, and of a member that has no credentials.
    """
    unsaid: list[Cell] = ["not_supported"]
    rare: list[Cell] = ["true", "false", "false", "false"]
    pools = make_pools(ages, odd)
    return pools | {
        "password_enabled": weigh(TRUTHS, (50, unsaid), (odd, NO_TRUTHS)),
        "password_last_used": weigh(
            ages, (100, ["no_information", "N/A"]), (odd, NO_TIMES), (odd // 2, AHEAD)
        ),
        "password_last_changed": weigh(pools["password_last_changed"], (50, unsaid)),
        "password_next_rotation": unsaid,
        "access_key_1_active": weigh(rare, (odd, NO_TRUTHS)),
        "access_key_2_active": weigh(rare, (odd, NO_TRUTHS)),
        "access_key_1_last_used_date": weigh(["N/A"], (100, pools["access_key_1_last_used_date"])),
        "access_key_2_last_used_date": weigh(["N/A"], (100, pools["access_key_2_last_used_date"])),
    }


def draw_cells(pools: Mapping[str, list[Cell]]) -> st.SearchStrategy[dict[str, Cell]]:
    return st.fixed_dictionaries({name: st.sampled_from(pool) for name, pool in pools.items()})


Rows = st.SearchStrategy[tuple[dict[str, Cell], str]]


def draw_rows(make: Callable[[list[Cell], int], dict[str, list[Cell]]]) -> Rows:
    """
    Draw rows that are tidy, of long ago, or odd in places, each with its way to write UTC.
    """
    tidy, old, odd = make(AGES, 0), make(OLD_AGES, 4), make(AGES, 25)
    return st.tuples(
        draw_cells(tidy) | draw_cells(old) | draw_cells(odd), st.sampled_from(["Z", "Z", "+00:00"])
    )


users, roots = draw_rows(make_pools), draw_rows(make_root_pools)
facts_of_accounts = st.none() | st.builds(
    AccountFacts,
    password_present=st.sampled_from([None, True, False]),
    managed_centrally=st.sampled_from([None, True, False]),
    is_management=st.sampled_from([False, False, True]),
    is_stale=st.sampled_from([False] * 7 + [True]),
)
NAMES = ["ann", "zoe", "admin", "Admin2", "svc-app", "nightly-build", "test", "root", "a,b", "=x"]
HEADERS = [
    HEADER,
    (*HEADER, EXTRA),
    (*HEADER, "a_new_column"),
    ("a_new_column", *HEADER, EXTRA),
    (EXTRA, *reversed(HEADER)),
]


@dataclass(frozen=True)
class Report:
    """
    One account's report, as text, and what else is known of the account.
    """

    account: AccountId
    generated: datetime
    header: Sequence[str]
    rows: Sequence[Row]
    facts: AccountFacts | None

    def lines(self) -> Iterator[Row]:
        """
        Yield what stands in each line: the columns of the header and no others.
        """
        for row in self.rows:
            yield {name: row[name] for name in self.header}


def write_cells(cells: Mapping[str, Cell], zone: str, generated: datetime) -> dict[str, str]:
    """
    Write drawn cells as the text of a report.
    """
    age = cells["user_creation_time"]
    made = generated - timedelta(seconds=age if isinstance(age, int) else 200 * DAY)

    def write(cell: Cell) -> str:
        if isinstance(cell, str):
            return cell
        if isinstance(cell, Since):
            moment = made + timedelta(seconds=cell.seconds)
        else:
            moment = generated - timedelta(seconds=cell)
        return f"{moment:%Y-%m-%dT%H:%M:%S}{zone}"

    return {name: write(cell) for name, cell in cells.items()}


@st.composite
def reports(draw, number):
    """
    Draw the report of one account; its number tells it from the others.
    """
    account = AccountId(f"{10**12 - 1 - number:012d}")
    generated = MADE - timedelta(seconds=number * 40_003)
    partition = draw(st.sampled_from(["aws", "aws", "aws", "aws-us-gov", "aws-cn"]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES), unique=True))

    def draw_text(kind: Rows) -> dict[str, str]:
        cells, zone = draw(kind)
        return write_cells(cells, zone, generated)

    rows = [
        root_row(account, partition, **draw_text(roots)),
        *(user_row(name, account, "/a/", partition, **draw_text(users)) for name in names),
    ]
    header = draw(st.sampled_from(HEADERS))
    return Report(account, generated, header, rows, draw(facts_of_accounts))


@st.composite
def worlds(draw, fewest=2, most=6):
    """
    Draw several accounts, whose reports were made at different times.
    """
    return [draw(reports(number)) for number in range(draw(st.integers(fewest, most)))]


def judge(world: Iterable[Report]) -> pd.DataFrame:
    """
    Return the judged table of all accounts at once, by ARN.
    """
    world = list(world)
    parsed = [
        parse_report(
            write_report(*report.rows, header=report.header), report.account, report.generated
        )
        for report in world
    ]
    facts = {report.account: report.facts for report in world if report.facts is not None}
    return judge_table(build_table(parsed, facts), BOUND).set_index("arn")


def read_verdicts(table: pd.DataFrame, case: Case) -> dict[str, str]:
    """
    Return one check's verdict for each ARN.
    """
    return dict(zip(table.index, table[case.name].astype("str"), strict=True))


def is_about(case: Case, row: Row) -> bool:
    kind = "root" if row["user"] == "<root_account>" else "user"
    return SUBJECTS[case.check_id] in (kind, "row")


# All at once and one by one


def test_the_table_says_what_the_reference_says_of_each_row():
    """
    For any accounts, every check with any parameters: the same verdict, and each verdict is seen.
    """
    seen: set[tuple[str, str]] = set()

    @MANY
    @given(worlds())
    def compare(world: list[Report]) -> None:
        table = judge(world)
        assert len(table) == sum(len(report.rows) for report in world)
        wrong = []
        for case in CASES:
            found = read_verdicts(table, case)
            for report in world:
                facts = report.facts or AccountFacts()
                for line in report.lines():
                    due = judge_row(case.check_id, case.parameters, line, report.generated, facts)
                    if found[line["arn"]] != due:
                        wrong.append((case.name, found[line["arn"]], due, facts, line))
                    elif is_about(case, line) and not facts.is_stale:
                        seen.add((case.name, due))
        assert not wrong, describe(wrong)

    compare()

    possible = {(case.name, due) for case in CASES for due in list_verdicts(case.check_id)}
    assert seen == possible


def describe(wrong: Sequence[tuple[str, str, str, AccountFacts, Row]]) -> str:
    """
    Say which checks differ, and how one row of each was judged.
    """
    first = {name: (found, due, facts, row) for name, found, due, facts, row in reversed(wrong)}
    return "\n".join(
        f"{name}: {found}, and by the reference {due}: {facts} {row}"
        for name, (found, due, facts, row) in sorted(first.items())
    )


# What nobody can read

LATER = "2999-01-01T00:00:00Z"
GARBAGE = [
    *("", "MAYBE", "2026-13-45T00:00:00Z", "2026-11-01T00:00:00", LATER),
    *("no_information", "not_supported"),
]


def is_documented(column: str, text: str, *, is_root: bool) -> bool:
    """
    Tell whether AWS may write this: then it is an answer like any other, and may well be a good one.
    """
    return (column, text) in {
        ("password_last_used", "no_information"),
        ("password_next_rotation", LATER),
        (EXTRA, ""),
    } or (is_root and (column, text) == ("password_enabled", "not_supported"))


EXCEPTIONS = {"fail", "needs-review"}
LET_GO = {"pass", "not-applicable"}


@dataclass(frozen=True)
class Spoilt:
    """
    A row before one of its cells was spoilt, and its ARN after.
    """

    row: Row
    arn: str
    column: str
    text: str

    @property
    def is_odd(self) -> bool:
        """
        Whether AWS never writes in that cell what now stands there.
        """
        is_root = self.row["user"] == "<root_account>"
        return not is_documented(self.column, self.text, is_root=is_root)


def spoil(world: Iterable[Report]) -> tuple[list[Report], list[Spoilt]]:
    """
    Return each report once for every column and kind of garbage, in accounts of their own, and their rows.
    """
    ways = [
        (report, column, text)
        for report in world
        for column in report.header
        for text in GARBAGE
        if column not in ("user", "arn")
    ]
    copies, spoilt = [], []
    for number, (report, column, text) in enumerate(ways):
        account = AccountId(f"{number:012d}")
        arns = [row["arn"].replace(report.account, account) for row in report.rows]
        pairs = list(zip(report.rows, arns, strict=True))
        rows = [row | {"arn": arn, column: text} for row, arn in pairs]
        copies.append(replace(report, account=account, rows=rows))
        spoilt += [Spoilt(row, arn, column, text) for row, arn in pairs]
    return copies, spoilt


def test_what_nobody_can_read_never_makes_a_pass():
    """
    Garbage in any one cell: what was no pass is none now, and nobody who was asked about is let go.
    """
    excepted: set[str] = set()
    shaken: set[str] = set()

    @settings(FEW, max_examples=40)
    @given(worlds(2, 4))
    def compare(world: list[Report]) -> None:
        # Of a stale account nothing is known, and nothing can be lost.
        world = [
            replace(report, facts=replace(report.facts or AccountFacts(), is_stale=False))
            for report in world
        ]
        copies, spoilt = spoil(world)
        intact, damaged = judge(world), judge(copies)
        opened = []
        for case in CASES:
            before, after = read_verdicts(intact, case), read_verdicts(damaged, case)
            for one in spoilt:
                was, became = before[one.row["arn"]], after[one.arn]
                if became in LET_GO and became != was and one.is_odd:
                    opened.append((case.name, was, became, one))
                elif became == "unknown" and was in EXCEPTIONS:
                    excepted.add(case.check_id)
                elif became == "unknown" and was == "pass":
                    shaken.add(case.check_id)
        assert not opened, "\n".join(map(str, opened[:5]))

    compare()

    # Or the claim would be empty: every check had exceptions to hide, and passes to lose.
    assert excepted == set(SUBJECTS) - NEVER_UNKNOWN
    assert shaken == set(SUBJECTS) - NEVER_UNKNOWN


@FEW
@given(worlds())
def test_a_stale_report_passes_nobody(world):
    """
    Of an account whose report is too old nothing is known, but whom a check is not about at all.
    """
    stale = [
        replace(report, facts=replace(report.facts or AccountFacts(), is_stale=True))
        for report in world
    ]

    table = judge(stale)

    for case in CASES:
        found = read_verdicts(table, case)
        for report in stale:
            for row in report.rows:
                due = "unknown" if is_about(case, row) else "not-applicable"
                assert found[row["arn"]] == due, (case.name, row)


@FEW
@given(worlds())
def test_a_stale_report_changes_no_other_account_s_verdicts(world):
    """
    One account's facts are that account's: its neighbours' verdicts stay as they were.
    """
    first, *others = world
    stale = replace(first, facts=AccountFacts(is_stale=True, is_management=True))

    before, after = judge(world), judge([stale, *others])

    names = [case.name for case in CASES]
    arns = [row["arn"] for report in others for row in report.rows]
    pd.testing.assert_frame_equal(after.loc[arns, names], before.loc[arns, names])


# The reference itself


def test_the_reference_knows_every_check_of_a_row():
    """
    A check that is added must be added to the reference, or nobody checks the checker.
    """
    subjects = {name: check.subject for name, check in CHECKS.items()}

    of_rows = {name for name, subject in subjects.items() if subject is not Subject.ACCOUNT}
    of_users = {name for name, subject in subjects.items() if subject is Subject.USER}

    assert of_rows == set(SUBJECTS)
    assert of_users == {name for name, subject in SUBJECTS.items() if subject == USER}


def test_the_reference_has_the_same_defaults():
    """
    Parameters and their defaults are those of the description; only patterns are the check's own.
    """
    for check_id in SUBJECTS:
        values = CHECKS[check_id].parameters().model_dump()
        values.pop("patterns", None)
        assert values == DEFAULTS.get(check_id, {}), check_id


def test_the_profile_is_the_same_on_every_machine():
    """
    Examples are derived and not drawn, so that no run fails by chance.
    """
    assert all(profile.derandomize for profile in (FEW, MANY))
    assert all(profile.database is None for profile in (FEW, MANY))
