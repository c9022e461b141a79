import csv
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm
import jsonschema
import pyarrow.parquet as pq
import pytest
import reports_fixture as fixture
from cmarkgfm.cmark import Options
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from trestle.oscal.assessment_results import Model

from scanner.checks import title_check
from scanner.errors import RenderError, SettingsError
from scanner.evidence import StoredRun
from scanner.model import ROOT_USER, AccountId, Selection
from scanner.reports import FORMATS, find_missing, github
from scanner.reports.naming import find_format
from scanner.reports.readback import Readback
from scanner.reports.schemas import write_schema
from scanner.reports.tables import list_records
from scanner.reports.text import make_visible
from scanner.reports.toolchain import describe_extras
from scanner.wiring import choose_renderers, list_formats

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("csv", "jsonl", "parquet", "ocsf", "oscal", "junit", "github")
TABLES = ("findings", "accounts", "users", "controls")
WORLDS = ("ordinary", "eventful", "hostile")
FORBIDDEN = re.compile(r"compliant|certified|passed pci|pci.passed", re.IGNORECASE)
PERIOD = "2026-Q4"


def draw(run, kind, folder=None):
    folder = folder or run.folder / "reports"
    folder.mkdir(exist_ok=True)
    return {path.name: path for path in FORMATS[kind](run, folder)}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """
    Draw every document for machines of a run of each world.
    """
    hostile = fixture.write_acceptances(
        fixture.accept(
            "risky",
            re.sub(r"[\x00-\x1f]", "", fixture.HOSTILE[2]),
            account="500000000002",
            reason='=1+1 "<img src=x>" @octocat #1 `code`',
            owner="| [a](http://evil.example)",
        )
    )
    runs = {
        "ordinary": fixture.write_run(tmp_path_factory.mktemp("run"), fixture.ordinary()),
        "eventful": fixture.write_eventful(tmp_path_factory.mktemp("run")),
        "hostile": fixture.write_run(
            tmp_path_factory.mktemp("run"), fixture.hostile(), acceptances=hostile
        ),
    }
    return {
        name: (run, {file: path for kind in KINDS for file, path in draw(run, kind).items()})
        for name, run in runs.items()
    }


def read_text(worlds, world, name):
    return worlds[world][1][name].read_text(encoding="utf-8")


def read_lines(worlds, world, name):
    return [json.loads(line) for line in read_text(worlds, world, name).split("\n")[:-1]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_evidence_gives_the_same_bytes(worlds, tmp_path, kind):
    """
    Drawn once more, from the same evidence in another place, every file is equal to the last byte.
    """
    run, documents = worlds["hostile"]
    copy = StoredRun(Path(shutil.copytree(run.folder, tmp_path / "copy")))

    again = draw(copy, kind, tmp_path / "again")

    assert again
    for name, path in again.items():
        assert path.read_bytes() == documents[name].read_bytes(), name
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", KINDS)
def test_no_document_is_written_over(worlds, kind):
    """
    A second drawing into the same folder is refused.
    """
    with pytest.raises(RenderError, match="exists already"):
        draw(worlds["ordinary"][0], kind)


@pytest.mark.parametrize("kind", ["ocsf", "oscal", "junit", "github"])
def test_a_period_that_leads_elsewhere_is_refused(tmp_path, kind):
    """
    The period in summary.json becomes a file name, and somebody may have edited it.
    """
    run = fixture.write_run(tmp_path, fixture.clean(), period="../../evil")

    with pytest.raises(RenderError, match="cannot be part of a file name"):
        draw(run, kind)


@pytest.mark.parametrize("world", WORLDS)
def test_no_document_promises_anything(worlds, world):
    """
    The words that would make the determination ours are in no document for machines.
    """
    for name, path in worlds[world][1].items():
        if not name.endswith(".parquet"):
            assert not FORBIDDEN.search(path.read_text("utf-8-sig")), name


def test_the_name_of_each_file_says_its_format(worlds):
    """
    So whoever reads documents back knows what to draw again, and knows what is none of ours.
    """
    run, _ = worlds["ordinary"]
    for kind in KINDS:
        names = [path.name for path in worlds["ordinary"][1].values()]
        of_kind = [name for name in names if find_format(run.summary, name) == kind]
        assert of_kind, kind

    assert find_format(run.summary, "opinion.docx") not in FORMATS


def test_the_help_names_every_format(command):
    """
    Both commands that draw say what they can draw.
    """
    for name in ("scan", "render"):
        said = "".join(command(name, "--help").stdout.split())

        assert ",".join(FORMATS) in said


def test_render_draws_what_the_run_was_asked_for(worlds):
    """
    Without --format a run's documents are drawn again, and not every document there can be.
    """
    run, _ = worlds["ordinary"]

    assert list_formats(run.folder) == ["json"]


def parse_exact(content):
    """
    Parse RFC 4180 by hand, None for a field without quotes.
    """
    field = re.compile(rb'(?:"((?:[^"]|"")*)"|)(,|\r\n)', re.DOTALL)
    rows, row, place = [], [], 0
    while place < len(content):
        found = field.match(content, place)
        assert found, content[place : place + 40]
        quoted = found[1]
        row.append(None if quoted is None else quoted.replace(b'""', b'"').decode())
        if found[2] != b",":
            rows.append(row)
            row = []
        place = found.end()
    assert not row
    return rows


def spell(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "year") else str(value)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("table", TABLES)
def test_exact_csv_holds_every_value_as_stored(worlds, world, table):
    """
    Formulas, line breaks, direction marks and NUL come back as AWS wrote them, and null is not empty text.
    """
    run, documents = worlds[world]
    stored = pq.read_table(run.folder / "tables" / f"{table}.parquet")

    header, *rows = parse_exact(documents[f"{table}-exact.csv"].read_bytes())

    assert header == stored.column_names
    due = zip(*(map(spell, column.to_pylist()) for column in stored.columns), strict=True)
    assert [tuple(row) for row in rows] == list(due)


def test_exact_csv_is_utf_8_that_python_reads_too(worlds):
    """
    No byte order mark, every line ends in CR LF, and Python's reader finds the same names.
    """
    path = worlds["hostile"][1]["accounts-exact.csv"]
    content = path.read_bytes()

    assert content.startswith(b'"account_id","name"')
    assert content.endswith(b"\r\n")
    with path.open(encoding="utf-8", newline="") as file:
        names = {row["name"] for row in csv.DictReader(file)}
    assert names == set(fixture.HOSTILE)


def test_both_csv_files_of_a_table_have_the_same_rows(worlds):
    """
    They differ in nothing but how a value is written.
    """
    run, documents = worlds["eventful"]
    for table in (*TABLES, "acceptances", "changes"):
        exact = parse_exact(documents[f"{table}-exact.csv"].read_bytes())
        with documents[f"{table}.csv"].open(encoding="utf-8-sig", newline="") as file:
            guarded = list(csv.reader(file))

        assert [len(row) for row in exact] == [len(row) for row in guarded]
        assert exact[0] == guarded[0]
    assert (
        run.summary.findings == len(parse_exact(documents["findings-exact.csv"].read_bytes())) - 1
    )


def test_an_exact_acceptance_is_what_its_owner_wrote(worlds):
    """
    A reason with a formula, quotes and markup is not guarded, and does not break the table.
    """
    _, row = parse_exact(worlds["hostile"][1]["acceptances-exact.csv"].read_bytes())

    assert '=1+1 "<img src=x>" @octocat #1 `code`' in row


def validate(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("table", TABLES)
def test_the_published_schema_is_what_the_code_makes(table, worlds):
    """
    docs/schemas/ holds what stands beside the files of every run; copy it from there when the tables change.
    """
    published = (ROOT / "docs" / "schemas" / f"{table}.jsonl.schema.json").read_bytes()

    assert published == write_schema(table)
    assert published == worlds["eventful"][1][f"{table}.jsonl.schema.json"].read_bytes()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("table", TABLES)
def test_every_line_is_what_its_schema_says(worlds, world, table):
    """
    Lines of an ordinary, an eventful and a hostile run, by the schema beside them; each is the stored row.
    """
    run, documents = worlds[world]
    validator = validate(json.loads(documents[f"{table}.jsonl.schema.json"].read_bytes()))
    stored = pq.read_table(run.folder / "tables" / f"{table}.parquet")

    lines = read_lines(worlds, world, f"{table}.jsonl")

    assert [str(error) for line in lines for error in validator.iter_errors(line)] == []
    plain = zip(*(column.to_pylist() for column in stored.columns), strict=True)
    due = [
        {
            name: spell(value) if hasattr(value, "year") else value
            for name, value in zip(stored.column_names, row, strict=True)
        }
        for row in plain
    ]
    assert lines == due


SPOILT = {
    "a verdict that is none": ("findings", {"verdict": "passed"}),
    "a pass among findings": ("findings", {"verdict": "pass"}),
    "an account id without its zero": ("findings", {"account_id": 12345678901}),
    "a time without a zone": ("findings", {"first_seen": "2026-11-24T10:15:00"}),
    "a severity of another tool": ("findings", {"severity": "SEVERE"}),
    "a finding without its id": ("findings", {"finding_id": None}),
    "a column that is none": ("findings", {"score": 99}),
    "an outcome that is none": ("accounts", {"outcome": "skipped"}),
    "a negative number of users": ("accounts", {"users": -1}),
    "a check that is none": ("accounts", {"console-no-mfa": "pass"}),
    "a verdict left open": ("users", {"console-no-mfa": None}),
    "a number for a boolean": ("users", {"is_root": 0}),
    "a relation that is none": ("controls", {"relation": "indirect"}),
    "half a number": ("controls", {"failed": 0.5}),
}


@pytest.mark.parametrize(("table", "change"), SPOILT.values(), ids=list(SPOILT))
def test_a_spoilt_line_is_refused(worlds, table, change):
    """
    What no run writes does not fit the schema.
    """
    validator = validate(json.loads(write_schema(table)))
    line = read_lines(worlds, "ordinary", f"{table}.jsonl")[0]
    assert validator.is_valid(line)

    assert not validator.is_valid(line | change)


def test_a_line_without_a_column_is_refused(worlds):
    """
    A missing value is null and never left out.
    """
    validator = validate(json.loads(write_schema("findings")))
    line = read_lines(worlds, "ordinary", "findings.jsonl")[0]

    for name in line:
        assert not validator.is_valid({key: line[key] for key in line if key != name}), name


@pytest.mark.parametrize(
    "name", ["findings.jsonl", "accounts.jsonl", f"orgproof-{PERIOD}.ocsf.jsonl"]
)
def test_lines_are_plain_ascii(worlds, name):
    """
    A direction mark in a name is read and not obeyed, and no odd line break ends a line.
    """
    content = worlds["hostile"][1][name].read_bytes()

    assert content.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", content.replace(b"\x7f", b""))
    assert len(content.decode().splitlines()) == content.count(b"\n")


@pytest.mark.parametrize("table", [*TABLES, "history"])
def test_parquet_is_the_stored_table(worlds, table):
    """
    Byte for byte, so its hash stands in the manifest.
    """
    run, documents = worlds["eventful"]

    stored = (run.folder / "tables" / f"{table}.parquet").read_bytes()

    assert documents[f"{table}.parquet"].read_bytes() == stored


OCSF = f"orgproof-{PERIOD}.ocsf.jsonl"


@pytest.mark.parametrize("world", WORLDS)
def test_every_finding_is_an_ocsf_event_with_its_own_values(worlds, world):
    """
    The library takes each line, and id, account, ARN and words are those of the findings table.
    """
    run, _ = worlds[world]
    events = read_lines(worlds, world, OCSF)
    findings = list_records(run.findings())

    assert len(events) == len(findings) == run.summary.findings
    for event, finding in zip(events, findings, strict=True):
        ComplianceFinding.model_validate(event)
        assert (event["class_uid"], event["category_uid"]) == (2003, 2)
        assert event["type_uid"] == 200300 + event["activity_id"]
        assert event["finding_info"]["uid"] == finding["finding_id"]
        assert event["finding_info"]["desc"] == finding["observation"]
        assert event["cloud"]["account"]["uid"] == finding["account_id"]
        assert event["cloud"]["account"]["name"] == finding["account_name"]
        assert event["resources"][0]["uid"] == finding["arn"]
        assert event["unmapped"]["confirmation"] == finding["confirmation"]
        assert event["metadata"]["version"] == "1.5.0"


@pytest.mark.parametrize("world", WORLDS)
def test_no_ocsf_event_says_pass(worlds, world):
    """
    An exception is Fail, accepted or not; what nobody could tell is Unknown; a lead is Other.
    """
    statuses = {
        "fail": (3, "Fail"),
        "unknown": (0, "Unknown"),
        "needs-review": (99, "Needs review"),
    }
    for event in read_lines(worlds, world, OCSF):
        due = statuses[event["unmapped"]["verdict"]]
        compliance = event["compliance"]
        assert (compliance["status_id"], compliance["status"]) == due
        assert [check["status_id"] for check in compliance["checks"]] == [due[0]]


@pytest.mark.parametrize("world", ["eventful", "hostile"])
def test_every_account_that_was_not_read_is_an_ocsf_event(worlds, world):
    """
    A list of findings alone would not show it; here its status is Unknown.
    """
    run, _ = worlds[world]
    accounts = run.accounts()
    unread = set(accounts[accounts["outcome"] == "not-collected"]["account_id"])

    unknown = {
        event["cloud"]["account"]["uid"]
        for event in read_lines(worlds, world, OCSF)
        if event["compliance"]["control"] == "account-not-collected"
        and event["compliance"]["status_id"] == 0
    }

    assert unread
    assert unknown == unread


def test_an_accepted_exception_is_suppressed_in_ocsf_and_still_a_fail(worlds):
    """
    Who accepted it and until when stands beside it; nothing else is suppressed.
    """
    events = read_lines(worlds, "eventful", OCSF)

    (suppressed,) = [event for event in events if event["status_id"] != 1]

    assert (suppressed["status"], suppressed["compliance"]["status"]) == ("Suppressed", "Fail")
    assert suppressed["unmapped"]["acceptance"] == "sealed-alice"
    assert suppressed["status_detail"].startswith("accepted until 2027-08-31 by Noor Haddad")


def test_ocsf_says_that_the_run_is_incomplete(worlds):
    """
    Each event carries what must stand on every page of other documents.
    """
    assert {
        label
        for event in read_lines(worlds, "eventful", OCSF)
        for label in event["metadata"]["labels"]
    } == {"INCOMPLETE", "REPORTS TOO OLD"}


def test_ocsf_times_are_the_runs_own(worlds):
    """
    No clock: the event's time is when collecting ended, first and last seen come from the table.
    """
    run, _ = worlds["eventful"]
    event = read_lines(worlds, "eventful", OCSF)[0]

    assert event["time"] == int(fixture.FINISHED.timestamp()) * 1000
    first = run.findings()["first_seen"].iloc[0]
    assert event["finding_info"]["first_seen_time"] == int(first.timestamp()) * 1000


def test_a_root_user_is_no_iam_user_in_ocsf(worlds):
    """
    It is the account's own identity.
    """
    kinds = {
        event["resources"][0]["type"]
        for event in read_lines(worlds, "eventful", OCSF)
        if event["resources"][0]["name"] == ROOT_USER
    }

    assert kinds == {"AwsAccount"}


@pytest.fixture
def without_ocsf(monkeypatch):
    """
    Take the extra away, as if it were not installed.
    """
    for name in [name for name in sys.modules if name.startswith("py_ocsf_models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "scanner.reports.ocsf", raising=False)
    monkeypatch.setitem(sys.modules, "py_ocsf_models", None)


@pytest.mark.usefixtures("without_ocsf")
def test_without_the_extra_ocsf_says_how_to_install_it(tmp_path, worlds):
    """
    Before a scan begins, and not when hours of it are over; the other formats are there.
    """
    wanted = re.escape("pip install 'orgproof[ocsf]'")

    with pytest.raises(SettingsError, match=wanted):
        choose_renderers(["csv", "ocsf"])
    with pytest.raises(RenderError, match=wanted):
        draw(worlds["ordinary"][0], "ocsf", tmp_path)

    assert list(choose_renderers(["csv", "oscal"])) == ["csv", "oscal"]
    assert list(tmp_path.iterdir()) == []


OSCAL = f"orgproof-{PERIOD}.oscal.json"


def read_result(worlds, world):
    document = json.loads(read_text(worlds, world, OSCAL))["assessment-results"]
    return document, document["results"][0]


def read_props(part):
    return {prop["name"]: prop["value"] for prop in part["props"]}


@pytest.mark.parametrize("world", WORLDS)
def test_oscal_is_what_trestle_accepts(worlds, world):
    """
    compliance-trestle reads the whole document, and every id that is referred to is there once.
    """
    text = read_text(worlds, world, OSCAL)

    Model.model_validate_json(text)

    ids = re.findall(r'"uuid": "([^"]+)"', text)
    named = re.findall(r'"[a-z]+-uuid": "([^"]+)"', text) + re.findall(r'"href": "#([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)


@pytest.mark.parametrize("world", WORLDS)
def test_oscal_is_satisfied_only_where_no_exception_was_noted(worlds, world):
    """
    Of each control its verdict decides; unknown, needs review and not tested are never satisfied, and say why.
    """
    run, _ = worlds[world]
    _, result = read_result(worlds, world)
    verdicts = {
        (row["framework"], row["control_id"]): row["verdict"]
        for row in list_records(run.controls())
    }

    said = {}
    for finding in result["findings"]:
        props, status = read_props(finding), finding["target"]["status"]
        said[props["framework"], props["control"]] = props["verdict"]
        due = {"pass": ("satisfied", "pass"), "fail": ("not-satisfied", "fail")}
        assert (status["state"], status["reason"]) == due.get(
            props["verdict"], ("not-satisfied", "other")
        )
        assert "is for the assessor to determine" in finding["description"]
        assert status["remarks"]
    assert said == verdicts


def test_a_control_with_nothing_against_it_is_satisfied_in_oscal(tmp_path):
    """
    Where every account was read and direct checks noted nothing: or the test above would prove nothing.
    """
    run = fixture.write_run(tmp_path, fixture.clean())
    (path,) = draw(run, "oscal").values()
    result = json.loads(path.read_bytes())["assessment-results"]["results"][0]

    states = Counter(finding["target"]["status"]["state"] for finding in result["findings"])

    passed = int((run.controls()["verdict"] == "pass").sum())
    assert states["satisfied"] == passed > 0
    assert states["not-satisfied"] == len(run.controls()) - passed


@pytest.mark.parametrize("world", WORLDS)
def test_oscal_lists_every_account_with_its_outcome(worlds, world):
    """
    Read or not: names are shown with their hidden signs, in properties, and stand nowhere else.
    """
    run, _ = worlds[world]
    _, result = read_result(worlds, world)

    listed = {
        props["account-id"]: (props["account-name"], props["outcome"])
        for props in map(read_props, result["local-definitions"]["inventory-items"])
    }

    assert listed == {
        row["account_id"]: (make_visible(str(row["name"])).strip(), row["outcome"])
        for row in list_records(run.accounts())
    }


def test_oscal_keeps_names_out_of_markdown(worlds):
    """
    Descriptions, remarks and titles are Markdown, and none holds a name that somebody else gave.
    """
    document, _ = read_result(worlds, "hostile")
    texts = []

    def walk(value, key=""):
        if isinstance(value, dict):
            for name, part in value.items():
                walk(part, name)
        elif isinstance(value, list):
            for part in value:
                walk(part, key)
        elif key in {"description", "remarks", "title", "statement"}:
            texts.append(value)

    walk(document)

    assert texts
    names = [make_visible(name)[:20] for name in fixture.HOSTILE if len(name) > 8]
    assert [name for name in names for text in texts if name in text] == []


@pytest.mark.parametrize("world", WORLDS)
def test_oscal_observations_carry_the_totals(worlds, world):
    """
    Each check's figures are the summary's, and the accounts' exceptions add up to them.
    """
    run, _ = worlds[world]
    _, result = read_result(worlds, world)
    observed = {read_props(part)["check"]: part for part in result["observations"]}

    for total in run.summary.checks:
        part = observed.pop(total.check)
        props = read_props(part)
        assert (props["exception"], props["unable-to-determine"], props["accepted"]) == (
            str(total.failed),
            str(total.unknown),
            str(total.accepted),
        )
        subjects = [read_props(subject) for subject in part.get("subjects", ())]
        assert sum(int(subject["exceptions"]) for subject in subjects) == total.failed
        assert sum(int(subject["unable-to-determine"]) for subject in subjects) == total.unknown
    assert observed == {}


def test_oscal_names_accepted_risks_and_their_state(worlds):
    """
    In force is an approved deviation; expired, future and idle ones are told apart, and none changes a finding.
    """
    _, result = read_result(worlds, "eventful")

    risks = {read_props(risk)["acceptance"]: risk["status"] for risk in result["risks"]}

    assert risks == {
        "sealed-alice": "deviation-approved",
        "old-erin": "open",
        "future": "open",
        "nobody": "deviation-approved",
    }


def test_oscal_says_that_the_run_is_incomplete_and_what_it_rests_on(worlds):
    """
    The notice opens the description, the manifest's hash is the seal, and the plan is inside.
    """
    run, _ = worlds["eventful"]
    document, result = read_result(worlds, "eventful")
    resources = {part["uuid"]: part for part in document["back-matter"]["resources"]}

    assert result["description"].startswith("INCOMPLETE: 1 of 10 accounts could not be read")
    (hashed,) = [
        link["hashes"][0]["value"]
        for part in resources.values()
        for link in part.get("rlinks", ())
        if link["href"] == "../manifest.json"
    ]
    assert hashed == run.manifest_sha256
    assert document["import-ap"]["href"].removeprefix("#") in resources


JUNIT = f"orgproof-{PERIOD}.junit.xml"


def read_suites(worlds, world):
    return ET.parse(worlds[world][1][JUNIT]).getroot()  # noqa: S314 - our own file


@pytest.mark.parametrize("world", WORLDS)
def test_junit_counts_add_up(worlds, world):
    """
    Elements, attributes and numbers are those that readers of JUnit files expect.
    """
    root = read_suites(worlds, world)

    assert root.tag == "testsuites"
    sums: Counter[str] = Counter()
    for suite in root:
        assert [child.tag for child in suite] == ["properties", *["testcase"] * (len(suite) - 1)]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        kinds: Counter[str] = Counter()
        for case in suite.iter("testcase"):
            assert case.get("name")
            assert case.get("classname") == suite.get("name")
            (child,) = case
            assert child.tag in {"failure", "error", "skipped", "system-out"}
            kinds[child.tag] += 1
        numbers = {
            name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")
        }
        assert numbers == {
            "tests": sum(kinds.values()),
            "failures": kinds["failure"],
            "errors": kinds["error"],
            "skipped": kinds["skipped"],
        }
        names = [case.get("name") for case in suite.iter("testcase")]
        assert len(names) == len(set(names))
        sums.update(numbers)
    assert {name: int(root.get(name)) for name in ("tests", "failures", "errors")} == {
        name: sums[name] for name in ("tests", "failures", "errors")
    }


@pytest.mark.parametrize("world", WORLDS)
def test_junit_has_a_suite_for_each_check_with_its_totals(worlds, world):
    """
    And before them one about the evidence. The case for all the rest carries the totals.
    """
    run, _ = worlds[world]
    evidence, *suites = read_suites(worlds, world)

    assert evidence.get("name") == "evidence"
    assert [suite.get("name") for suite in suites] == [total.check for total in run.summary.checks]
    for suite, total in zip(suites, run.summary.checks, strict=True):
        (rest,) = [
            case for case in suite.iter("testcase") if case.get("name") == "rows without a finding"
        ]
        said = rest[0].get("message") or rest[0].text
        assert said.startswith(f"rows read: {total.rows:,}, exception: {total.failed:,}, ")
        assert (rest[0].tag == "system-out") == (total.passed > 0)


def test_an_unread_account_is_an_error_in_every_junit_suite(worlds):
    """
    No suite of an incomplete run looks well, whatever was found in the accounts that were read.
    """
    for suite in read_suites(worlds, "eventful"):
        errors = [
            case.get("name") for case in suite.iter("testcase") if case.find("error") is not None
        ]
        assert errors, suite.get("name")
        if suite.get("name") not in {"evidence", "account-not-collected"}:
            assert "accounts that were not read" in errors


@pytest.mark.parametrize("world", WORLDS)
def test_junit_cases_are_the_accounts_with_findings(worlds, world):
    """
    Unknown is an error and outranks an exception; an accepted one alone, or a lead, is skipped and no success.
    """
    run, _ = worlds[world]
    due: dict[tuple[object, object], int] = {}
    for row in list_records(run.findings()):
        key = (row["check"], row["account_id"])
        kind = {"unknown": 3, "fail": 2 if row["acceptance"] is None else 1}.get(
            str(row["verdict"]), 1
        )
        due[key] = max(due.get(key, 0), kind)

    said = {
        (suite.get("name"), case.get("name")[:12]): {"error": 3, "failure": 2, "skipped": 1}[
            case[0].tag
        ]
        for suite in read_suites(worlds, world)
        for case in suite.iter("testcase")
        if re.match(r"\d{12}( |$)", case.get("name"))
    }

    assert said == due


def test_junit_of_a_run_without_exceptions_has_no_failure(tmp_path):
    """
    The pipeline goes on, for every account was read and nothing was noted; what does not apply is skipped.
    """
    run = fixture.write_run(tmp_path, fixture.clean())
    (path,) = draw(run, "junit").values()
    root = ET.parse(path).getroot()  # noqa: S314 - our own file

    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert int(root.attrib["tests"]) == 1 + len(run.summary.checks)


def test_junit_of_a_run_that_read_nothing_shows_no_success(tmp_path):
    """
    Not a single case stands without an error or as anything but skipped.
    """
    run = fixture.write_run(tmp_path, [fixture.missed(fixture.MANAGEMENT, "management")])
    (path,) = draw(run, "junit").values()
    root = ET.parse(path).getroot()  # noqa: S314 - our own file

    assert {case[0].tag for case in root.iter("testcase")} == {"error", "skipped"}
    assert int(root.attrib["errors"]) >= len(root)


def test_junit_shows_hostile_names_as_text(worlds):
    """
    Names are whole attributes: nothing of them became an element, and no control character is in the file.
    """
    content = read_text(worlds, "hostile", JUNIT)
    names = {
        case.get("name")[13:]
        for case in read_suites(worlds, "hostile").iter("testcase")
        if re.match(r"\d{12} ", case.get("name"))
    }

    assert {make_visible(name).strip() for name in fixture.HOSTILE} <= names
    assert not re.search("[\\x00-\\x09\\x0b-\\x1f\\x7f\\u202a-\\u202e\\u2066-\\u2069]", content)


GITHUB = f"orgproof-{PERIOD}.github.md"


class Seen(HTMLParser):
    """
    The tags of a page, and its text outside and inside code.
    """

    def __init__(self):
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.codes: list[str] = []
        self.text, self._inside = "", False

    def handle_starttag(self, tag, attrs):
        """
        Count a tag. It has no attribute that could lead anywhere.
        """
        self.tags[tag] += 1
        assert not [name for name, _ in attrs if name not in {"align"}]
        if tag == "code":
            self._inside = True
            self.codes.append("")

    def handle_endtag(self, tag):
        """
        Leave code.
        """
        if tag == "code":
            self._inside = False

    def handle_data(self, data):
        """
        Keep text.
        """
        if self._inside:
            self.codes[-1] += data
        else:
            self.text += data


def show(markdown):
    """
    Render as GitHub does, without its sanitizer: raw HTML stays, links are made of whatever looks like one.
    """
    seen = Seen()
    seen.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))
    return seen


CALM = {
    *("h1", "h2", "p", "strong", "blockquote", "code", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_github_page_holds_no_link_image_or_markup_of_others(worlds, world):
    """
    Rendered as GitHub renders it, there is nothing but headings, tables, lists and code.
    """
    seen = show(read_text(worlds, world, GITHUB))

    assert set(seen.tags) <= CALM
    assert seen.tags["table"] >= 4
    assert not re.search(r"[@#<>]|https?:|www\.", seen.text.replace("[!WARNING]", ""))


TRICKS = (
    *fixture.HOSTILE,
    "@octocat and @github/security",
    "#1 GH-2 octo/repo#3 0123456789abcdef0123456789abcdef01234567",
    "https://evil.example www.evil.example a@evil.example",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "a`b``c```d",
    "`",
    "``",
    " `edge` ",
    " both ends ",
    "back\\|slash \\",
    "a | b || c",
    ":tada: $x$ ~~gone~~ **bold** _it_",
    "<!-- --> &#64;octocat &amp; <https://evil.example>",
    "|---|",
    "\n\n# heading\n",
    "half a pair \ud800",
    "",
)


@pytest.mark.parametrize("name", TRICKS, ids=range(len(TRICKS)))
def test_a_name_in_markdown_is_one_piece_of_code(name):
    """
    In a line and in a cell of a table, beside others: nothing of it acts, and all of it is seen.
    """
    code = github.quote(name)
    shown = make_visible(name).replace("|", "[U+007C]") or "\u2013"

    for markdown in (
        f"before {code} after",
        f"| a | b | c |\n| --- | --- | ---: |\n| {code} | {code} | 7 |",
    ):
        seen = show(markdown)
        assert set(seen.tags) <= CALM
        if name:
            assert set(seen.codes) == {shown}
        assert shown not in seen.text or not name


def test_two_thresholds_of_one_check_have_titles_of_their_own(worlds):
    """
    PCI DSS asks for keys unused for more than 90 days and CIS for 45: a title that both bore would mix them up.
    """
    run, _ = worlds["eventful"]
    expected = {total.check: title_check(total.check) for total in run.summary.checks}
    _, result = read_result(worlds, "eventful")
    suites = {
        suite.get("name"): {
            part.get("name"): part.get("value") for part in suite.find("properties")
        }
        for suite in read_suites(worlds, "eventful")
    }
    observed = {read_props(part)["check"]: part["title"] for part in result["observations"]}
    events = {
        event["compliance"]["control"]: event["finding_info"]["title"]
        for event in read_lines(worlds, "eventful", OCSF)
    }
    rows = {
        cells[1].strip(" `"): cells[2].strip()
        for line in read_text(worlds, "eventful", GITHUB).splitlines()
        if len(cells := line.split("|")) > 7
    }

    assert len(set(expected.values())) == len(expected)
    assert observed == expected
    assert {name: said["title"] for name, said in suites.items() if "title" in said} == expected
    for shown in (events, rows):
        named = {name: title for name, title in shown.items() if name in expected}
        assert {"access-key-unused", "access-key-unused:days=90,operator=more-than"} <= named.keys()
        assert named == {name: expected[name] for name in named}


@pytest.mark.parametrize("world", WORLDS)
def test_the_github_page_carries_the_runs_figures(worlds, world):
    """
    Coverage, users and findings are the summary's, the seal is whole, and notices come first.
    """
    run, _ = worlds[world]
    text = read_text(worlds, world, GITHUB)
    summary = run.summary

    for words, number in (
        ("Listed | every account that AWS Organizations lists", summary.accounts.listed),
        (
            "Not collected | could not be read; nothing is said of them",
            summary.accounts.not_collected,
        ),
        ("without MFA | console users without an MFA device", summary.users.console_without_mfa),
    ):
        assert f"| {words} | {number:,} |" in text
    for total in summary.checks:
        if total.failed:
            row = f"| {total.failed:,} | {total.accepted:,} | {total.needs_review:,} | {total.unknown:,} |"
            assert (
                f"| `{total.check}` | {title_check(total.check)} | {total.severity} {row}" in text
            )
    assert f"`{run.manifest_sha256}`" in text
    assert ("**INCOMPLETE**" in text.split("\n\n")[1]) == (not summary.is_complete)


def test_the_github_page_says_what_it_leaves_out(tmp_path):
    """
    Of many accounts it names a few and counts the rest; it stays far below the mebibyte that GitHub takes.
    """
    accounts = fixture.large(30, 60, 60)
    missed = [fixture.missed(f"{700000000000 + n}", "\U0001f4b8" * 50) for n in range(25)]
    run = fixture.write_run(tmp_path, [*accounts, *missed])

    (path,) = draw(run, "github").values()

    text = path.read_text(encoding="utf-8")
    assert "20 more accounts: see the tables" in text
    assert "5 more accounts: see the tables" in text
    assert path.stat().st_size < 64 * 1024


def test_a_long_name_is_cut_and_it_is_said():
    """
    Nobody can fill the page with one name.
    """
    assert github.quote("x" * 10_000) == f"`{'x' * 200} (cut here)`"


def read_back(run, *paths):
    """
    Return what is wrong with documents of a run, and what was not compared.
    """
    with ExitStack() as stack:
        reading = Readback(stack, run.folder, paths, run.manifest_sha256)
        _, faults = reading.finish(run)
        return faults, reading.limits


@pytest.mark.parametrize("world", WORLDS)
def test_documents_for_machines_are_drawn_again_and_agree(worlds, world):
    """
    Each file of each format, whatever names are in it.
    """
    run, documents = worlds[world]

    assert read_back(run, *(f"reports/{name}" for name in documents)) == ([], [])


@pytest.mark.parametrize(
    "name",
    [
        "findings-exact.csv",
        "users.jsonl",
        "accounts.jsonl.schema.json",
        "findings.parquet",
        *(OCSF, OSCAL, JUNIT, GITHUB),
    ],
)
def test_a_changed_document_is_named(worlds, tmp_path, name):
    """
    One byte near the end is enough.
    """
    run = StoredRun(Path(shutil.copytree(worlds["ordinary"][0].folder, tmp_path / "run")))
    path = run.folder / "reports" / name
    content = path.read_bytes()
    path.write_bytes(content[:-12] + b"!" + content[-11:])

    (fault,), limits = read_back(run, f"reports/{name}")

    assert fault.startswith(f"reports/{name}: line ")
    assert limits == []


@pytest.mark.parametrize(
    "name", ["other.jsonl", "orgproof-2026-Q3.oscal.json", "history.csv", "summary.parquet"]
)
def test_a_document_that_nobody_draws_is_named(worlds, tmp_path, name):
    """
    A file that only looks like one of ours.
    """
    run = StoredRun(Path(shutil.copytree(worlds["ordinary"][0].folder, tmp_path / "run")))
    (run.folder / "reports" / name).write_bytes(b"{}\n")

    faults, _ = read_back(run, f"reports/{name}")

    assert faults == [f"reports/{name}: is no document that orgproof draws of this run"]


@pytest.mark.usefixtures("without_ocsf")
def test_what_cannot_be_drawn_again_is_said_and_no_fault(worlds):
    """
    Without the extra nobody can compare the OCSF file: that is a limit, and the others are compared.
    """
    run, _ = worlds["ordinary"]

    faults, limits = read_back(run, f"reports/{OCSF}", f"reports/{OSCAL}")

    assert faults == []
    assert limits == [f"that reports/{OCSF} follows from the raw reports: {find_missing('ocsf')}"]
    assert "pip install 'orgproof[ocsf]'" in limits[0]


def test_documents_name_the_library_behind_ocsf_where_it_was_used():
    """
    And not where it was not.
    """
    assert set(describe_extras([Path(OCSF)])) == {"py-ocsf-models", "pydantic"}
    assert describe_extras([Path(OSCAL), Path("findings.jsonl")]) == {}


def test_a_partial_selection_is_said_in_every_document(tmp_path):
    """
    Whoever gets one of them alone must know that not every account was looked at.
    """
    selection = Selection(accounts=(AccountId("012345678901"),))
    run = fixture.write_run(tmp_path, fixture.ordinary(), selection=selection)
    said = {
        kind: "".join(path.read_text() for path in draw(run, kind).values())
        for kind in ("ocsf", "oscal", "junit", "github")
    }

    assert {kind: "PARTIAL SELECTION" in text for kind, text in said.items()} == dict.fromkeys(
        said, True
    )
