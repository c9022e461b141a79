import copy
import hashlib
from datetime import date

import pytest
import yaml

from scanner.checks import CHECKS, EVIDENCE_CHECKS
from scanner.errors import CatalogError
from scanner.frameworks import (
    MAX_CATALOG_BYTES,
    Gap,
    bind_checks,
    find_frameworks,
    load_framework,
    load_framework_file,
    natural_key,
    read_framework,
)
from scanner.model import Relation, Verdict

NAME = "my-framework-1.0.yaml"
MAPPING = {"check": "console-no-mfa", "relation": "direct", "because": "It is what is asked."}
CONTROL = {
    "id": "8.9",
    "title": "MFA",
    "requirement": "People use MFA.",
    "rationale": "A password alone is one factor.",
    "cannot_show": ["Who the people are"],
    "sources": ["The standard, 8.9"],
    "checks": [MAPPING],
}
SCOPE = {"of": "everything", "must_be_declared": False, "because": "It says so."}
WORDING = {str(verdict): f"words for {verdict}" for verdict in Verdict}
CATALOG = {
    "format": 1,
    "id": "my-framework-1.0",
    "name": "My framework",
    "version": "1.0",
    "published": date(2026, 1, 2),
    "status": "Current.",
    "scope": SCOPE,
    "wording": WORDING,
    "controls": [CONTROL],
}


def write(catalog):
    return yaml.safe_dump(catalog).encode()


def change(**fields):
    """
    Return the catalog with some fields replaced.
    """
    return copy.deepcopy(CATALOG) | fields


def with_controls(*controls):
    return change(controls=[copy.deepcopy(CONTROL) | control for control in controls])


def with_checks(*mappings):
    return with_controls({"checks": [MAPPING | mapping for mapping in mappings]})


def without(catalog, field):
    return {name: value for name, value in catalog.items() if name != field}


def refuse(source, name=NAME):
    """
    Read a catalog that must be refused, and return its problems.
    """
    with pytest.raises(CatalogError) as caught:
        read_framework(source if isinstance(source, bytes) else write(source), name)
    assert str(caught.value).splitlines()
    return caught.value.problems


# What is accepted


def test_a_catalog_is_read_with_all_it_says():
    """
    Every field reaches the framework, and the file's own bytes with it.
    """
    source = write(change(remarks=["A remark"]))

    framework = read_framework(source, NAME)

    (control,) = framework.controls
    (mapped,) = control.checks
    assert (framework.id, framework.name, framework.version) == (
        "my-framework-1.0",
        "My framework",
        "1.0",
    )
    assert framework.published == "2026-01-02"
    assert framework.remarks == ("A remark",)
    assert (framework.scope_of, framework.scope_must_be_declared) == ("everything", False)
    assert framework.wording == {verdict: f"words for {verdict}" for verdict in Verdict}
    assert (control.id, control.title, control.cannot_show) == (
        "8.9",
        "MFA",
        ("Who the people are",),
    )
    assert (mapped.bound.name, mapped.relation) == ("console-no-mfa", Relation.DIRECT)
    assert framework.source == source
    assert framework.ref.sha256 == hashlib.sha256(source).hexdigest()


def test_a_control_is_direct_when_one_of_its_checks_is():
    """
    One check that is what the control asks makes the control direct; supporting ones alone do not.
    """
    mixed = {"check": "root-console-no-mfa", "relation": "supporting"}
    controls = with_controls(
        {"id": "1", "checks": [MAPPING, MAPPING | mixed]}, {"id": "2", "checks": [MAPPING | mixed]}
    )

    framework = read_framework(write(controls), NAME)

    assert [control.relation for control in framework.controls] == ["direct", "supporting"]


def test_controls_come_in_natural_order():
    """
    8.10 follows 8.9, wherever the file has it.
    """
    ids = ["A.10", "8.10", "8.9", "A.9", "8.9.1", "8", "A.5.36"]

    framework = read_framework(write(with_controls(*({"id": name} for name in ids))), NAME)

    assert [control.id for control in framework.controls] == [
        "8",
        "8.9",
        "8.9.1",
        "8.10",
        "A.5.36",
        "A.9",
        "A.10",
    ]


def test_ids_that_mix_letters_and_digits_have_one_order():
    """
    Any two ids can be compared, whatever they begin with, and none counts as another's equal.
    """
    ids = ["CC6.1", "6.1", "164.312(d)", "", "IA-2(1)", "IA-2(10)", "IA-2", "\u0663", "\u00b2"]

    backwards = list(reversed(ids))

    order = sorted(ids, key=natural_key)

    assert order == sorted(backwards, key=natural_key)
    assert order.index("IA-2") < order.index("IA-2(1)") < order.index("IA-2(10)")


def test_checks_are_bound_once_for_all_frameworks():
    """
    A check that several controls use runs once, and the order does not depend on the catalogs'.
    """
    pci, iso = load_framework("pci-dss-4.0.1"), load_framework("iso-27001-2022")

    names = [bound.name for bound in bind_checks([pci, iso])]

    assert names == sorted(set(names))
    assert names == [bound.name for bound in bind_checks([iso, pci, pci])]
    mapped = {
        mapped.bound.name
        for framework in (pci, iso)
        for control in framework.controls
        for mapped in control.checks
    }
    assert set(names) == mapped | set(EVIDENCE_CHECKS)


def test_the_evidence_itself_is_always_checked():
    """
    Whether a report is there, whole and fresh is asked in every run, whatever its frameworks ask for.
    """
    always = [bound.name for bound in bind_checks([])]

    assert always == list(EVIDENCE_CHECKS)
    assert all(name in CHECKS for name in always)
    named = [bound.name for bound in bind_checks([read_framework(write(CATALOG), NAME)])]
    assert named == sorted([*always, "console-no-mfa"])


def test_a_check_with_other_parameters_is_bound_beside_the_first():
    """
    Two limits are two columns, and a default that is written out is the default.
    """
    age = {"check": "access-key-age"}
    catalog = with_controls(
        {"id": "1", "checks": [MAPPING | age]},
        {
            "id": "2",
            "checks": [MAPPING | age | {"parameters": {"days": 90, "operator": "more-than"}}],
        },
        {"id": "3", "checks": [MAPPING | age | {"parameters": {"days": 45}}]},
    )

    bound = bind_checks([read_framework(write(catalog), NAME)])

    assert [check.name for check in bound if check.check.id == "access-key-age"] == [
        "access-key-age",
        "access-key-age:days=45",
    ]


NOT_TESTED = {"checks": [], "not_tested": "Nothing in a credential report bears on it."}


def test_a_control_may_say_why_nothing_bears_on_it():
    """
    It is listed with the others, with its sentence, and is not direct.
    """
    framework = read_framework(write(with_controls(NOT_TESTED)), NAME)

    (control,) = framework.controls
    assert (control.checks, control.not_tested) == ((), NOT_TESTED["not_tested"])
    assert control.relation is Relation.SUPPORTING


def test_ids_of_other_editions_and_gaps_reach_the_framework():
    """
    A crosswalk by edition, and the controls about which nothing is shown, with the reason.
    """
    gaps = [{"ids": ["1.1", "1.2"], "because": "They are about networks."}]
    catalog = with_controls({"crosswalk": {"2013": ["A.9.4.2", "A.9.4.3"]}})

    framework = read_framework(write(catalog | {"not_evidenced": gaps}), NAME)

    assert framework.controls[0].crosswalk == {"2013": ("A.9.4.2", "A.9.4.3")}
    assert framework.not_evidenced == (Gap(("1.1", "1.2"), "They are about networks."),)


# What is refused


@pytest.mark.parametrize("field", [field for field in CATALOG if field != "remarks"])
def test_each_field_is_required(field):
    """
    A catalog that lacks a field is refused with the field's name.
    """
    (problem,) = refuse(without(CATALOG, field))

    assert problem == f"{NAME}: field {field}: Field required"


@pytest.mark.parametrize("field", [field for field in CONTROL if field != "id"])
def test_each_field_of_a_control_is_required(field):
    """
    A control that lacks a field is refused with its id and the field's name.
    """
    (problem,) = refuse(change(controls=[without(CONTROL, field)]))

    assert problem == f"{NAME}: control 8.9, field {field}: Field required"


def test_a_control_without_an_id_is_named_by_its_number():
    """
    Where there is no id to name, the place in the list is named, counted from one.
    """
    (problem,) = refuse(change(controls=[CONTROL, without(CONTROL, "id")]))

    assert problem == f"{NAME}: control number 2, field id: Field required"


@pytest.mark.parametrize("field", ["check", "relation", "because"])
def test_each_field_of_a_mapping_is_required(field):
    """
    A mapping says which check, how far it answers, and why.
    """
    (problem,) = refuse(with_controls({"checks": [without(MAPPING, field)]}))

    assert problem == f"{NAME}: control 8.9, field checks.0.{field}: Field required"


@pytest.mark.parametrize(
    ("catalog", "place"),
    [
        (change(extra=1), "field extra"),
        (change(Name="x"), "field Name"),
        (with_controls({"rational": "x"}), "control 8.9, field rational"),
        (with_checks({"params": {}}), "control 8.9, field checks.0.params"),
        (change(scope=SCOPE | {"of_what": "x"}), "field scope.of_what"),
        (change(wording=WORDING | {"passed": "x"}), "field wording.passed"),
        (change(wording=WORDING | {"pass_": "x"}), "field wording.pass_"),
    ],
)
def test_a_field_that_does_not_exist_is_refused(catalog, place):
    """
    A misspelt field would be a field that does nothing.
    """
    problems = refuse(catalog)

    assert any(problem.startswith(f"{NAME}: {place}: Extra inputs") for problem in problems)


@pytest.mark.parametrize(
    ("catalog", "place"),
    [
        (change(format=2), "field format"),
        (change(format="1"), "field format"),
        (change(format=True), "field format"),
        (change(id="My Framework"), "field id"),
        (change(id="../up"), "field id"),
        (change(id=""), "field id"),
        (change(version=1.0), "field version"),
        (change(version=2022), "field version"),
        (change(version=""), "field version"),
        (change(published="January 2026"), "field published"),
        (change(published=2026), "field published"),
        (change(status=""), "field status"),
        (change(name=None), "field name"),
        (
            change(scope=SCOPE | {"must_be_declared": "yes"}),
            "field scope.must_be_declared",
        ),
        (change(scope=SCOPE | {"must_be_declared": 0}), "field scope.must_be_declared"),
        (change(wording=without(WORDING, "not-tested")), "field wording.not-tested"),
        (change(wording=WORDING | {"unknown": ""}), "field wording.unknown"),
        (change(remarks="one"), "field remarks"),
        (change(controls=[]), "field controls"),
        (change(controls={}), "field controls"),
        (change(controls=["8.9"]), "control number 1"),
        (change(controls=[None]), "control number 1"),
        (with_controls({"id": 8.9}), "control 8.9, field id"),
        (with_controls({"id": ""}), "control number 1, field id"),
        (with_controls({"title": True}), "control 8.9, field title"),
        (with_controls({"cannot_show": []}), "control 8.9, field cannot_show"),
        (with_controls({"cannot_show": "nothing"}), "control 8.9, field cannot_show"),
        (with_controls({"sources": []}), "control 8.9, field sources"),
        (with_controls({"sources": [8.9]}), "control 8.9, field sources.0"),
        (with_controls({"checks": []}), "control 8.9, field checks"),
        (with_controls({"not_tested": "why"}), "control 8.9, field checks"),
        (with_controls({"checks": [], "not_tested": ""}), "control 8.9, field not_tested"),
        (with_controls({"checks": [], "not_tested": True}), "control 8.9, field not_tested"),
        (with_controls({"checks": None, "not_tested": "why"}), "control 8.9, field checks"),
        (with_controls({"crosswalk": ["A.9"]}), "control 8.9, field crosswalk"),
        (with_controls({"crosswalk": {"2013": "A.9"}}), "control 8.9, field crosswalk.2013"),
        (with_controls({"crosswalk": {"2013": [9]}}), "control 8.9, field crosswalk.2013.0"),
        (with_controls({"crosswalk": {2013: ["A.9"]}}), "control 8.9, field crosswalk.2013.[key]"),
        (change(not_evidenced=[{"ids": [], "because": "x"}]), "field not_evidenced.0.ids"),
        (change(not_evidenced=[{"ids": ["1"], "because": ""}]), "field not_evidenced.0.because"),
        (change(not_evidenced=[{"ids": ["1"]}]), "field not_evidenced.0.because"),
        (change(not_evidenced=[{"ids": [1.1], "because": "x"}]), "field not_evidenced.0.ids.0"),
        (change(not_evidenced={"1": "x"}), "field not_evidenced"),
        (with_checks({"relation": "Direct"}), "control 8.9, field checks.0.relation"),
        (with_checks({"relation": ""}), "control 8.9, field checks.0.relation"),
        (with_checks({"relation": True}), "control 8.9, field checks.0.relation"),
        (with_checks({"because": ""}), "control 8.9, field checks.0.because"),
        (with_checks({"check": 1}), "control 8.9, field checks.0.check"),
        (with_checks({"parameters": []}), "control 8.9, field checks.0.parameters"),
        (with_checks({"parameters": None}), "control 8.9, field checks.0.parameters"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(catalog, place):
    """
    File, control and field are named, and nothing is converted or filled in.
    """
    problems = refuse(catalog)

    assert [problem.partition(": ")[2].partition(": ")[0] for problem in problems] == [place]


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "True"])
@pytest.mark.parametrize("field", ["name", "version", "status"])
def test_yaml_s_surprise_booleans_are_refused(word, field):
    """
    YAML 1.1 reads on and no as booleans: as text they need quotes, and the message shows what was read.
    """
    lines = yaml.safe_dump(without(CATALOG, field)) + f"{field}: {word}\n"

    (problem,) = refuse(lines.encode())

    assert problem.startswith(f"{NAME}: field {field}: Input should be a valid string")
    assert problem.endswith(("(found True)", "(found False)"))


@pytest.mark.parametrize("word", ["true", "on", "yes"])
def test_yaml_s_words_for_true_are_one_boolean(word):
    """
    Where a boolean is asked for, YAML's words for it are all the same.
    """
    lines = yaml.safe_dump(CATALOG).replace("must_be_declared: false", f"must_be_declared: {word}")

    assert read_framework(lines.encode(), NAME).scope_must_be_declared is True


def test_a_version_without_quotes_is_refused():
    """
    YAML reads 4.0 as a number, which would print as another version some day.
    """
    lines = yaml.safe_dump(CATALOG).replace("version: '1.0'", "version: 1.0")

    (problem,) = refuse(lines.encode())

    assert problem.endswith("field version: Input should be a valid string (found 1.0)")


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"days": 90}, "days"), ({"Days": "90"}, "Days"), ({"": 1}, "")],
)
def test_a_parameter_that_the_check_does_not_have_is_refused(parameters, field):
    """
    A misspelt parameter would be a threshold that does nothing.
    """
    problems = refuse(with_checks({}, {"check": "root-console-no-mfa", "parameters": parameters}))

    place = (
        f"{NAME}: control 8.9, field checks.1.parameters.{field}: Extra inputs are not permitted"
    )
    assert [problem.startswith(place) for problem in problems] == [True]


def test_a_check_that_does_not_exist_is_refused_with_those_that_do():
    """
    The message names the checks there are, so that a slip is mended at once.
    """
    (problem,) = refuse(with_checks({"check": "console-mfa"}))

    assert problem == (
        f"{NAME}: control 8.9, field checks.0: no check 'console-mfa'; there are: "
        f"{', '.join(sorted(CHECKS))}"
    )


@pytest.mark.parametrize(
    ("check", "parameters", "field"),
    [
        ("access-key-age", {"days": "90"}, "days"),
        ("access-key-age", {"days": 90.0}, "days"),
        ("access-key-age", {"days": True}, "days"),
        ("access-key-age", {"days": -1}, "days"),
        ("access-key-age", {"days": 36501}, "days"),
        ("access-key-age", {"days": None}, "days"),
        ("access-key-age", {"operator": "over"}, "operator"),
        ("access-key-age", {"operator": ">"}, "operator"),
        ("access-key-age", {"day": 90}, "day"),
        ("setup-key-never-used", {"within_minutes": "5"}, "within_minutes"),
        ("setup-key-never-used", {"within_minutes": -1}, "within_minutes"),
        ("two-active-keys", {"grace_days": -1}, "grace_days"),
        ("generic-username", {"patterns": []}, "patterns"),
        ("generic-username", {"patterns": "admin"}, "patterns"),
        ("generic-username", {"patterns": [1]}, "patterns.0"),
        ("root-recent-use", {"operator": "at-least"}, "operator"),
    ],
)
def test_a_threshold_that_does_not_fit_is_refused_with_its_place(check, parameters, field):
    """
    No text for a number, nothing negative, no operator that the check does not have.
    """
    (problem,) = refuse(with_checks({"check": check, "parameters": parameters}))

    assert problem.startswith(f"{NAME}: control 8.9, field checks.0.parameters.{field}: ")


def test_a_check_that_a_control_maps_twice_is_refused():
    """
    Direct once and supporting once, a check would count twice in its control.
    """
    (problem,) = refuse(with_checks({}, {"relation": "supporting"}))

    assert problem == f"{NAME}: control 8.9, field checks: console-no-mfa appears twice"


def test_a_default_that_is_written_out_is_the_same_check():
    """
    A control that maps a check twice does so in whatever way the second is written.
    """
    age = {"check": "access-key-age"}

    (problem,) = refuse(with_checks(age, age | {"parameters": {"days": 90}}))

    assert problem == f"{NAME}: control 8.9, field checks: access-key-age appears twice"


def test_a_control_id_that_appears_twice_is_refused():
    """
    Of two controls with one id, one would be overlooked.
    """
    (problem,) = refuse(with_controls({}, {}, {"id": "8.10"}))

    assert problem == f"{NAME}: control 8.9: the id appears twice"


@pytest.mark.parametrize(
    "name", ["other.yaml", "my-framework-1.0.yml", "my-framework-1.0", "My-framework-1.0.yaml"]
)
def test_a_file_of_another_name_is_refused(name):
    """
    A framework is named by its file, and both names must be one.
    """
    (problem,) = refuse(CATALOG, name)

    assert problem == f"{name}: id: 'my-framework-1.0' is not the file's name without .yaml"


def test_a_folder_before_the_file_s_name_makes_no_difference():
    """
    What is compared is the file's own name.
    """
    assert read_framework(write(CATALOG), f"some/where/{NAME}").id == "my-framework-1.0"


def test_every_problem_of_a_file_s_shape_is_listed():
    """
    Whoever mends a catalog learns of everything wrong with it at once.
    """
    catalog = with_controls(
        {"id": "1", "title": ""}, {"id": "2", "sources": []}, {"id": "3", "checks": [{}]}
    )

    problems = refuse(catalog | {"version": 1, "extra": None})

    assert sorted(problem.partition(": ")[2].partition(": ")[0] for problem in problems) == [
        "control 1, field title",
        "control 2, field sources",
        "control 3, field checks.0.because",
        "control 3, field checks.0.check",
        "control 3, field checks.0.relation",
        "field extra",
        "field version",
    ]


def test_every_problem_of_a_file_s_meaning_is_listed():
    """
    Unknown checks, parameters, ids given twice and the file's name come in one list too.
    """
    catalog = with_controls(
        {"id": "1", "checks": [MAPPING | {"check": "a"}, MAPPING | {"check": "b"}]},
        {"id": "2", "checks": [MAPPING | {"parameters": {"days": 1, "hours": 2}}]},
        {"id": "3"},
        {"id": "3"},
    )

    problems = refuse(catalog, "other.yaml")

    assert [problem.split(": ")[1] for problem in problems] == [
        "control 1, field checks.0",
        "control 1, field checks.1",
        "control 2, field checks.0.parameters.days",
        "control 2, field checks.0.parameters.hours",
        "id",
        "control 3",
    ]


def test_problems_of_shape_and_of_meaning_are_listed_together():
    """
    A field that is missing here does not hide a check that does not exist there.
    """
    catalog = with_controls(
        {"id": "1", "title": ""}, {"id": "2", "checks": [MAPPING | {"check": "a"}]}
    )

    problems = refuse(catalog)

    assert any("control 1, field title" in problem for problem in problems)
    assert any("no check 'a'" in problem for problem in problems)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: My framework", "name: My framework\nname: Mine"),
        ("  title: MFA", "  title: MFA\n  title: MFA"),
        ("    relation: direct", "    relation: direct\n    'relation': supporting"),
    ],
)
def test_a_key_that_appears_twice_is_refused(before, after):
    """
    YAML would let the second replace the first in silence.
    """
    text = yaml.safe_dump(CATALOG)
    assert before in text

    (problem,) = refuse(text.replace(before, after).encode())

    assert "appears twice" in problem


@pytest.mark.parametrize(
    "source",
    [b"", b" ", b"# nothing", b"null", b"[]", b"- a\n- b", b"7", b"text", b"---\n...\n"],
)
def test_what_is_no_mapping_is_refused(source):
    """
    An empty file, a list or a word holds no catalog, and the message says where the format is told.
    """
    assert refuse(source) == [f"{NAME}: file: holds no catalog; see CONTRIBUTING.md for the format"]


@pytest.mark.parametrize(
    "source",
    [
        b"a: [",
        b"a: b: c",
        b"\xff\xfe\xfa",
        b"a: \xff",
        b"a: \x00",
        b"a: 1\n--- \nb: 2",
        b"a: !!python/object/apply:os.system ['true']",
        b"a: !unknown x",
        b"a: *nobody",
        b"<<: 1",
        b"? [a]\n: b",
        b"[" * 20_000,
        b"a: 2026-02-30",
        b"a: !!int x",
        b"a: !!int ''",
        b"a: !!float ''",
        b"a: !!bool perhaps",
        b"a: !!timestamp soon",
        b"a: " + b"9" * 5000,
    ],
    ids=lambda source: repr(source[:24]),
)
def test_what_is_not_plain_yaml_is_refused(source):
    """
    Damage, objects, several documents and values that do not fit their tag: all are one refusal.
    """
    (problem,) = refuse(source)

    assert problem.startswith(f"{NAME}: file: not YAML: ")
    assert "\n" not in problem


def test_a_number_too_long_to_be_written_is_refused():
    """
    Python does not write a number of thousands of digits, and the message must not try.
    """
    text = yaml.safe_dump(CATALOG).replace("format: 1", f"format: 0x1{'0' * 5000}")

    (problem,) = refuse(text.encode())

    assert problem.startswith(f"{NAME}: field format: ")


def bomb(levels, width=10):
    """
    Return YAML in which each list holds the one before ten times over.
    """
    lines = ["l0: &l0 [boom]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_a_bomb_of_references_is_refused():
    """
    A file that unfolds to a thousand million words is refused for its fields, unfolded or not.
    """
    problems = refuse((bomb(10) + yaml.safe_dump(CATALOG)).encode())

    assert [problem.split(": ")[1] for problem in problems] == [f"field l{n}" for n in range(10)]
    assert sum(map(len, problems)) < 10_000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: My framework", "name: *l4"),
        ("cannot_show:\n  - Who the people are", "cannot_show: *l4"),
        ("because: It is what is asked.", "because: x\n    parameters: {x: *l4}"),
        ("id: '8.9'", "id: *l4"),
        ("controls:\n", "controls:\n- *l4\n"),
    ],
    ids=["text", "list", "parameter", "control id", "control"],
)
def test_a_message_does_not_unfold_references(before, after):
    """
    Wherever ten thousand words stand in place of one, the message does not repeat them.
    """
    text = yaml.safe_dump(CATALOG)
    assert before in text

    problems = refuse((bomb(5) + text.replace(before, after)).encode())

    assert sum(map(len, problems)) < 10_000


def test_a_reference_to_itself_is_refused():
    """
    A list that contains itself has no end, and reading it has.
    """
    text = yaml.safe_dump(CATALOG).replace("- Who the people are", "- &x [*x]")

    (problem,) = refuse(text.encode())

    assert problem.startswith(f"{NAME}: control 8.9, field cannot_show.0: ")


def test_a_catalog_that_does_not_ship_is_refused_with_those_that_do():
    """
    The message names the frameworks there are.
    """
    with pytest.raises(
        CatalogError, match=r"no framework 'pci'; there are: .*iso-27001-2022, .*pci-dss-4.0.1"
    ):
        load_framework("pci")


@pytest.mark.parametrize("name", ["../pci-dss-4.0.1", "pci-dss-4.0.1.yaml", "", "PCI-DSS-4.0.1"])
def test_a_framework_s_name_is_no_path(name):
    """
    Only an id that ships is looked up: nothing is joined to a folder's name.
    """
    with pytest.raises(CatalogError, match="there are: "):
        load_framework(name)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """
    A catalog that cannot be read is named.
    """
    with pytest.raises(CatalogError, match=rf"{NAME}: cannot be read: No such file"):
        load_framework_file(tmp_path / NAME)
    with pytest.raises(CatalogError, match="cannot be read: Is a directory"):
        load_framework_file(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path):
    """
    A disk image named by mistake is not read into memory.
    """
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(MAX_CATALOG_BYTES + 1)

    with pytest.raises(CatalogError, match="larger than 1 MiB; this is not a catalog"):
        load_framework_file(path)


def test_a_file_is_read_as_its_bytes_are(tmp_path):
    """
    A catalog of one's own is read like one that ships.
    """
    path = tmp_path / NAME
    path.write_bytes(write(CATALOG))

    assert load_framework_file(path).source == write(CATALOG)


def test_shipped_frameworks_are_found_by_their_file_s_name():
    """
    Each shipped catalog is listed under its id, in natural order.
    """
    found = find_frameworks()

    assert list(found) == sorted(found, key=natural_key)
    assert {"pci-dss-4.0.1", "iso-27001-2022"} <= set(found)
    assert all(path.name == f"{name}.yaml" for name, path in found.items())
