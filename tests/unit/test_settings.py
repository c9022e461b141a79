import tomllib
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scanner.errors import SettingsError
from scanner.model import Exclusion, ScopeRule
from scanner.settings import (
    MAX_SETTINGS_BYTES,
    FolderTable,
    PdfSignTable,
    S3Table,
    ScopeTable,
    Settings,
    name_quarter,
    read_settings,
    read_stored_settings,
)
from scanner.settings import read_settings_file as read_file

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "orgproof.example.toml"
SECRET = "hush-4711"


def read(text="", overrides=None):
    return read_settings(text.encode(), "orgproof.toml", overrides or {})


def refuse(text="", overrides=None):
    """
    Read settings that must be refused, and return the lines of the message.
    """
    with pytest.raises(SettingsError) as caught:
        read(text, overrides)
    return str(caught.value).splitlines()


# What is accepted


def test_without_a_file_every_setting_is_its_default():
    """
    No file and an empty file are the same.
    """
    assert read_settings(None, "", {}) == read("") == Settings()


def test_the_example_file_is_the_defaults():
    """
    The example says of itself that each value is the default.
    """
    assert read(EXAMPLE.read_text(encoding="utf-8")) == Settings()


def test_the_lines_that_the_example_leaves_out_are_legal():
    """
    Whoever takes the comment sign from the example's lines gets settings that are accepted.
    """
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    marks = tuple(
        f"# {word}"
        for word in (
            *("period =", "acceptances =", "profile =", "region =", "[", '"', "account", "reason"),
            *(
                "ous =",
                "tags =",
                "everything =",
                "unknown =",
                "key =",
                "pkcs12 =",
                "timestamp_url =",
            ),
            *("to =", "path =", "contents =", "bucket =", "prefix =", "expected_owner ="),
            *("lock_mode =", "retain_days ="),
        )
    )
    offered = [line.removeprefix("# ") if line.startswith(marks) else line for line in lines]

    settings = read("\n".join(offered))

    assert settings.scan.period == "2026-Q4"
    assert settings.aws.region == "us-gov-west-1"
    assert settings.aws.roles == {"123456789012": "audit/legacy-reader"}
    assert settings.selection.exclusions[0].account_id == "123456789012"
    assert settings.scan.acceptances == "acceptances.yaml"
    assert settings.sign.key == "orgproof.key"
    assert settings.sign.pdf is not None
    assert settings.sign.pdf.pkcs12 == "auditor.p12"
    assert [rule.framework for rule in settings.scopes] == ["iso-27001-2022", "pci-dss-4.0.1"]
    assert settings.scopes[1].tags == (("cde", "in-scope"), ("cde", "connected"))
    folder, bucket = settings.deliver
    assert isinstance(folder, FolderTable)
    assert isinstance(bucket, S3Table)
    assert (folder.path, folder.contents) == ("/mnt/audit", "documents")
    assert (bucket.profile, bucket.lock_mode, bucket.retain_days) == (
        "evidence-writer",
        "compliance",
        400,
    )


def test_options_override_the_file_and_leave_the_rest():
    """
    An option replaces its own setting alone.
    """
    text = '[scan]\nworkers = 4\nperiod = "2026-Q1"\n[aws]\nrole_name = "reader"'

    settings = read(text, {"scan": {"workers": 8}, "accounts": {"ous": ["r-ab12"]}})

    assert (settings.scan.workers, settings.scan.period) == (8, "2026-Q1")
    assert settings.aws.role_name == "reader"
    assert settings.selection.ous == ("r-ab12",)


def test_a_byte_order_mark_is_forgiven():
    """
    Editors on Windows write one.
    """
    settings = read_settings(b"\xef\xbb\xbf[scan]\nworkers = 3", "orgproof.toml", {})

    assert settings.scan.workers == 3


def test_names_given_twice_count_once():
    """
    A framework or format named twice is judged and drawn once, in the order given.
    """
    settings = read('[scan]\nformats = ["pdf", "csv", "pdf"]\nframeworks = ["b", "a", "b"]')

    assert (settings.scan.formats, settings.scan.frameworks) == (["pdf", "csv"], ["b", "a"])


def test_the_selection_is_what_the_settings_say():
    """
    Accounts, OUs and exclusions reach the model with their reasons.
    """
    text = (
        '[accounts]\naccounts = ["012345678901"]\nous = ["ou-ab12-12345678", "r-ab12"]\n'
        '[[accounts.exclude]]\naccount = "000000000017"\nreason = "ticket SEC-1"'
    )

    selection = read(text).selection

    assert selection.accounts == ("012345678901",)
    assert selection.ous == ("ou-ab12-12345678", "r-ab12")
    assert selection.exclusions == (Exclusion(selection.exclusions[0].account_id, "ticket SEC-1"),)
    assert selection.is_full is False


@pytest.mark.parametrize(
    ("moment", "quarter"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-Q1"),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "2026-Q1"),
        (datetime(2026, 4, 1, tzinfo=UTC), "2026-Q2"),
        (datetime(2026, 9, 30, tzinfo=UTC), "2026-Q3"),
        (datetime(2026, 10, 1, tzinfo=UTC), "2026-Q4"),
        (datetime(2026, 12, 31, tzinfo=UTC), "2026-Q4"),
    ],
)
def test_the_period_is_by_default_the_calendar_quarter(moment, quarter):
    """
    Quarters begin in January, April, July and October.
    """
    assert name_quarter(moment) == quarter


# What is refused


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[scna]\nworkers = 1", "scna"),
        ("workers = 1", "workers"),
        ("[scan]\nworker = 1", "scan.worker"),
        ("[scan]\nWorkers = 1", "scan.Workers"),
        ("[aws]\nroll_name = 'x'", "aws.roll_name"),
        ("[accounts]\nou = []", "accounts.ou"),
        ("[confirm]\nenable = false", "confirm.enable"),
        (
            "[[accounts.exclude]]\naccount='012345678901'\nreason='abc'\nwhy='x'",
            "accounts.exclude.0.why",
        ),
    ],
)
def test_a_misspelt_name_is_refused(text, field):
    """
    A setting that is not understood would be a setting that does nothing.
    """
    (line,) = refuse(text)

    assert line.startswith(f"orgproof.toml: {field}: ")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[scan]\nworkers = 0", "scan.workers"),
        ("[scan]\nworkers = 257", "scan.workers"),
        ("[scan]\nworkers = -1", "scan.workers"),
        ("[scan]\nworkers = '16'", "scan.workers"),
        ("[scan]\nworkers = 16.0", "scan.workers"),
        ("[scan]\nworkers = true", "scan.workers"),
        ("[scan]\nformats = []", "scan.formats"),
        ("[scan]\nformats = 'pdf'", "scan.formats"),
        ("[scan]\nframeworks = []", "scan.frameworks"),
        ("[scan]\nframeworks = [1]", "scan.frameworks.0"),
        ("[scan]\noutput = 1", "scan.output"),
        ("[scan]\nperiod = ''", "scan.period"),
        ("[scan]\nperiod = '../up'", "scan.period"),
        ("[scan]\nperiod = '..'", "scan.period"),
        ("[scan]\nperiod = '2026/Q4'", "scan.period"),
        ("[scan]\nperiod = '2026 Q4'", "scan.period"),
        ('[scan]\nperiod = "2026-Q4\\n"', "scan.period"),
        ("[scan]\nperiod = 2026", "scan.period"),
        ("[aws]\nrole_name = ''", "aws.role_name"),
        ("[aws]\nrole_name = 'arn:aws:iam::1:role/x y'", "aws.role_name"),
        ("[aws]\nrole_name = 'x/'", "aws.role_name"),
        (f"[aws]\nrole_name = '{'x' * 65}'", "aws.role_name"),
        ("[aws]\nregion = 'us east 1'", "aws.region"),
        ("[aws]\nroles = {12345 = 'reader'}", "aws.roles.12345.[key]"),
        ("[aws]\nroles = {012345678901 = ''}", "aws.roles.012345678901"),
        ("[aws]\naccount_deadline_seconds = 4", "aws.account_deadline_seconds"),
        ("[aws]\naccount_deadline_seconds = 841", "aws.account_deadline_seconds"),
        ("[aws]\naccount_deadline_seconds = nan", "aws.account_deadline_seconds"),
        ("[aws]\naccount_deadline_seconds = inf", "aws.account_deadline_seconds"),
        ("[aws]\naccount_deadline_seconds = '120'", "aws.account_deadline_seconds"),
        ("[aws]\naccount_deadline_seconds = true", "aws.account_deadline_seconds"),
        ("[accounts]\naccounts = [12345678901]", "accounts.accounts.0"),
        ("[accounts]\naccounts = ['12345678901']", "accounts.accounts.0"),
        ("[accounts]\naccounts = '012345678901'", "accounts.accounts"),
        ('[accounts]\naccounts = ["012345678901\\n"]', "accounts.accounts.0"),
        ("[accounts]\naccounts = ['\u066012345678901']", "accounts.accounts.0"),
        ("[accounts]\nous = ['Workloads']", "accounts.ous.0"),
        ("[accounts]\nous = ['ou-ab12-']", "accounts.ous.0"),
        ("[accounts]\nous = ['OU-AB12-12345678']", "accounts.ous.0"),
        ("[[accounts.exclude]]\naccount = '012345678901'", "accounts.exclude.0.reason"),
        ("[[accounts.exclude]]\naccount='012345678901'\nreason='-'", "accounts.exclude.0.reason"),
        ("[[accounts.exclude]]\nreason = 'ticket SEC-1'", "accounts.exclude.0.account"),
        ("[confirm]\nenabled = 'no'", "confirm.enabled"),
        ("[confirm]\nenabled = 0", "confirm.enabled"),
        ("[confirm]\nowner_tags = 'owner'", "confirm.owner_tags"),
        ("scan = 3", "scan"),
        ("[[scan]]\nworkers = 1", "scan"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_field(text, field):
    """
    No text for a number, no number for an account id, nothing empty, nothing that leaves the folder.
    """
    (line,) = refuse(text)

    assert line.startswith(f"orgproof.toml: {field}: ")


def test_every_problem_is_named_at_once():
    """
    Whoever mends the file need not run the command once for each mistake.
    """
    text = "[scan]\nworkers = 0\nformats = []\n[aws]\nregion = 'X Y'\n[confirm]\nextra = 1"

    lines = refuse(text, {"accounts": {"ous": ["x"]}})

    assert sorted(line.split(": ")[1] for line in lines) == [
        "accounts.ous.0",
        "aws.region",
        "confirm.extra",
        "scan.formats",
        "scan.workers",
    ]


def test_an_option_is_told_from_the_file():
    """
    The message says where the value came from: the option, or the file by its name.
    """
    text = "[scan]\nperiod = 'x y'\nworkers = 0\n[accounts]\naccounts = ['x']"

    lines = refuse(text, {"scan": {"workers": 999}, "accounts": {"ous": ["y"]}})

    assert [line.split(": ")[:2] for line in lines] == [
        ["orgproof.toml", "scan.period"],
        ["option", "scan.workers"],
        ["orgproof.toml", "accounts.accounts.0"],
        ["option", "accounts.ous.0"],
    ]


def test_the_value_that_was_found_is_shown():
    """
    A message that shows the value saves a look into the file.
    """
    (line,) = refuse("[scan]\nworkers = 257")

    assert line.endswith("(found 257)")


def test_an_option_for_what_the_file_made_no_table_is_refused():
    """
    A file that writes scan = 3 has no table in which an option could stand.
    """
    (line,) = refuse("scan = 3", {"scan": {"workers": 8}})

    assert line == "orgproof.toml: scan: must be a table, written [scan]"


@pytest.mark.parametrize(
    "source",
    [b"workers", b"[scan", b"[scan]\nworkers = 1\nworkers = 2", b"\xff\xfe", b"{}", b"\x00"],
)
def test_what_is_not_toml_is_refused(source):
    """
    Neither damage nor a name given twice is guessed at.
    """
    with pytest.raises(SettingsError, match=r"^orgproof\.toml: not TOML: "):
        read_settings(source, "orgproof.toml", {})


WRONG = [
    f"[aws]\nexternal_id = '{SECRET} with blanks'",
    f"[aws]\nexternal_id = ['{SECRET}']",
    f"[aws]\nexternal_id = {{value = '{SECRET}'}}",
    f"[aws]\nexternal_id = '{SECRET * 200}'",
    f"[aws]\nexternalid = '{SECRET}'",
    f"[aws]\nexternal-id = '{SECRET}'",
    f"[scan]\nexternal_id = '{SECRET}'",
    f"external_id = '{SECRET}'",
    f"[aws]\nexternal_id = '{SECRET}'\nexternal_id = '{SECRET}'",
    f"[aws]\nexternal_id = {SECRET}",
]
"""
An external id that is malformed, of another type, misspelt, misplaced, given twice, or not quoted.
"""


@pytest.mark.parametrize("text", WRONG)
def test_an_external_id_is_never_echoed(text):
    """
    Wrong, misspelt or misplaced: a message names the field and not the value.
    """
    assert SECRET not in "".join(refuse(text))


@pytest.mark.parametrize("text", WRONG)
def test_an_external_id_is_in_no_traceback(text):
    """
    Nor does what caused the refusal give it away, where a traceback is shown.
    """
    with pytest.raises(SettingsError) as caught:
        read(text)

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_an_external_id_given_as_an_option_is_never_echoed():
    """
    The option is no different from the file.
    """
    (line,) = refuse("", {"aws": {"external_id": f"{SECRET} with blanks"}})

    assert line.startswith("option: aws.external_id: ")
    assert SECRET not in line


def test_an_external_id_is_not_in_the_settings_own_words():
    """
    Settings that are logged or shown in a traceback do not give it away.
    """
    settings = read(f"[aws]\nexternal_id = '{SECRET}'")

    assert settings.aws.external_id == SECRET
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """
    A settings file that cannot be read is an error, and not the defaults.
    """
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read"):
        read_file(tmp_path / "missing.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_file(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path):
    """
    A disk image named by mistake is not read into memory.
    """
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(MAX_SETTINGS_BYTES + 1)

    with pytest.raises(SettingsError, match="this is not a settings file"):
        read_file(path)


def test_a_file_s_bytes_are_returned_unchanged(tmp_path):
    """
    The bytes become evidence: they are not decoded on the way.
    """
    path = tmp_path / "orgproof.toml"
    path.write_bytes(b"\xef\xbb\xbf[scan]\r\n")

    assert read_file(path) == b"\xef\xbb\xbf[scan]\r\n"


def test_the_example_names_every_setting():
    """
    A setting that the example does not show is one that nobody finds.
    """
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = {line.lstrip("# ").split(" =")[0] for line in text.splitlines()}
    tables = tomllib.loads(text)

    models = {name: field.annotation for name, field in Settings.model_fields.items()}
    assert set(models) - {"scope", "deliver"} == set(tables)
    assert "# [scope." in text
    assert "# [[deliver]]" in text
    separate = (ScopeTable, PdfSignTable, FolderTable, S3Table)
    for model in (*(models[name] for name in tables), *separate):
        assert model is not None
        missing = set(model.model_fields) - shown - {"exclude", "roles", "endpoint_url", "pdf"}
        assert missing == set()


# For which accounts a framework speaks


def scope(body):
    return f'[scope."pci-dss-4.0.1"]\n{body}'


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("everything = true", {"everything": True}),
        (
            'accounts = ["012345678901", "123456789012"]',
            {"accounts": ("012345678901", "123456789012")},
        ),
        ('ous = ["ou-ab12-12345678", "r-ab12"]', {"ous": ("ou-ab12-12345678", "r-ab12")}),
        ('tags = { pci = "yes" }', {"tags": (("pci", "yes"),)}),
        (
            'tags = { pci = ["yes", "connected"], stage = "prod" }',
            {"tags": (("pci", "yes"), ("pci", "connected"), ("stage", "prod"))},
        ),
        (
            'accounts = ["012345678901"]\nous = ["r-ab12"]\ntags = { a = "b" }',
            {"accounts": ("012345678901",), "ous": ("r-ab12",), "tags": (("a", "b"),)},
        ),
        ('everything = false\nunknown = false\nous = ["r-ab12"]', {"ous": ("r-ab12",)}),
    ],
)
def test_a_scope_is_declared(body, rule):
    """
    Everything, or accounts, OUs and tags in any mixture: what is written is what is declared.
    """
    assert read(scope(body)).scopes == (ScopeRule("pci-dss-4.0.1", **rule),)


def test_a_scope_that_is_unknown_is_not_declared():
    """
    Nobody has decided yet: the same as to say nothing.
    """
    assert read(scope("unknown = true")).scopes == read("").scopes == ()


def test_each_framework_has_one_scope():
    """
    They come in order of name, so that the same settings in another order are the same terms.
    """
    text = (
        '[scope."b"]\neverything = true\n[scope."c"]\nunknown = true\n[scope."a"]\nous = ["r-ab12"]'
    )

    assert [rule.framework for rule in read(text).scopes] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "everything = false",
        "unknown = false",
        "accounts = []",
        "tags = {}",
        "everything = true\nunknown = true",
        'everything = true\naccounts = ["012345678901"]',
        'everything = true\nous = ["r-ab12"]',
        'unknown = true\ntags = { pci = "yes" }',
        'everything = true\nunknown = true\nous = ["r-ab12"]',
        "tags = { pci = [] }",
    ],
)
def test_a_scope_says_one_thing(body):
    """
    Nothing, or two things at once, would leave it to the reader what counts.
    """
    (line,) = refuse(scope(body))

    assert line.startswith("orgproof.toml: scope.pci-dss-4.0.1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("evrything = true", "evrything"),
        ("Everything = true", "Everything"),
        ("everything = true\nbecause = 'x'", "because"),
        ("account = ['012345678901']\neverything = true", "account"),
        ("everything = 1", "everything"),
        ("everything = 'true'", "everything"),
        ("unknown = 'yes'", "unknown"),
        ("accounts = '012345678901'", "accounts"),
        ("accounts = [12345678901]", "accounts.0"),
        ("accounts = ['12345678901']", "accounts.0"),
        ("accounts = ['payments']", "accounts.0"),
        ("ous = ['Workloads']", "ous.0"),
        ("ous = ['ou-ab12-12345678', 'ou-ab12-']", "ous.1"),
        ("ous = [1]", "ous.0"),
        ("tags = ['pci']", "tags"),
        ("tags = 'pci'", "tags"),
    ],
)
def test_a_scope_that_does_not_fit_is_refused_with_its_field(body, field):
    """
    A misspelt key or an id that is none would be a scope that holds nothing.
    """
    (line,) = refuse(scope(body))

    assert line.startswith(f"orgproof.toml: scope.pci-dss-4.0.1.{field}: ")


@pytest.mark.parametrize("value", ["1", "true", "[1]", "{ a = 1 }", "[['yes']]"])
def test_a_tag_s_value_is_text(value):
    """
    One text or several; a number that looks like one is not compared with a tag.
    """
    lines = refuse(scope(f"tags = {{ pci = {value} }}"))

    assert all(line.startswith("orgproof.toml: scope.pci-dss-4.0.1.tags.pci") for line in lines)


@pytest.mark.parametrize(
    "text", ["scope = 1", "[scope]\npci = 1", "scope = ['x']", "[[scope]]\nx = 1"]
)
def test_scopes_are_tables_by_framework(text):
    """
    Anything else has no place for what is in scope.
    """
    assert all(line.startswith("orgproof.toml: scope") for line in refuse(text))


# Files that the settings name


def test_a_file_that_the_settings_name_is_looked_for_beside_them():
    """
    Settings and what they name are moved together; a path that is whole stays as it is.
    """
    text = "[scan]\nacceptances = 'accepted.yaml'\nframework_files = ['mine.yaml', '/etc/x.yaml']"

    scan = read_settings(text.encode(), "/srv/audit/orgproof.toml", {}).scan

    assert scan.acceptances == "/srv/audit/accepted.yaml"
    assert scan.framework_files == ["/srv/audit/mine.yaml", "/etc/x.yaml"]


def test_a_file_that_an_option_names_is_looked_for_where_the_command_runs():
    """
    Whoever types a path sees it from where they are.
    """
    text = "[scan]\nacceptances = 'accepted.yaml'\nframework_files = ['mine.yaml']"
    options = {"scan": {"acceptances": "other.yaml", "framework_files": ["own.yaml"]}}

    scan = read_settings(text.encode(), "/srv/audit/orgproof.toml", options).scan

    assert (scan.acceptances, scan.framework_files) == ("other.yaml", ["own.yaml"])


def test_where_files_are_looked_for_changes_nothing_else():
    """
    The output folder is one of the command's, and no setting takes the folder's name on.
    """
    text = "[scan]\noutput = 'runs'\nframeworks = ['a']"

    scan = read_settings(text.encode(), "/srv/audit/orgproof.toml", {}).scan

    assert (scan.output, scan.frameworks, scan.acceptances) == ("runs", ["a"], None)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[scan]\nacceptances = 1", "scan.acceptances"),
        ("[scan]\nacceptances = ['a.yaml']", "scan.acceptances"),
        ("[scan]\nframework_files = 'a.yaml'", "scan.framework_files"),
        ("[scan]\nframework_files = [1]", "scan.framework_files.0"),
        ("[scan]\nmax_report_age_hours = 0", "scan.max_report_age_hours"),
        ("[scan]\nmax_report_age_hours = -1", "scan.max_report_age_hours"),
        ("[scan]\nmax_report_age_hours = 8761", "scan.max_report_age_hours"),
        ("[scan]\nmax_report_age_hours = 24.0", "scan.max_report_age_hours"),
        ("[scan]\nmax_report_age_hours = '24'", "scan.max_report_age_hours"),
    ],
)
def test_what_judging_rests_on_is_refused_where_it_does_not_fit(text, field):
    """
    Catalogs, acceptances and the age a report may have: nothing is guessed.
    """
    (line,) = refuse(text)

    assert line.startswith(f"orgproof.toml: {field}: ")


# Where runs are delivered to


def to_s3(*lines):
    return "\n".join(("[[deliver]]", 'to = "s3"', 'bucket = "audit"', *lines))


def test_a_folder_to_deliver_to_is_looked_for_beside_the_file():
    """
    Wherever the command is started; a whole path stays as it is.
    """
    text = "".join(f"[[deliver]]\nto = 'folder'\npath = '{path}'\n" for path in ("out", "/mnt/a"))

    tables = read_settings(text.encode(), "/srv/audit/orgproof.toml", {}).deliver

    assert [table.path for table in tables if isinstance(table, FolderTable)] == [
        "/srv/audit/out",
        "/mnt/a",
    ]


def test_a_bucket_has_defaults_that_lock_nothing():
    """
    Documents, no prefix, the bucket's own encryption.
    """
    (table,) = read(to_s3()).deliver

    assert table == S3Table(to="s3", bucket="audit")
    assert isinstance(table, S3Table)
    assert (table.contents, table.kms_key, table.lock_mode) == ("documents", None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deliver = 1", "deliver: "),
        ("deliver = ['a']", 'to must be "folder" or "s3"'),
        ("[deliver]\nto = 'folder'", "deliver: "),
        ("[[deliver]]\npath = '/a'", 'to must be "folder" or "s3"'),
        ("[[deliver]]\nto = 'ftp'\npath = '/a'", 'to must be "folder" or "s3"'),
        ("[[deliver]]\nto = 1", 'to must be "folder" or "s3"'),
        ("[[deliver]]\nto = 'folder'", "deliver.0.folder.path"),
        ("[[deliver]]\nto = 'folder'\npath = ''", "deliver.0.folder.path"),
        ("[[deliver]]\nto = 'folder'\npath = 1", "deliver.0.folder.path"),
        ("[[deliver]]\nto = 'folder'\npath = '/a'\nbucket = 'a'", "deliver.0.folder.bucket"),
        ("[[deliver]]\nto = 'folder'\npath = '/a'\ncontents = 'all'", "deliver.0.folder.contents"),
        ("[[deliver]]\nto = 's3'", "deliver.0.s3.bucket"),
        ("[[deliver]]\nto = 's3'\nbucket = 'arn:aws:s3:::audit'", "deliver.0.s3.bucket"),
        ("[[deliver]]\nto = 's3'\nbucket = 'Audit'", "deliver.0.s3.bucket"),
        ("[[deliver]]\nto = 's3'\nbucket = 'audit--use1-az4--x-s3'", "directory bucket"),
        (to_s3("prefix = '/a'"), "deliver.0.s3.prefix"),
        (to_s3("prefix = 'a/'"), "deliver.0.s3.prefix"),
        (to_s3("prefix = 'a/../b'"), "deliver.0.s3.prefix"),
        (to_s3("prefix = 'a//b'"), "deliver.0.s3.prefix"),
        (to_s3("expected_owner = '1234'"), "deliver.0.s3.expected_owner"),
        (to_s3("expected_owner = 123456789012"), "deliver.0.s3.expected_owner"),
        (to_s3("kms_key = 'not a key'"), "deliver.0.s3.kms_key"),
        (to_s3("lock_mode = 'governance'"), "lock_mode needs retain_days"),
        (to_s3("retain_days = 30"), "retain_days needs lock_mode"),
        (to_s3("lock_mode = 'GOVERNANCE'", "retain_days = 30"), "deliver.0.s3.lock_mode"),
        (to_s3("lock_mode = 'compliance'", "retain_days = 0"), "deliver.0.s3.retain_days"),
        (to_s3("lock_mode = 'compliance'", "retain_days = 36501"), "deliver.0.s3.retain_days"),
        (to_s3("lock_mode = 'compliance'", "retain_days = 1.5"), "deliver.0.s3.retain_days"),
        (to_s3("secret_key = 'x'"), "deliver.0.s3.secret_key"),
    ],
)
def test_a_destination_that_does_not_fit_is_refused(text, said):
    """
    Half a lock is no lock, and a key or prefix that is guessed leads elsewhere.
    """
    (line,) = refuse(text)

    assert line.startswith("orgproof.toml: deliver")
    assert said in line


def test_a_refused_destination_shows_no_secret():
    """
    Somebody who writes a key into the settings does not find it in a log.
    """
    assert SECRET not in "".join(refuse(to_s3(f"secret_key = '{SECRET}'")))


def test_settings_that_a_run_keeps_can_name_whole_paths_only():
    """
    Where their file once stood nobody knows any more.
    """
    text = "[[deliver]]\nto = 'folder'\npath = '{}'"

    (table,) = read_stored_settings(text.format("/mnt/a").encode(), "settings.toml", {}).deliver
    assert isinstance(table, FolderTable)
    assert table.path == "/mnt/a"

    with pytest.raises(SettingsError, match="--config"):
        read_stored_settings(text.format("out").encode(), "settings.toml", {})
