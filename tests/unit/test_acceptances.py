import hashlib
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.acceptances import (
    MAX_ACCEPTANCE_BYTES,
    Acceptance,
    AcceptanceLedger,
    Kind,
    State,
    load_acceptances_file,
    read_acceptances,
)
from scanner.checks import CHECKS, Subject
from scanner.errors import AcceptanceError
from scanner.model import ROOT_USER
from scanner.records import decode, encode
from scanner.summary import AcceptanceTotals

# The same examples in every run: a failure on one machine is a failure on all.
FEW = settings(max_examples=100, deadline=None, derandomize=True, database=None)

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "acceptances.example.yaml"
NAME = "acceptances.yaml"
TODAY = date(2026, 11, 24)
DAY = timedelta(days=1)
ABOUT_ACCOUNTS = sorted(name for name, check in CHECKS.items() if check.subject is Subject.ACCOUNT)

ENTRY = {
    "id": "legacy-keys",
    "kind": "compensating-control",
    "account": "012345678901",
    "user": "alice",
    "check": "access-key-age:days=45",
    "reason": "The keys open one bucket, from one address.",
    "owner": "Platform team",
    "approver": "Noor Haddad",
    "ticket": "RISK-1",
    "from": date(2026, 7, 1),
    "until": date(2026, 12, 31),
}
OPTIONAL = {"at_most"}

ACCEPTANCE = Acceptance(
    id="legacy-keys",
    kind=Kind.COMPENSATING_CONTROL,
    account="012345678901",
    user="alice",
    check="console-no-mfa",
    reason="A reason",
    owner="Platform team",
    approver="Noor Haddad",
    ticket="RISK-1",
    begins=date(2026, 7, 1),
    until=date(2027, 6, 30),
    at_most=10,
)
FINDING = {
    "account_id": "012345678901",
    "user": "alice",
    "arn": "arn:aws:iam::012345678901:user/alice",
    "check": "console-no-mfa",
    "verdict": "fail",
}


def change(**fields):
    """
    Return a sound entry with some fields replaced. `from_` is the field `from`.
    """
    return ENTRY | {name.rstrip("_"): value for name, value in fields.items()}


def without(field):
    return {name: value for name, value in ENTRY.items() if name != field}


def write(*entries, **top):
    return yaml.safe_dump({"format": 1, "acceptances": list(entries)} | top).encode()


def write_raw(**fields):
    """
    Return a file of one entry whose fields are written as they are, for what YAML makes of them.
    """
    lines = yaml.safe_dump({key: ENTRY[key] for key in ENTRY if key not in fields}).splitlines()
    lines += [f"{key}: {value}" for key, value in fields.items()]
    return ("format: 1\nacceptances:\n- " + "\n  ".join(lines) + "\n").encode()


def accept(*entries):
    return read_acceptances(write(*entries), NAME).acceptances


def refuse(source):
    """
    Read what must be refused, an entry or a file's bytes, and return the problems.
    """
    with pytest.raises(AcceptanceError) as caught:
        read_acceptances(source if isinstance(source, bytes) else write(source), NAME)
    problems = caught.value.problems
    assert str(caught.value) == "\n".join(problems)
    assert all(problem.startswith(f"{NAME}: ") and "\n" not in problem for problem in problems)
    return problems


def refuse_field(source, field):
    """
    Read what must be refused for one field alone, and return what is said of it.
    """
    (problem,) = refuse(source)
    place = f"{NAME}: acceptance legacy-keys, field {field}: "
    assert problem.startswith(place)
    return problem.removeprefix(place)


def list_findings(*changes):
    return pd.DataFrame([FINDING | change for change in changes], columns=list(FINDING))


def note(acceptance, *findings, today=TODAY):
    """
    Return the two columns of some findings as lists, missing values as None.
    """
    several = acceptance if isinstance(acceptance, list) else [acceptance]
    frame = AcceptanceLedger(several, today).annotate(list_findings(*findings))
    return [
        [None if pd.isna(cell) else cell for cell in frame[name]]
        for name in ("acceptance", "acceptance_note")
    ]


def matches(acceptance, *findings):
    """
    Tell which findings an acceptance in force covers.
    """
    return [name is not None for name in note(acceptance, *findings)[0]]


def warn(acceptance, *findings, today=TODAY, **columns):
    """
    Return what is warned about one acceptance after some findings.
    """
    ledger = AcceptanceLedger([acceptance], today)
    ledger.annotate(list_findings(*findings).assign(**columns))
    (total,) = ledger.totals()
    return list(total.warnings)


# What is accepted


def test_the_example_is_a_sound_file_that_shows_each_kind():
    """
    The file that people copy is accepted as it is, and has every kind once.
    """
    file = load_acceptances_file(EXAMPLE)

    assert sorted(Kind) == sorted(acceptance.kind for acceptance in file.acceptances)
    assert AcceptanceLedger(file.acceptances, TODAY).totals()[0].state == "in-force"


def test_the_example_explains_every_field():
    """
    Each field of an acceptance has its line among the comments of the example.
    """
    explained = re.findall(r"^#   (\w+) {2,}\S", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted({*ENTRY, *OPTIONAL}) == sorted(explained)


def test_an_acceptance_is_read_with_all_it_says():
    """
    Every field reaches the acceptance, and the file's own bytes stay with it.
    """
    source = write(change(at_most=3))

    file = read_acceptances(source, NAME)

    assert file.acceptances == (
        Acceptance(
            id="legacy-keys",
            kind=Kind.COMPENSATING_CONTROL,
            account="012345678901",
            user="alice",
            check="access-key-age:days=45",
            reason="The keys open one bucket, from one address.",
            owner="Platform team",
            approver="Noor Haddad",
            ticket="RISK-1",
            begins=date(2026, 7, 1),
            until=date(2026, 12, 31),
            at_most=3,
        ),
    )
    assert file.source == source
    assert file.sha256 == hashlib.sha256(source).hexdigest()


def test_a_file_may_accept_nothing():
    """
    An empty list says that no risk is accepted, which is not the same as an empty file.
    """
    assert accept() == ()


def test_acceptances_keep_the_order_of_their_file():
    """
    The order decides which of several stands beside a finding, so it is the author's.
    """
    ids = ["b", "a", "c"]

    assert ids == [acceptance.id for acceptance in accept(*(change(id=name) for name in ids))]


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({}, 1),
        ({"check": "console-no-mfa"}, 1),
        ({"user": ROOT_USER, "check": "root-access-key-active"}, 1),
        ({"check": "access-key-age"}, 10),
        ({"user": "svc-*"}, 10),
        ({"user": "alic?"}, 10),
        ({"account": "*"}, 10),
        ({"user": "svc-*", "at_most": 1}, 1),
        ({"at_most": 100_000}, 100_000),
        ({"at_most": None}, 1),
    ],
)
def test_who_does_not_say_how_many_means_few(fields, allowed):
    """
    One user and one column make one finding; several columns, patterns and all accounts make ten.
    """
    (acceptance,) = accept(change(**fields))

    assert allowed == acceptance.at_most


@pytest.mark.parametrize(
    "check",
    [
        "access-key-age",
        "access-key-age:days=45",
        "access-key-age:days=45,operator=at-least",
        "access-key-age:operator=at-least",
        "setup-key-never-used:within_minutes=5",
        "generic-username:patterns=a|b*|c,d",
        "extra-credentials",
    ],
)
def test_a_check_is_named_by_its_id_or_a_column(check):
    """
    What the users table calls a column is what an acceptance calls it, whatever its parameters are.
    """
    assert check == accept(change(check=check))[0].check


@pytest.mark.parametrize("days", [0, 1, 366])
def test_an_acceptance_may_last_a_year(days):
    """
    One day is the shortest, and the same day a year later the last that can be given.
    """
    (acceptance,) = accept(change(until=ENTRY["from"] + days * DAY))

    assert acceptance.until - acceptance.begins == days * DAY


def test_a_long_reason_is_folded_into_one_line():
    """
    A reason over several lines is one sentence in the documents.
    """
    (acceptance,) = read_acceptances(write_raw(reason=">-\n    one\n    two"), NAME).acceptances

    assert acceptance.reason == "one two"


def test_an_account_of_twelve_digits_that_yaml_leaves_alone_is_text():
    """
    With an 8 or a 9 after its leading zero an id is no octal number, and loses nothing.
    """
    (acceptance,) = read_acceptances(write_raw(account="012345678901"), NAME).acceptances

    assert acceptance.account == "012345678901"


# What is refused


@pytest.mark.parametrize("field", ENTRY)
def test_each_field_is_required(field):
    """
    An acceptance says all there is to say, or it is none.
    """
    (problem,) = refuse(without(field))

    named = "number 1" if field == "id" else "legacy-keys"
    assert problem == f"{NAME}: acceptance {named}, field {field}: is missing"


@pytest.mark.parametrize("field", ENTRY)
def test_no_field_may_be_empty(field):
    """
    A name without a value is a form that nobody filled in.
    """
    (problem,) = refuse(change(**{field: None}))

    assert problem.endswith(f"field {field}: is empty")


@pytest.mark.parametrize(
    "text", ["", " ", " x", "x ", "a\nb", "a\tb", "a\x1b[2Jb", "\u202ea", "a\u2028"]
)
@pytest.mark.parametrize("field", ["user", "check", "reason", "owner", "approver", "ticket"])
def test_text_is_one_line_that_can_be_printed(field, text):
    """
    What stands in a document, a log and a terminal neither moves the cursor nor turns the direction.
    """
    message = refuse_field(change(**{field: text}), field)

    assert message.startswith(
        ("is empty", "begins or ends", "holds a line break", "holds the char")
    )


def test_a_block_with_a_line_break_is_refused_with_the_way_out():
    """
    YAML's folded text ends in a line break unless it is told otherwise.
    """
    message = refuse_field(write_raw(reason=">\n    one\n    two"), "reason")

    assert "fold several with >-" in message


@pytest.mark.parametrize("field", ["reason", "owner", "approver", "ticket", "user"])
def test_text_without_end_is_refused(field):
    """
    A book in place of a reason would push everything else off the page.
    """
    assert "is longer than" in refuse_field(change(**{field: "x" * 2001}), field)


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("account", "123456789012"),
        ("user", "1234"),
        ("user", "yes"),
        ("owner", "no"),
        ("approver", "on"),
        ("ticket", "4711"),
        ("ticket", "4.7"),
        ("ticket", "2026-01-01"),
        ("reason", "[because]"),
        ("reason", "{a: b}"),
    ],
)
def test_yaml_s_surprises_are_refused_with_the_way_out(field, written):
    """
    Where YAML reads a number, a truth or a date, text needs quotes; an account would lose its zeros.
    """
    assert "put it in quotes" in refuse_field(write_raw(**{field: written}), field)


@pytest.mark.parametrize("written", ["0x10", "190:20:30", "01234567012"])
def test_what_is_no_account_is_refused_as_it_is_written(written):
    """
    YAML would make another number of it, and the author look for what stands nowhere.
    """
    assert f"(found {written!r})" in refuse_field(write_raw(account=written), "account")


def test_an_account_keeps_its_zero_without_quotes():
    """
    YAML reads 012345670123 as an octal number; here it stays what it looks like.
    """
    (accepted,) = read_acceptances(write_raw(account="012345670123"), NAME).acceptances

    assert accepted.account == "012345670123"


@pytest.mark.parametrize("name", ["12", "true", "2026-01-01", "~"])
def test_an_id_that_is_no_text_is_refused(name):
    """
    An id without quotes is not what its author sees, so the entry is named by its number.
    """
    (problem,) = refuse(write_raw(id=name))

    assert problem.startswith(f"{NAME}: acceptance number 1, field id: ")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", ".a", "a/b", "ä", "a\n", "x" * 65, "=1+1"])
def test_an_id_is_a_plain_word(name):
    """
    It stands in documents and sheets beside each finding, where it has to be told apart.
    """
    problems = refuse(change(id=name))

    assert [": must be 1 to 64 letters" in problem for problem in problems] == [True]


@pytest.mark.parametrize(
    "account",
    ["", "12", "1234567890123", "12345678901a", " 123456789012", "123456789012\n", "**", "?", "1*",
     "\u0661" * 12, "prod"],
)  # fmt: skip
def test_an_account_is_twelve_digits_or_every_one(account):
    """
    An account is named by its id and not by part of it: there are no patterns of accounts.
    """
    assert "must be twelve digits" in refuse_field(change(account=account), "account")


@pytest.mark.parametrize("field", ["from", "until"])
@pytest.mark.parametrize(
    "written",
    ["'2026-08-01'", "2026-08-01T00:00:00Z", "2026-08-01 12:00:00", "2026-8-1", "20260801", "soon",
     "1.8.2026", "true", "[2026-08-01]"],
)  # fmt: skip
def test_a_day_is_a_date_and_nothing_else(field, written):
    """
    A moment, a number or a text that looks like a date is not taken for a day.
    """
    message = refuse_field(write_raw(**{field: written}), field)

    assert message.startswith("must be a date without quotes and time, such as 2026-12-31")


def test_a_day_that_does_not_exist_is_refused_with_its_line():
    """
    There is no thirtieth of February, and the message says where it stands.
    """
    (problem,) = refuse(write_raw(until="2027-02-30"))

    assert problem == f"{NAME}: file: not YAML: line 13: '2027-02-30' is no timestamp"


def test_an_end_before_the_beginning_is_refused():
    """
    An acceptance that ends before it begins never counts.
    """
    message = refuse_field(change(until=date(2026, 6, 30)), "until")

    assert message == "2026-06-30 is before from (2026-07-01)"


@pytest.mark.parametrize("until", [date(2027, 7, 3), date(2036, 1, 1), date(9999, 12, 31)])
def test_an_acceptance_for_ever_is_refused(until):
    """
    More than 366 days ahead nobody knows what is accepted.
    """
    assert "renewed, not given for ever" in refuse_field(change(until=until), "until")


@pytest.mark.parametrize("kind", ["", "Break-glass", "break_glass", "exception", "false-positive"])
def test_a_kind_is_one_of_four(kind):
    """
    The kinds there are say why a risk is borne; that somebody dislikes a finding is none of them.
    """
    message = refuse_field(change(kind=kind), "kind")

    assert message == (
        "must be one of: compensating-control, break-glass, service-account, planned-removal "
        f"(found {kind!r})"
    )


@pytest.mark.parametrize("number", [0, -1, 1.0, 1.5, True, "5", 100_001, [1]])
def test_how_many_is_a_whole_number(number):
    """
    Nothing is rounded, and an endless number would be no limit.
    """
    message = refuse_field(change(at_most=number), "at_most")

    assert message.startswith("must be a whole number from 1 to 100000")


@pytest.mark.parametrize(
    "check", ["access-key-agee", "Access-Key-Age", "mfa", "*", "access-*", ":days=1"]
)
def test_a_check_that_does_not_exist_is_refused_with_those_that_do(check):
    """
    The message lists what can be accepted and nothing else, so that a slip is mended at once.
    """
    message = refuse_field(change(check=check), "check")

    listed = message.partition("there are: ")[2].partition(" (found")[0].split(", ")
    assert sorted(CHECKS.keys() - set(ABOUT_ACCOUNTS)) == listed


@pytest.mark.parametrize("check", ABOUT_ACCOUNTS)
def test_missing_evidence_cannot_be_accepted(check):
    """
    An account nobody read, or a report nobody can rely on, is not a risk that somebody has seen.
    """
    message = refuse_field(change(check=check), "check")

    assert message.startswith("is about the evidence itself: what nobody saw cannot be accepted")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("access-key-age:days=90", "these are the default parameters: write access-key-age,"),
        ("access-key-age:days=045", "the column is called access-key-age:days=45"),
        ("access-key-age:days= 45", "the column is called access-key-age:days=45"),
        (
            "access-key-age:operator=at-least,days=45",
            "the column is called access-key-age:days=45,operator=at-least",
        ),
        (
            "access-key-age:days=45,operator=more-than",
            "the column is called access-key-age:days=45 (",
        ),
        ("access-key-age:days=x", "no such column: days: "),
        ("access-key-age:days=-1", "no such column: days: "),
        ("access-key-age:days=None", "no such column: days: "),
        ("access-key-age:days=45.5", "no such column: days: "),
        ("access-key-age:operator=over", "no such column: operator: "),
        ("access-key-age:hours=1", "no parameter 'hours'; there are: days, operator"),
        ("access-key-age:days=45,hours=1", "no such column: days: "),
        ("access-key-age:", "no parameter ''; there are: days, operator"),
        ("access-key-age:Days=45", "no parameter 'Days'; there are: days, operator"),
        ("access-key-age:days=45:", "no such column: days: "),
        ("console-no-mfa:days=45", "this check has no parameters: write console-no-mfa"),
        ("console-no-mfa:", "this check has no parameters: write console-no-mfa"),
    ],
)
def test_a_column_that_cannot_exist_is_refused(check, message):
    """
    A column that is written in another way than the users table's would match nothing in silence.
    """
    assert refuse_field(change(check=check), "check").startswith(message)


@pytest.mark.parametrize("user", ["*", "**", "?", "*?", "?*?"])
def test_everybody_in_every_account_is_refused(user):
    """
    Wildcards alone, in all accounts, accept a check's findings away without naming anybody.
    """
    message = refuse_field(change(account="*", user=user), "user")

    assert message.startswith(f"{user} in every account is everybody")


def test_everybody_in_one_account_can_be_accepted():
    """
    A sandbox may be accepted as a whole, for one account is a decision that somebody can oversee.
    """
    assert accept(change(user="*"))[0].at_most == 10


@pytest.mark.parametrize("user", ["alice", "*", "root", "<root>", "root_account"])
def test_a_check_of_root_users_is_accepted_for_root_alone(user):
    """
    Root is named as the report names it; a pattern is about IAM users, and one may be called root.
    """
    message = refuse_field(change(user=user, check="root-access-key-active"), "user")

    assert message.startswith(
        "must be <root_account>, for root-access-key-active is about root users"
    )


def test_a_check_of_iam_users_is_not_accepted_for_root():
    """
    It never says anything about root, so the acceptance would never match.
    """
    assert "is about IAM users" in refuse_field(change(user="<ROOT_account>"), "check")


@pytest.mark.parametrize("field", ["Owner", "begins", "expires", "accounts", "a\nb", "at-most"])
def test_a_field_that_does_not_exist_is_refused(field):
    """
    A misspelt field would be one that does nothing, and the message lists those there are.
    """
    (problem,) = refuse(ENTRY | {field: "x"})

    assert ": no such field; there are: id, kind, account, user, check, reason, owner, " in problem
    assert "from, until, at_most" in problem


@pytest.mark.parametrize("key", ["1", "~", "on", "2026-01-01", "1.5"])
def test_a_field_whose_name_is_no_text_is_refused(key):
    """
    YAML allows anything as a key, and a message can be made of each.
    """
    in_entry = refuse(write_raw(**{key: "x"}))
    on_top = refuse(write(ENTRY) + f"{key}: x\n".encode())

    assert [": no such field; there are: id" in problem for problem in in_entry] == [True]
    assert on_top == [
        f"{NAME}: field that is no text: no such field; there are: format, acceptances"
    ]


def test_a_misspelt_field_without_a_value_is_refused_for_its_name():
    """
    Filling it in would not help.
    """
    (problem,) = refuse(ENTRY | {"Owner": None})

    assert "field Owner: no such field; there are: " in problem


@pytest.mark.parametrize("entry", [None, 1, "alice", [], ["a"], True, date(2026, 1, 1)])
def test_an_entry_that_is_no_mapping_is_refused(entry):
    """
    What is listed has fields, and the message names its place, counted from one.
    """
    (problem,) = refuse(write(ENTRY, entry))

    assert problem.startswith(f"{NAME}: acceptance number 2: must be a mapping of fields")


def test_an_id_that_appears_twice_is_refused():
    """
    Of two acceptances with one id, a document could not say which it means.
    """
    assert refuse(write(ENTRY, change(id="b"), ENTRY)) == [
        f"{NAME}: acceptance legacy-keys: the id appears twice"
    ]


@pytest.mark.parametrize(
    "source",
    [b"", b" ", b"# nothing", b"null", b"[]", b"- a", b"7", b"text", b"---\n...\n"],
)
def test_what_is_no_mapping_is_refused(source):
    """
    An empty file accepts nothing, but does not say so.
    """
    assert refuse(source) == [
        f"{NAME}: file: holds no acceptances; see config/acceptances.example.yaml"
    ]


@pytest.mark.parametrize(
    ("top", "places"),
    [
        ({"format": 2}, ["field format"]),
        ({"format": "1"}, ["field format"]),
        ({"format": True}, ["field format"]),
        ({"format": 1.0}, ["field format"]),
        ({"format": None}, ["field format"]),
        ({"acceptances": None}, ["field acceptances"]),
        ({"acceptances": {}}, ["field acceptances"]),
        ({"acceptances": "none"}, ["field acceptances"]),
        ({"exceptions": []}, ["field exceptions"]),
        ({"Format": 1, "format": 3}, ["field Format", "field format"]),
    ],
)
def test_the_file_says_what_it_is(top, places):
    """
    Another format, no list and fields that do not exist are each named.
    """
    problems = refuse(write(**top))

    assert places == [problem.split(": ")[1] for problem in problems]


@pytest.mark.parametrize(
    "source",
    [
        b"format: 1\nformat: 1\nacceptances: []",
        b"format: 1\nacceptances:\n- id: a\n  id: b",
        b"format: 1\nacceptances: [",
        b"format: 1\nacceptances:\n- user: *",
        b"\xff",
        b"a: \x00",
        b"[" * 20_000,
        b"a: !!python/object/apply:os.system ['true']",
    ],
    ids=lambda source: repr(source[-24:]),
)
def test_what_is_not_strict_yaml_is_refused(source):
    """
    Damage, objects, stars without quotes and keys given twice are one refusal.
    """
    (problem,) = refuse(source)

    assert problem.startswith(f"{NAME}: file: not YAML: ")


def test_every_problem_is_listed_at_once():
    """
    Neither a file's fault nor an entry's, nor one field's, hides those of another.
    """
    problems = refuse(
        write(
            change(id="a", owner="", account="*", user="*", until=date(2026, 1, 1)),
            change(id="b", kind="x", check="console-mfa", at_most=0, extra=1),
            "c",
            without("id"),
            change(id="d"),
            change(id="d"),
            format=2,
        )
    )

    assert sorted(problem.split(": ")[1] for problem in problems) == [
        "acceptance a, field owner",
        "acceptance a, field until",
        "acceptance a, field user",
        "acceptance b, field at_most",
        "acceptance b, field check",
        "acceptance b, field extra",
        "acceptance b, field kind",
        "acceptance d",
        "acceptance number 3",
        "acceptance number 4, field id",
        "field format",
    ]


def test_a_bomb_of_references_is_not_unfolded():
    """
    Ten thousand million words in place of one are refused without repeating them.
    """
    lines = ["l0: &l0 [boom]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    source = "\n".join(lines).encode() + b"\n" + write_raw(reason="*l9", at_most="*l9")

    problems = refuse(source)

    assert sum(map(len, problems)) < 10_000
    assert sum("acceptance legacy-keys, field" in problem for problem in problems) == 2


def test_a_number_that_cannot_be_written_is_refused():
    """
    Python does not write a number of thousands of digits, and the message must not try.
    """
    problems = refuse(write_raw(at_most=f"0x1{'0' * 5000}", ticket=f"0x1{'0' * 5000}"))

    assert len(problems) == 2


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    """
    A file that is missing, or is a folder, accepts nothing and is an error.
    """
    with pytest.raises(AcceptanceError, match="cannot be read: No such file"):
        load_acceptances_file(tmp_path / NAME)
    with pytest.raises(AcceptanceError, match="cannot be read: Is a directory"):
        load_acceptances_file(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path):
    """
    A disk image named by mistake is not read into memory.
    """
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(MAX_ACCEPTANCE_BYTES + 1)

    with pytest.raises(AcceptanceError, match="larger than 1 MiB"):
        load_acceptances_file(path)


# Whom an acceptance covers


def test_a_finding_that_is_accepted_says_until_when_and_by_whom():
    """
    The id and a note in words stand beside the finding.
    """
    assert note(ACCEPTANCE, {}) == [
        ["legacy-keys"],
        ["accepted until 2027-06-30 by Noor Haddad (compensating-control, RISK-1)"],
    ]


def test_a_lead_can_be_accepted_like_an_exception():
    """
    Whoever has answered the question that a lead asks may say so.
    """
    assert matches(ACCEPTANCE, {"verdict": "needs-review"}) == [True]


@pytest.mark.parametrize("verdict", ["unknown", "pass", "not-applicable", "not-tested", None])
def test_no_other_verdict_can_be_accepted(verdict):
    """
    Unknown above all: what nobody could tell is not a risk that somebody has seen.
    """
    assert note(ACCEPTANCE, {"verdict": verdict}) == [[None], [None]]


@pytest.mark.parametrize(
    "other",
    [
        {"account_id": "012345678902"},
        {"account_id": "12345678901"},
        {"account_id": None},
        {"account_id": "*"},
        {"user": "alice2"},
        {"user": "malice"},
        {"user": "alice "},
        {"user": ""},
        {"user": None},
        {"user": ROOT_USER},
        {"check": "console-no-mfa:days=1"[:8]},
        {"check": "programmatic-no-mfa"},
        {"check": "root-console-no-mfa"},
        {"check": None},
    ],
)
def test_another_account_user_or_check_is_not_covered(other):
    """
    An acceptance is about the account, the user and the check it names and no other.
    """
    assert note(ACCEPTANCE, other, {}) == [
        [None, "legacy-keys"],
        [None, ACCEPTANCE.note_on(TODAY)],
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("ALICE", {"alice", "Alice", "ALICE"}),
        ("alic?", {"alice", "Alice", "ALICE", "alic1"}),
        ("*lic*", {"alice", "Alice", "ALICE", "alic1", "malice", "alic[e]", "alic"}),
        ("alic[e]", {"alic[e]"}),
        ("alic[*", {"alic[e]"}),
        ("alic[ef]*", set()),
        ("alic[!x]", set()),
        (".*", {".x"}),
        ("a|b*", set()),
        ("(a*", set()),
        ("*\\", set()),
        ("*" * 40 + "x", {".x"}),
    ],
)
def test_names_are_compared_without_case_and_patterns_are_globs(pattern, names):
    """
    `*` and `?` stand for characters, and everything else, brackets included, for itself.
    """
    people = [
        "alice",
        "Alice",
        "ALICE",
        "alic1",
        "malice",
        "alic[e]",
        "alic",
        ".x",
        "bob",
        ROOT_USER,
    ]

    covered = matches(replace(ACCEPTANCE, user=pattern), *({"user": name} for name in people))

    assert names == {name for name, is_covered in zip(people, covered, strict=True) if is_covered}


@pytest.mark.parametrize("pattern", ["*", "<*", "*account*", "?root_account>"])
@pytest.mark.parametrize("account", ["012345678901", "*"])
def test_no_pattern_covers_root(pattern, account):
    """
    Root is accepted by name: nobody means it by a pattern of users.
    """
    acceptance = replace(ACCEPTANCE, user=pattern, account=account, check="extra-credentials")

    assert note(acceptance, {"user": ROOT_USER, "check": "extra-credentials"}) == [[None], [None]]


@pytest.mark.parametrize("account", ["012345678901", "*"])
def test_root_is_covered_by_its_name(account):
    """
    What the report calls the root user is what an acceptance calls it.
    """
    acceptance = replace(ACCEPTANCE, user=ROOT_USER, account=account, check="root-recent-use")

    assert matches(acceptance, {"user": ROOT_USER, "check": "root-recent-use"}) == [True]


@pytest.mark.parametrize("user", ["alice", "al*"])
def test_every_account_is_every_account(user):
    """
    A user of the same name is covered in each.
    """
    acceptance = replace(ACCEPTANCE, account="*", user=user)

    covered = matches(
        acceptance, {}, {"account_id": "999999999999"}, {"user": "bob"}, {"user": "Alice"}
    )

    assert covered == [True, True, False, True]


@pytest.mark.parametrize(
    ("check", "covered"),
    [
        ("access-key-age", [True, True, True, False, False]),
        ("access-key-age:days=45", [False, True, False, False, False]),
        ("access-key-age:days=4", [False, False, False, False, False]),
        ("access-key", [False, False, False, False, False]),
    ],
)
def test_an_id_covers_all_parameters_and_a_column_its_own(check, covered):
    """
    Accepting one threshold accepts no other.
    """
    columns = [
        "access-key-age",
        "access-key-age:days=45",
        "access-key-age:days=45,operator=at-least",
        "access-key-unused",
        "access-key-unused:days=45",
    ]

    acceptance = replace(ACCEPTANCE, check=check)

    assert covered == matches(acceptance, *({"check": column} for column in columns))


# When it counts


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 6, 30), State.NOT_YET),
        (date(2026, 7, 1), State.IN_FORCE),
        (date(2027, 6, 30), State.IN_FORCE),
        (date(2027, 7, 1), State.EXPIRED),
    ],
)
def test_the_first_and_the_last_day_are_in_force(today, state):
    """
    A day sooner it has not begun, and a day later it has expired.
    """
    accepted, _ = note(ACCEPTANCE, {}, today=today)

    assert state == ACCEPTANCE.state_on(today)
    assert accepted == ["legacy-keys" if state is State.IN_FORCE else None]


def test_an_expired_acceptance_says_why_the_finding_is_open_again():
    """
    It stands beside the finding as a note and not as an acceptance.
    """
    assert note(ACCEPTANCE, {}, today=date(2027, 7, 1)) == [
        [None],
        ["acceptance legacy-keys expired on 2027-06-30: open again"],
    ]


def test_an_acceptance_that_has_not_begun_says_when_it_does():
    """
    Until then the finding is open.
    """
    assert note(ACCEPTANCE, {}, today=date(2026, 6, 30)) == [
        [None],
        ["acceptance legacy-keys begins on 2026-07-01"],
    ]


def test_the_first_in_the_file_speaks_among_several_in_force():
    """
    However specific they are, the order is the author's.
    """
    wide = replace(ACCEPTANCE, id="wide", user="al*", account="*")

    assert note([ACCEPTANCE, wide], {})[0] == ["legacy-keys"]
    assert note([wide, ACCEPTANCE], {})[0] == ["wide"]


def test_one_in_force_speaks_before_one_that_is_not():
    """
    A renewal counts, wherever it stands, and what has expired speaks before what is to come.
    """
    old = replace(ACCEPTANCE, id="old", until=date(2026, 10, 1))
    later = replace(ACCEPTANCE, id="later", begins=date(2027, 1, 1))

    assert note([later, old, ACCEPTANCE], {})[0] == ["legacy-keys"]
    assert note([later, old], {})[1] == [old.note_on(TODAY)]
    assert note([later], {})[1] == [later.note_on(TODAY)]


# Tables of every kind


def test_the_columns_fit_beside_any_findings():
    """
    The index is kept as it is, text stays text, and a missing value is missing.
    """
    findings = list_findings({}, {"user": "bob"}, {}).set_index(pd.Index([7, 7, 3]))

    frame = AcceptanceLedger([ACCEPTANCE], TODAY).annotate(findings)

    assert list(frame.columns) == ["acceptance", "acceptance_note"]
    assert list(frame.index) == [7, 7, 3]
    assert [str(dtype) for dtype in frame.dtypes] == ["str", "str"]
    assert frame["acceptance"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("acceptances", [[], [ACCEPTANCE], [replace(ACCEPTANCE, account="*")]])
def test_nothing_to_annotate_is_annotated(acceptances):
    """
    A batch without findings, or a run without acceptances, has the same two columns.
    """
    ledger = AcceptanceLedger(acceptances, TODAY)

    none = ledger.annotate(list_findings())

    assert (list(none.columns), len(none)) == (["acceptance", "acceptance_note"], 0)
    assert [str(dtype) for dtype in none.dtypes] == ["str", "str"]
    assert len(ledger.annotate(list_findings({"user": "bob"}))) == 1
    assert len(ledger.totals()) == len(acceptances)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_text_of_any_kind_is_read(dtype):
    """
    Columns of few different values may be categories, and a table from a file may hold objects.
    """
    findings = list_findings({}, {"user": "bob"}).astype(dtype)

    frame = AcceptanceLedger([ACCEPTANCE], TODAY).annotate(findings)

    assert frame["acceptance"].notna().tolist() == [True, False]


# What holds of any findings

people = st.sampled_from(
    ["alice", "Alice", "bob", "svc-1", "svc-2", "", ROOT_USER, "a[b]", "ALİCE"]
)
accounts = st.sampled_from(["000000000001", "000000000002", "000000000003"])
columns = st.sampled_from(["console-no-mfa", "access-key-age", "access-key-age:days=45"])
verdicts = st.sampled_from(["fail", "needs-review", "unknown"])
days = st.integers(-60, 60).map(lambda number: TODAY + number * DAY)
moments = st.none() | st.integers(-90, 90).map(
    lambda number: datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(days=number)
)
findings_tables = st.lists(
    st.fixed_dictionaries(
        {
            "account_id": accounts,
            "user": people,
            "check": columns,
            "verdict": verdicts,
            "user_creation_time": moments,
        }
    ),
    min_size=1,
    max_size=12,
).map(
    lambda rows: pd.DataFrame(rows).astype(
        {"user_creation_time": pd.DatetimeTZDtype(unit="ms", tz="UTC")}
    )
)
several_acceptances = st.lists(
    st.builds(
        lambda account, user, check, begins, until, at_most: replace(
            ACCEPTANCE,
            account=account,
            user=user,
            check=check,
            begins=min(begins, until),
            until=max(begins, until),
            at_most=at_most,
        ),
        accounts | st.just("*"),
        people.filter(bool) | st.sampled_from(["*", "al*", "SVC-?", "?*", "*[*"]),
        columns,
        days,
        days,
        st.integers(1, 3),
    ),
    max_size=6,
).map(
    lambda drawn: [replace(acceptance, id=f"a{n}") for n, acceptance in enumerate(drawn)],
)


@FEW
@given(several_acceptances, findings_tables)
def test_annotating_changes_drops_and_reorders_nothing(acceptances, findings):
    """
    Whatever is accepted, every finding is still there, in its place, with its verdict.
    """
    before = findings.copy(deep=True)

    frame = AcceptanceLedger(acceptances, TODAY).annotate(findings)

    pd.testing.assert_frame_equal(before, findings)
    pd.testing.assert_index_equal(before.index, frame.index)


@FEW
@given(several_acceptances, findings_tables)
def test_unknown_is_never_accepted(acceptances, findings):
    """
    No acceptance, however wide, says anything beside a verdict that nobody could reach.
    """
    frame = AcceptanceLedger(acceptances, TODAY).annotate(findings)

    unknown = frame[findings["verdict"] == "unknown"]
    assert unknown.isna().to_numpy().all()


@FEW
@given(several_acceptances, findings_tables, st.integers(0, 12))
def test_batches_add_up_to_the_whole(acceptances, findings, cut):
    """
    Findings in two batches get the same notes as in one, and each acceptance the same totals.
    """
    whole, parts = (AcceptanceLedger(acceptances, TODAY) for _ in range(2))

    at_once = whole.annotate(findings)
    in_batches = [parts.annotate(findings.iloc[:cut]), parts.annotate(findings.iloc[cut:])]

    pd.testing.assert_frame_equal(at_once, pd.concat(in_batches))
    assert whole.totals() == parts.totals()


@FEW
@given(several_acceptances, findings_tables)
def test_the_quick_way_finds_what_the_slow_way_does(acceptances, findings):
    """
    Looking at each finding and each acceptance by themselves gives the same acceptance.
    """
    frame = AcceptanceLedger(acceptances, TODAY).annotate(findings)

    expected = [
        next((acceptance.id for acceptance in acceptances if covers_today(acceptance, row)), None)
        for row in findings.to_dict("records")
    ]
    assert expected == [None if pd.isna(name) else name for name in frame["acceptance"]]


def covers_today(acceptance, row):
    """
    Tell whether an acceptance covers a finding, told in the words of its documentation.
    """
    name, wanted = row["user"].casefold(), acceptance.user.casefold()
    if acceptance.is_pattern:
        signs = {"*": ".*", "?": "."}
        expression = "".join(signs.get(char, re.escape(char)) for char in wanted)
        is_named = name not in {"", ROOT_USER} and re.fullmatch(expression, name)
    else:
        is_named = name == wanted
    return bool(
        is_named
        and acceptance.begins <= TODAY <= acceptance.until
        and acceptance.account in {"*", row["account_id"]}
        and acceptance.check in {row["check"], row["check"].split(":")[0]}
        and row["verdict"] != "unknown"
    )


# Totals


def test_totals_say_all_that_an_acceptance_says():
    """
    What documents list of an acceptance is complete, and becomes JSON and comes back.
    """
    ledger = AcceptanceLedger([ACCEPTANCE], TODAY)
    ledger.annotate(list_findings({}))

    (total,) = ledger.totals()

    assert total == AcceptanceTotals(
        id="legacy-keys",
        kind="compensating-control",
        account="012345678901",
        user="alice",
        check="console-no-mfa",
        reason="A reason",
        owner="Platform team",
        approver="Noor Haddad",
        ticket="RISK-1",
        begins="2026-07-01",
        until="2027-06-30",
        state="in-force",
        matched=1,
        warnings=(),
    )
    assert decode(AcceptanceTotals, encode(total), "summary.json") == total


def test_every_acceptance_is_listed_in_the_order_of_the_file():
    """
    In force or not, matching or not: none is left out.
    """
    ids = ["c", "a", "b"]
    ends = [date(2026, 10, 1), date(2027, 1, 1), date(2026, 11, 1)]
    ledger = AcceptanceLedger(
        [replace(ACCEPTANCE, id=name, until=end) for name, end in zip(ids, ends, strict=True)],
        TODAY,
    )

    assert ids == [total.id for total in ledger.totals()]


def test_a_finding_counts_for_each_acceptance_that_is_about_it():
    """
    An acceptance that another goes before is not one that matches nothing.
    """
    other = replace(ACCEPTANCE, id="other", user="al*")
    ledger = AcceptanceLedger([ACCEPTANCE, other], TODAY)
    ledger.annotate(list_findings({}, {"user": "alba"}))

    assert [total.matched for total in ledger.totals()] == [1, 2]


# Warnings


def test_an_acceptance_that_is_as_it_should_be_is_not_warned_about():
    """
    In force for long, matching what it names, approved by somebody else: nothing to look at.
    """
    assert warn(ACCEPTANCE, {}) == []


@pytest.mark.parametrize("left", [0, 1, 29, 30])
def test_an_end_within_thirty_days_is_warned_about(left):
    """
    Whoever has to renew it learns the last day in time.
    """
    until = TODAY + left * DAY

    assert warn(replace(ACCEPTANCE, until=until), {}) == [
        f"expires within 30 days: its last day is {until}"
    ]


@pytest.mark.parametrize("left", [31, 200])
def test_a_later_end_is_not_warned_about(left):
    """
    A warning that is always there is one that nobody reads.
    """
    assert warn(replace(ACCEPTANCE, until=TODAY + left * DAY), {}) == []


@pytest.mark.parametrize(
    ("findings", "words"),
    [([{}], "1 finding is"), ([{}, {"verdict": "needs-review"}], "2 findings are")],
)
def test_an_expired_acceptance_with_open_findings_is_warned_about(findings, words):
    """
    Somebody answered for these findings, and nobody does any more.
    """
    assert warn(replace(ACCEPTANCE, until=TODAY - DAY), *findings) == [
        f"expired on 2026-11-23, and {words} open again: resolve or renew"
    ]


def test_an_expired_acceptance_that_was_renewed_is_not_open():
    """
    What another acceptance speaks for is not open again.
    """
    ledger = AcceptanceLedger([replace(ACCEPTANCE, id="old", until=TODAY - DAY), ACCEPTANCE], TODAY)
    ledger.annotate(list_findings({}))

    assert [total.warnings for total in ledger.totals()] == [(), ()]


@pytest.mark.parametrize("until", [ACCEPTANCE.until, date(2026, 10, 1)])
def test_an_acceptance_that_matches_nothing_is_warned_about(until):
    """
    It is out of date or misspelt, and nobody sees which from a list without findings.
    """
    (warning,) = warn(replace(ACCEPTANCE, until=until), {"user": "alicia"})

    assert warning == (
        "matches nothing in the accounts that were read: what it accepts is resolved, or a name is "
        "misspelt"
    )


def test_an_acceptance_of_what_nobody_can_tell_is_warned_about():
    """
    It would look unused, and somebody would take it away while the verdict is unknown for now.
    """
    (warning,) = warn(ACCEPTANCE, {"verdict": "unknown"})

    assert warning == (
        "matches 1 unknown verdict and nothing else: what nobody can tell cannot be accepted"
    )


def test_more_than_its_author_can_have_meant_is_warned_about():
    """
    All are accepted, for that is what the file says, and the numbers stand beside it.
    """
    acceptance = replace(ACCEPTANCE, user="a*", at_most=2)
    names = [{"user": name} for name in ("a1", "a2", "a3")]

    assert matches(acceptance, *names) == [True, True, True]
    assert warn(acceptance, *names[:2]) == []
    assert warn(acceptance, *names) == [
        "matches 3 findings, and its author allowed for 2: narrow it, or raise at_most"
    ]


def test_unknown_verdicts_do_not_count_as_matched():
    """
    They are not accepted, so they are not more than the author meant.
    """
    assert warn(replace(ACCEPTANCE, at_most=1), {}, {"verdict": "unknown"}) == []


@pytest.mark.parametrize(
    "owner", ["Noor Haddad", "noor haddad", "  NOOR   Haddad ", "NOOR\tHADDAD"]
)
def test_who_approves_the_own_risk_is_warned_about(owner):
    """
    However it is spelt, one person's word is not two people's.
    """
    assert warn(replace(ACCEPTANCE, owner=owner), {}) == [
        "Noor Haddad owns it and approved it: let somebody else approve"
    ]


@pytest.mark.parametrize("owner", ["Noor", "Noor Haddad's team", "N. Haddad"])
def test_another_owner_is_not_warned_about(owner):
    """
    Whether two names are one person is not for us to guess.
    """
    assert warn(replace(ACCEPTANCE, owner=owner), {}) == []


def moment(year, month, day, hour=0):
    return pd.Timestamp(datetime(year, month, day, hour, tzinfo=UTC))


def test_a_user_who_is_newer_than_the_acceptance_is_warned_about():
    """
    Names are used again: who was accepted is perhaps not who is there now.
    """
    assert warn(ACCEPTANCE, {}, user_creation_time=[moment(2026, 7, 2)]) == [
        (
            "1 user it matches was created after it began on 2026-07-01, and may be somebody else "
            "under the same name: alice in 012345678901"
        )
    ]


@pytest.mark.parametrize(
    "created", [moment(2025, 1, 1), moment(2026, 7, 1), moment(2026, 7, 1, 23)]
)
def test_a_user_who_was_there_when_it_began_is_not_warned_about(created):
    """
    Nor one made on that very day.
    """
    column = pd.Series([created], dtype=pd.DatetimeTZDtype(unit="ms", tz="UTC"))

    assert warn(ACCEPTANCE, {}, user_creation_time=column) == []


def test_a_user_of_whom_nobody_knows_when_he_was_made_is_warned_about():
    """
    An unreadable creation time must not hide that somebody else has the name now.
    """
    column = pd.Series([pd.NaT], dtype=pd.DatetimeTZDtype(unit="ms", tz="UTC"))

    (warning,) = warn(ACCEPTANCE, {}, user_creation_time=column)

    assert "may be somebody else under the same name" in warning


def test_of_many_new_users_a_few_are_named_and_each_is_counted_once():
    """
    A user with several findings is one user, and a long list does not fill the page.
    """
    acceptance = replace(ACCEPTANCE, user="*", check="access-key-age", account="012345678901")
    names = ["eve", "dan", "cat", "bob", "al\nice", "eve"]
    checks = ["access-key-age"] * 5 + ["access-key-age:days=45"]
    findings = [{"user": name, "check": check} for name, check in zip(names, checks, strict=True)]

    (warning,) = warn(acceptance, *findings, user_creation_time=[moment(2026, 8, 1)] * 6)

    assert warning.startswith("5 users it matches were created after it began on 2026-07-01")
    assert warning.endswith(
        "al\ufffdice in 012345678901, bob in 012345678901, cat in 012345678901 and 2 more"
    )


@pytest.mark.parametrize(
    "change",
    [{"until": TODAY - DAY}, {"begins": TODAY + DAY}, {"user": "bob"}],
)
def test_a_new_user_whom_nothing_accepts_is_not_warned_about(change):
    """
    Who is not accepted today cannot be accepted by mistake.
    """
    warnings = warn(replace(ACCEPTANCE, **change), {}, user_creation_time=[moment(2026, 12, 24)])

    assert not any("created after" in warning for warning in warnings)


def test_every_warning_is_given_at_once():
    """
    One thing to look at does not hide another.
    """
    acceptance = replace(
        ACCEPTANCE, until=TODAY, at_most=1, owner="noor haddad", user="al*", account="*"
    )

    warnings = warn(acceptance, {}, {"user": "alf"}, user_creation_time=[moment(2026, 8, 1)] * 2)

    assert len(warnings) == 4


# Speed


def test_a_large_batch_is_annotated_in_good_time():
    """
    A hundred thousand findings against two hundred acceptances take less than a second on any machine.
    """
    size = 100_000
    findings = pd.DataFrame(
        {
            "account_id": [f"{number // 100:012d}" for number in range(size)],
            "user": [f"user-{number}" for number in range(size)],
            "check": ["console-no-mfa", "access-key-age"] * (size // 2),
            "verdict": ["fail"] * size,
        }
    )
    acceptances = [
        replace(ACCEPTANCE, id=f"a{n}", account="*" if n % 10 == 0 else f"{n:012d}", user=user)
        for n, user in enumerate(["user-1", "svc-*", "*-admin", "emergency-?"] * 50)
    ]
    ledger = AcceptanceLedger(acceptances, TODAY)

    began = datetime.now(UTC)
    ledger.annotate(findings)
    took = datetime.now(UTC) - began

    # Many times what it takes: whoever looks at each pair by itself needs twenty million looks.
    assert took < timedelta(seconds=1)
