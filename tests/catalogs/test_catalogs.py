import re
from functools import cache

import pytest
import yaml
from catalogs.mappings import ISO_2013, MAPPINGS, NOT_EVIDENCED, THRESHOLDS, D, S

from scanner.checks import CHECKS, EVIDENCE_CHECKS
from scanner.frameworks import find_frameworks, load_framework, natural_key
from scanner.model import Relation, Verdict

SHIPPED = sorted(find_frameworks())

load_once = cache(load_framework)

# They judge the evidence itself and bear on every control, so that no catalog needs to name them.
EVIDENCE_QUALITY = {
    "account-not-collected",
    "extra-credentials",
    "population-mismatch",
    "report-malformed",
    "report-stale",
}

LETTERS = {Relation.DIRECT: D, Relation.SUPPORTING: S}

# A mapping is an aid, and a test of configuration is no determination.
FORBIDDEN = re.compile(
    r"\b(non-?)?complian(t|ce)\b|\bcertified\b|\bcertif(y|ies)\b|\bpass(es|ed) (pci|iso|the audit)|"
    r"\bguarantees?\b|\bensures?\b",
    re.IGNORECASE,
)


@pytest.fixture(name="framework", params=SHIPPED)
def load_shipped(request):
    return load_once(request.param)


def texts(framework):
    """
    Yield every text of a catalog that a document may print, with its place.
    """
    yield "status", framework.status
    yield "scope", framework.scope_because
    for remark in framework.remarks:
        yield "remarks", remark
    for verdict, words in framework.wording.items():
        yield f"wording {verdict}", words
    for control in framework.controls:
        for text in (
            control.title,
            control.requirement,
            control.rationale,
            *control.cannot_show,
            *control.notes,
            *control.sources,
            *(mapped.because for mapped in control.checks),
            *([control.not_tested] if control.not_tested else []),
        ):
            yield f"control {control.id}", text
    for gap in framework.not_evidenced:
        yield f"not evidenced {', '.join(gap.ids)}", gap.because


def list_differences(controls, written):
    """
    Say control by control what a catalog maps and the table does not, and the other way round.
    """
    found = {
        control.id: {f"{LETTERS[mapped.relation]} {mapped.bound.name}" for mapped in control.checks}
        for control in controls
    }
    meant = {
        control: {f"{letter} {column}" for column, letter in mapped}
        for control, mapped in written.items()
    }
    differences = [f"{name}: not in the table" for name in found.keys() - meant.keys()]
    differences += [f"{name}: not in the catalog" for name in meant.keys() - found.keys()]
    for name in found.keys() & meant.keys():
        differences += [f"{name}: only in the catalog: {x}" for x in found[name] - meant[name]]
        differences += [f"{name}: only in the table: {x}" for x in meant[name] - found[name]]
    return sorted(differences, key=natural_key)


def describe_threshold(bound):
    """
    Put a check's days in words, or return None when it counts none.
    """
    days = getattr(bound.parameters, "days", None)
    if days is None:
        return None
    operator = getattr(bound.parameters, "operator", None)
    return {
        None: f"within {days} days",
        "at-least": f"{days} days or more",
        "more-than": f"more than {days} days",
    }[operator]


def test_the_frameworks_that_ship_are_those_that_are_listed_here():
    """
    A catalog that is added or lost must be meant.
    """
    assert set(SHIPPED) == set(MAPPINGS)


def test_each_framework_maps_its_checks_as_written_by_hand(framework):
    """
    The catalog against the table: no control, check, parameter or relation changes unnoticed.
    """
    assert list_differences(framework.controls, MAPPINGS[framework.id]) == []


def test_each_control_is_as_far_answered_as_written_by_hand(framework):
    """
    Direct or supporting, control by control: direct through one check that is.
    """
    found = {control.id: LETTERS[control.relation] for control in framework.controls}
    meant = {
        control: D if D in {letter for _, letter in mapped} else S
        for control, mapped in MAPPINGS[framework.id].items()
    }

    assert found == meant


def test_the_table_writes_each_mapping_once():
    """
    Neither a check twice on one control nor with two thresholds there.
    """
    for framework, controls in MAPPINGS.items():
        for control, mapped in controls.items():
            checks = [column.partition(":")[0] for column, _ in mapped]
            assert len(checks) == len(set(checks)), f"{framework} {control}"


def test_each_framework_counts_days_as_written_by_hand(framework):
    """
    One threshold for a check all through a framework: its own where it has one, else the check's.
    """
    found = {
        (mapped.bound.check.id, words)
        for control in framework.controls
        for mapped in control.checks
        if (words := describe_threshold(mapped.bound))
    }

    assert sorted(found) == sorted(THRESHOLDS[framework.id].items())


def test_the_thresholds_that_the_frameworks_themselves_set():
    """
    The figures an assessor will look up, each at the control that sets it.
    """
    set_by = {
        **{
            (name, number): {
                "password-unused": "45 days or more",
                "access-key-unused": "45 days or more",
            }
            for name, number in {
                "cis-aws-1.5.0": "1.12",
                "cis-aws-2.0.0": "1.12",
                "cis-aws-3.0.0": "1.12",
                "cis-aws-4.0.1": "1.12",
                "cis-aws-5.0.0": "1.11",
                "cis-aws-6.0.0": "2.11",
                "cis-aws-7.0.0": "2.11",
            }.items()
        },
        ("pci-dss-4.0.1", "8.2.6"): {
            "user-inactive": "more than 90 days",
            "password-unused": "more than 90 days",
            "access-key-unused": "more than 90 days",
        },
        ("pci-dss-4.0.1", "8.3.9"): {"single-factor-password-age": "more than 90 days"},
        ("cis-controls-8.1", "5.3"): {
            "user-inactive": "more than 45 days",
            "password-unused": "more than 45 days",
            "access-key-unused": "more than 45 days",
        },
        ("fedramp-moderate-r5", "AC-2(3)"): {"user-inactive": "more than 90 days"},
        ("fedramp-high-r5", "AC-2(3)"): {"user-inactive": "more than 35 days"},
        ("aws-fsbp-1.0.0", "IAM.3"): {"access-key-age": "more than 90 days"},
        ("aws-fsbp-1.0.0", "IAM.8"): {
            "password-unused": "more than 90 days",
            "access-key-unused": "more than 90 days",
        },
    }
    found = {
        (framework.id, control.id): {
            mapped.bound.check.id: words
            for mapped in control.checks
            if (words := describe_threshold(mapped.bound))
        }
        for framework in map(load_once, SHIPPED)
        for control in framework.controls
    }

    assert {place: found[place] for place in set_by} == set_by


@pytest.mark.parametrize("check", sorted(CHECKS.keys() - EVIDENCE_QUALITY))
def test_every_check_is_used_by_a_catalog(check):
    """
    A check that answers to no control has nobody to tell.
    """
    used = {
        mapped.bound.check.id
        for name in SHIPPED
        for control in load_once(name).controls
        for mapped in control.checks
    }

    assert check in used


def test_the_checks_of_the_evidence_itself_are_those_named_here():
    """
    So that no other check passes for one of them and goes without a catalog.
    """
    assert set(EVIDENCE_CHECKS) == EVIDENCE_QUALITY


def test_the_2013_ids_of_iso_are_those_of_the_crosswalk(framework):
    """
    An old Statement of Applicability finds its way; no other framework ships a crosswalk.
    """
    found = {control.id: dict(control.crosswalk) for control in framework.controls}
    meant: dict[str, dict[str, list[str]]] = {control.id: {} for control in framework.controls}
    if framework.id == "iso-27001-2022":
        meant = {control.id: {"2013": ISO_2013[control.id]} for control in framework.controls}

    assert {
        control: {edition: list(ids) for edition, ids in crosswalk.items()}
        for control, crosswalk in found.items()
    } == meant


def test_a_control_without_checks_says_why(framework):
    """
    Either checks bear on a control or a sentence says why none does; never both, never neither.
    """
    for control in framework.controls:
        assert bool(control.checks) != bool(control.not_tested), control.id
        if control.not_tested:
            assert control.not_tested.endswith("."), control.id
            assert len(control.not_tested) > 30, control.id


def test_what_nothing_shows_is_named_and_not_mapped(framework):
    """
    An id that no evidence here bears on is listed with its reason, once, and is no control.
    """
    named = [name for gap in framework.not_evidenced for name in gap.ids]

    assert len(named) == len(set(named))
    assert set(named) >= NOT_EVIDENCED.get(framework.id, set())
    assert set(named).isdisjoint(control.id for control in framework.controls)
    assert all(gap.because.endswith(".") for gap in framework.not_evidenced)


def test_a_catalog_is_named_by_its_file(framework):
    """
    Id, name and version belong together: pci-dss-4.0.1 is version 4.0.1, a slash becoming a dash.
    """
    assert find_frameworks()[framework.id].name == f"{framework.id}.yaml"
    assert framework.id.endswith(f"-{framework.version.replace('/', '-')}")
    assert framework.name


def test_controls_stand_in_natural_order(framework):
    """
    As the framework itself counts, so that an assessor finds them.
    """
    ids = [control.id for control in framework.controls]

    assert ids == sorted(ids, key=natural_key)
    assert len(ids) == len(set(ids))


def test_each_control_says_what_an_assessor_needs(framework):
    """
    Why it bears on the control, what the evidence cannot show, and where that stands: as sentences.
    """
    for control in framework.controls:
        assert control.requirement.endswith("."), control.id
        assert control.rationale.endswith("."), control.id
        assert all(len(text) > 15 for text in control.cannot_show), control.id
        assert any(framework.name in text for text in control.sources), control.id
        assert any(control.id.removeprefix("A.") in text for text in control.sources), control.id
        assert all(mapped.because.endswith(".") for mapped in control.checks), control.id


def test_every_verdict_has_words_of_the_framework(framework):
    """
    Six verdicts, six different wordings.
    """
    assert set(framework.wording) == set(Verdict)
    assert len(set(framework.wording.values())) == len(Verdict)


def test_nothing_claims_a_determination(framework):
    """
    No text calls anything compliant or certified: that is the assessor's to say.
    """
    claims = [(place, text) for place, text in texts(framework) if FORBIDDEN.search(text)]

    assert claims == []


def test_texts_are_clean(framework):
    """
    One line each, without blanks around, markup or characters that do not print.
    """
    odd = [
        (place, text)
        for place, text in texts(framework)
        if text != " ".join(text.split()) or not text.isprintable() or "<" in text
    ]

    assert odd == []


def test_a_pass_is_worded_for_the_population_alone(framework):
    """
    No exceptions is said of what was tested, and not of the organization.
    """
    assert "o exceptions noted" in framework.wording[Verdict.PASS]
    assert "population tested" in framework.wording[Verdict.PASS]


def test_a_failure_is_worded_as_evidence_and_not_as_a_verdict(framework):
    """
    What the tool finds is for the assessor or auditor to weigh.
    """
    assert re.search(r"assessor|auditor", framework.wording[Verdict.FAIL])


def test_a_supporting_check_never_makes_a_control_direct(framework):
    """
    A control is direct only through a check that is.
    """
    for control in framework.controls:
        relations = {mapped.relation for mapped in control.checks}
        assert (control.relation is Relation.DIRECT) == (Relation.DIRECT in relations), control.id


def test_a_lead_never_answers_a_control_directly(framework):
    """
    What is something to ask about and no exception by itself lends weight and no more.
    """
    for control in framework.controls:
        for mapped in control.checks:
            if mapped.bound.check.is_lead:
                assert mapped.relation is Relation.SUPPORTING, f"{control.id} {mapped.bound.name}"


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("pci-dss-4.0.1", "8.4.1"),
        ("nist-800-53-r5", "IA-2(1)"),
        ("fedramp-low-r5", "IA-2(1)"),
        ("fedramp-moderate-r5", "IA-2(1)"),
        ("fedramp-high-r5", "IA-2(1)"),
        ("cis-controls-8.1", "6.5"),
        ("nis2-cir-2024-2690", "11.3.2(a)"),
    ],
)
def test_mfa_of_administrators_is_shown_for_root_alone(name, control):
    """
    The report holds no permissions: root is privileged by nature, an IAM user may be or not.
    """
    (found,) = [each for each in load_once(name).controls if each.id == control]

    assert {mapped.bound.name: mapped.relation for mapped in found.checks} == {
        "root-console-no-mfa": Relation.DIRECT,
        "console-no-mfa": Relation.SUPPORTING,
    }


def test_pci_says_what_its_console_is():
    """
    In PCI DSS a console is a physical one, and the catalog says so once.
    """
    remarks = " ".join(load_framework("pci-dss-4.0.1").remarks)

    assert remarks.count("non-console access") == 1


def test_pci_waits_for_its_scope_to_be_declared():
    """
    Which accounts belong to the CDE only the operator can say; until then exceptions need review.
    """
    assert load_framework("pci-dss-4.0.1").scope_must_be_declared is True
    assert load_framework("iso-27001-2022").scope_must_be_declared is False


def test_iso_names_the_policy_as_the_criterion():
    """
    Annex A does not ask for MFA in so many words, and the catalog does not say that it does.
    """
    framework = load_framework("iso-27001-2022")

    assert any("own access control policy" in remark for remark in framework.remarks)
    assert all(control.id.startswith("A.") for control in framework.controls)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_catalog_is_plain_text_under_a_comment(name):
    """
    Readable without tools: ASCII but for names, lines of a screen's width, a first comment that says what.
    """
    text = find_frameworks()[name].read_text(encoding="utf-8")

    assert text.startswith("# ")
    assert "own words" in text.partition("\nformat:")[0].replace("\n# ", " ")
    assert max(map(len, text.splitlines())) <= 120
    assert yaml.safe_load(text)["format"] == 1
