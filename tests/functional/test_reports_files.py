import csv
import hashlib
import json
import re
import subprocess
import sys
from datetime import date, timedelta

import pytest
import reports_fixture as fixture

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.evidence.tables import (
    CONTROLS,
    FINDINGS,
    HISTORY,
    accounts_schema,
    users_schema,
)
from scanner.model import Severity
from scanner.reports import FORMATS
from scanner.reports.csv_files import draw_table
from scanner.reports.tables import ACCEPTANCE_COLUMNS, list_records
from scanner.summary import CheckTotals

FORBIDDEN = re.compile(rb"compliant|certified|passed pci|pci.passed", re.IGNORECASE)


def render(run, kind):
    folder = run.folder / "reports"
    folder.mkdir(exist_ok=True)
    return {path.name: path for path in FORMATS[kind](run, folder)}


def render_guarded(run):
    """
    Draw the CSV files, and return those for people: the exact ones hold whatever AWS said.
    """
    documents = render(run, "csv")
    return {name: path for name, path in documents.items() if "-exact" not in name}


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def run(tmp_path):
    return fixture.write_run(tmp_path, fixture.ordinary())


@pytest.fixture
def eventful(tmp_path):
    return fixture.write_eventful(tmp_path)


@pytest.fixture
def hostile(tmp_path):
    return fixture.write_run(tmp_path, fixture.hostile())


def test_the_registry_names_every_format_in_order():
    """
    These are the names that `--format` takes.
    """
    assert list(FORMATS) == [
        *("pdf", "xlsx", "html", "csv", "json", "jsonl", "parquet"),
        *("ocsf", "oscal", "junit", "github"),
    ]


def test_the_registry_imports_no_drawing_library():
    """
    `orgproof --help` must not wait for WeasyPrint.
    """
    code = (
        "import sys, scanner.reports; "
        "print(sorted({'weasyprint', 'openpyxl', 'jinja2', 'matplotlib', 'py_ocsf_models'}"
        " & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["xlsx", "html", "csv", "json"])
def test_a_document_is_never_written_over(run, kind):
    """
    A second rendering into the same folder is refused, and the first documents stay as they are.
    """
    first = {name: path.read_bytes() for name, path in render(run, kind).items()}

    with pytest.raises(RenderError, match="exists already; give a folder without this document"):
        render(run, kind)

    assert {name: (run.folder / "reports" / name).read_bytes() for name in first} == first


@pytest.mark.parametrize("kind", ["pdf", "xlsx", "html", "json"])
@pytest.mark.parametrize("period", ["../../evil", "a/b", "", ".hidden", "2026\nQ4", "x" * 200])
def test_a_period_that_leads_elsewhere_is_refused(tmp_path, kind, period):
    """
    The period in summary.json becomes a file name, and someone may have edited summary.json.
    """
    run = fixture.write_run(tmp_path / "run", fixture.clean(), period=period)

    with pytest.raises(RenderError, match="cannot be part of a file name"):
        render(run, kind)

    assert list((run.folder / "reports").iterdir()) == []


@pytest.mark.parametrize("kind", ["xlsx", "html", "csv", "json"])
def test_the_same_evidence_gives_the_same_bytes(tmp_path, kind):
    """
    Two renderings, at different moments and of equal evidence, are equal to the last byte.
    """
    digests = []
    for name in ("one", "two"):
        run = fixture.write_run(tmp_path / name, fixture.hostile())
        documents = render(run, kind)
        digests.append(
            {
                name: hashlib.sha256(path.read_bytes()).hexdigest()
                for name, path in documents.items()
            }
        )

    assert digests[0] == digests[1]


@pytest.mark.parametrize("kind", ["xlsx", "html", "csv", "json"])
def test_documents_are_for_their_owner_alone(run, kind):
    """
    They name people who can sign in with a password alone.
    """
    modes = {path.stat().st_mode & 0o777 for path in render(run, kind).values()}

    assert modes == {0o600}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_no_text_document_promises_anything(run, kind):
    """
    The determination is the assessor's: the words that would make it ours appear nowhere.
    """
    for path in render(run, kind).values():
        assert not FORBIDDEN.search(path.read_bytes()), path.name


def test_csv_columns_are_the_tables_own(run):
    """
    The files hold the documented columns in their order, under the documented names.
    """
    documents = render_guarded(run)

    headers = {name: read_csv(path)[0] for name, path in documents.items()}
    checks = run.summary.checks
    of_accounts = [total.check for total in checks if total.subject == "account"]
    of_rows = [total.check for total in checks if total.subject != "account"]
    assert headers == {
        "findings.csv": FINDINGS.names,
        "accounts.csv": accounts_schema(of_accounts).names,
        "users.csv": users_schema(of_rows).names,
        "controls.csv": CONTROLS.names,
        "acceptances.csv": list(ACCEPTANCE_COLUMNS),
        "changes.csv": HISTORY.names,
    }


def test_verdicts_about_accounts_stand_with_the_accounts(run):
    """
    A check about accounts is no column of the users, and a check of rows is none of the accounts.
    """
    documents = render(run, "csv")
    users, accounts = (read_csv(documents[f"{name}.csv"])[0] for name in ("users", "accounts"))

    assert {"account-not-collected", "report-stale", "population-mismatch"} <= set(accounts)
    assert not set(accounts) & {"console-no-mfa", "extra-credentials"}
    assert {"console-no-mfa", "extra-credentials"} <= set(users)
    assert not set(users) & {"account-not-collected", "report-malformed"}


def test_csv_is_what_rfc_4180_and_excel_expect(run):
    """
    A byte order mark, CR LF line ends, and quotes around every field.
    """
    content = render(run, "csv")["accounts.csv"].read_bytes()

    assert content.startswith(b'\xef\xbb\xbf"account_id","name"')
    lines = content.decode("utf-8-sig").split("\r\n")
    assert lines.pop() == ""
    assert all(line.startswith('"') and line.endswith('"') for line in lines)


def test_csv_values_are_written_for_machines_too(run):
    """
    Zeros are kept, times are ISO 8601 in UTC, booleans are words, and nothing is an empty field.
    """
    header, *rows = read_csv(render(run, "csv")["users.csv"])
    by_user = {row[header.index("user")]: dict(zip(header, row, strict=True)) for row in rows}

    odd = by_user["odd"]
    assert odd["account_id"] == "012345678901"
    assert odd["user_creation_time"] == "2021-03-04T05:06:07Z"
    assert (odd["is_root"], odd["mfa_active"]) == ("false", "false")
    assert odd["password_enabled"] == ""
    assert odd["console-no-mfa"] == "unknown"


def test_no_csv_field_is_a_formula_and_no_name_breaks_a_line(hostile):
    """
    Whatever accounts and users are called, each record is one line and no field computes.
    """
    for path in render_guarded(hostile).values():
        rows = read_csv(path)
        fields = [field for row in rows for field in row]
        assert not [field for field in fields if re.match(r"\s*[=+\-@\uff1d]", field)]
        assert len(path.read_bytes().splitlines()) == len(rows)


def test_csv_names_are_shown_with_their_hidden_characters(hostile):
    """
    A direction mark or a line break in a name is seen, not obeyed.
    """
    text = render(hostile, "csv")["accounts.csv"].read_text("utf-8-sig")

    assert "payments[U+202E]gpj.exe [U+200F][U+2066]mark" in text
    assert "line one[U+000D][U+000A]line two[U+0009]tab[U+0000]nul[U+001B][31mred[U+007F]" in text
    assert "\u202e" not in text


def test_csv_of_a_run_that_read_nothing_is_headers_and_the_account(tmp_path):
    """
    No account read still gives every file, with its columns and what is known: that it was not read.
    """
    run = fixture.write_run(tmp_path, [fixture.missed(fixture.MANAGEMENT, "management")])

    lengths = {name: len(read_csv(path)) - 1 for name, path in render_guarded(run).items()}

    assert lengths == {
        "findings.csv": 1,
        "accounts.csv": 1,
        "users.csv": 0,
        "controls.csv": len(run.controls()),
        "acceptances.csv": 0,
        "changes.csv": 0,
    }


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_users_table_without_a_checks_verdicts_is_refused(tmp_path, kind):
    """
    A check that the summary counts but the users table lacks is an error, not an empty column.
    """
    invented = CheckTotals("invented", "Invented", Severity.LOW, 0, 0, 0, 0, 0, 0)
    run = fixture.write_run(tmp_path, fixture.clean(), checks=(invented,))

    with pytest.raises(RenderError, match=r"users\.parquet has no column invented"):
        render(run, kind)

    assert not list((run.folder / "reports").glob("*users*"))


def test_changes_are_those_of_this_run_alone(eventful, tmp_path):
    """
    New, still open, fixed and left findings are changes; what a run before had fixed already is none.
    """
    header, *rows = read_csv(render(eventful, "csv")["changes.csv"])
    said = {(row[header.index("user")], row[header.index("state")]) for row in rows}

    assert {("newcomer", "new"), ("bob", "fixed"), ("alice", "still-open")} <= said
    assert ("zed", "account-left") in said
    assert ("", "account-joined") in said

    after = fixture.write_run(
        tmp_path / "next",
        fixture.clean(),
        started=fixture.STARTED + timedelta(days=90),
        previous=eventful,
    )
    _, *later = read_csv(render(after, "csv")["changes.csv"])
    fixed = {row[header.index("user")] for row in later if row[header.index("state")] == "fixed"}
    assert {"alice", "newcomer"} <= fixed
    assert "bob" not in fixed


def test_a_first_run_has_no_changes(run):
    """
    Without a previous run nothing is called new.
    """
    assert len(read_csv(render(run, "csv")["changes.csv"])) == 1
    (path,) = render(run, "json").values()
    assert json.loads(path.read_bytes())["changes"] == []


def test_every_acceptance_is_listed_with_its_state(eventful):
    """
    Expired, future and idle acceptances are in the file with what they match, and what is open again.
    """
    header, *rows = read_csv(render(eventful, "csv")["acceptances.csv"])
    by_id = {row[0]: dict(zip(header, row, strict=True)) for row in rows}

    assert {name: (row["state"], row["matched"]) for name, row in by_id.items()} == {
        "sealed-alice": ("in-force", "1"),
        "old-erin": ("expired", "1"),
        "future": ("not-yet", "1"),
        "nobody": ("in-force", "0"),
    }
    assert {name: row["open_again"] for name, row in by_id.items() if row["open_again"] != "0"} == {
        "old-erin": "1"
    }
    assert "let somebody else approve" in by_id["nobody"]["warnings"]
    assert by_id["old-erin"]["until"] == "2026-10-31"


def test_an_expired_acceptance_beside_a_new_one_opens_nothing(tmp_path):
    """
    Where the risk was accepted anew under another id, the finding is not open again.
    """
    past = {"from": date(2026, 1, 1), "until": date(2026, 10, 31)}
    both = fixture.write_acceptances(
        fixture.accept("first", "alice", **past), fixture.accept("renewed", "alice")
    )
    run = fixture.write_run(tmp_path, fixture.ordinary(), acceptances=both)

    header, first, _ = read_csv(render(run, "csv")["acceptances.csv"])

    said = dict(zip(header, first, strict=True))
    assert (said["state"], said["matched"], said["open_again"]) == ("expired", "1", "0")


def test_an_accepted_risk_stays_a_finding(eventful):
    """
    The finding keeps its verdict, and beside it stands who accepted it and until when.
    """
    header, *rows = read_csv(render(eventful, "csv")["findings.csv"])
    records = [dict(zip(header, row, strict=True)) for row in rows]
    (alice,) = [
        row for row in records if (row["user"], row["check"]) == ("alice", "console-no-mfa")
    ]

    assert (alice["verdict"], alice["acceptance"]) == ("fail", "sealed-alice")
    assert alice["acceptance_note"].startswith("accepted until 2027-08-31 by Noor Haddad, CISO")


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_eventful_run_promises_nothing_either(eventful, kind):
    """
    The words that would make the determination ours appear in none of the further tables.
    """
    for path in render(eventful, kind).values():
        assert not FORBIDDEN.search(path.read_bytes()), path.name


def test_text_from_the_acceptance_file_is_never_a_formula(tmp_path):
    """
    Reasons, owners and tickets are typed by people and guarded like names from AWS.
    """
    risky = fixture.accept(
        "risky", "alice", reason="=1+1", owner="@SUM(A1)", ticket="-2+3", approver="+cmd"
    )
    run = fixture.write_run(
        tmp_path, fixture.ordinary(), acceptances=fixture.write_acceptances(risky)
    )

    for path in render_guarded(run).values():
        fields = [field for row in read_csv(path) for field in row]
        assert not [field for field in fields if re.match(r"\s*[=+\-@\uff1d]", field)], path.name


def test_json_holds_names_exactly_as_aws_gave_them(hostile):
    """
    The document for machines changes nothing: it is where the exact name can be looked up.
    """
    (path,) = render(hostile, "json").values()
    document = json.loads(path.read_bytes())

    names = {account["name"] for account in document["accounts"]}
    assert names == set(fixture.HOSTILE)


def test_json_carries_the_totals_the_tables_and_the_seal(run):
    """
    It equals summary.json and the Parquet tables, and says where the users are.
    """
    (path,) = render(run, "json").values()
    document = json.loads(path.read_bytes())

    assert document["summary"] == json.loads((run.folder / "summary.json").read_bytes())
    assert document["manifest_sha256"] == run.manifest_sha256
    assert document["controls"] == list_records(run.controls())
    assert [row["finding_id"] for row in document["findings"]] == list(run.findings()["finding_id"])
    assert document["accounts"][0]["generated_time"] == "2026-11-24T09:58:00Z"
    assert "users" not in document
    assert document["users_are_in"] == ["tables/users.parquet", "users.csv"]


def test_json_carries_scopes_acceptances_changes_and_trend(eventful):
    """
    What the judgement adds is there for machines, under the names that summary.json has.
    """
    (path,) = render(eventful, "json").values()
    document = json.loads(path.read_bytes())
    summary = document["summary"]

    pci, iso = summary["scopes"]
    assert (pci["is_declared"], pci["accounts"], pci["not_tested"]) == (True, 2, 0)
    assert pci["sha256"] == hashlib.sha256(b"# the scopes\n").hexdigest()
    assert (iso["is_declared"], iso["not_tested"]) == (False, 3)
    assert [entry["id"] for entry in summary["acceptances"]][:2] == ["sealed-alice", "old-erin"]
    assert [point["period"] for point in summary["trend"]] == ["2026-Q3", "2026-Q4"]
    assert {row["state"] for row in document["changes"]} >= {"new", "fixed", "account-left"}


def test_json_says_whose_signature_a_run_has(run):
    """
    Null where there is none, and the key's id where there is one.
    """
    (path,) = render(run, "json").values()
    assert json.loads(path.read_bytes())["signed_by"] is None

    envelope = {"signatures": [{"keyid": "ab" * 32, "sig": ""}]}
    (run.folder / "manifest.dsse.json").write_text(json.dumps(envelope))
    path.unlink()
    (path,) = render(StoredRun(run.folder), "json").values()
    assert json.loads(path.read_bytes())["signed_by"] == "ab" * 32


@pytest.mark.parametrize("name", ["findings", "accounts"])
def test_a_table_in_memory_is_the_file(run, name):
    """
    What the PDF carries and what lies beside it are the same bytes.
    """
    content = render(run, "csv")[f"{name}.csv"].read_bytes()

    assert draw_table(run, name, len(content)) == content


def test_a_table_that_grows_too_large_is_given_up(run):
    """
    One byte above the limit there is no table, and never half of one.
    """
    size = len(render(run, "csv")["findings.csv"].read_bytes())

    assert draw_table(run, "findings", size - 1) is None
    assert draw_table(run, "findings", 0) is None
