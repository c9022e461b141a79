import re

import pytest
import yaml

from scanner.checks import CHECKS
from scanner.frameworks import find_frameworks, load_framework, natural_key
from scanner.model import Relation, Verdict

SHIPPED = sorted(find_frameworks())

# Written out by hand from the frameworks themselves, check by check: a mapping that changes, or a
# framework that is added, has to be meant and is changed here too.
D, S = Relation.DIRECT, Relation.SUPPORTING
MAPPED = {
    "console-no-mfa": {
        "pci-dss-4.0.1": [("8.4.1", S), ("8.4.2", D), ("8.4.3", S), ("8.5.1", S)],
        "iso-27001-2022": [("A.5.15", S), ("A.8.5", D)],
    },
    "root-console-no-mfa": {
        "pci-dss-4.0.1": [("8.4.1", D), ("8.4.2", D), ("8.4.3", S), ("8.5.1", S)],
        "iso-27001-2022": [("A.8.2", S), ("A.8.5", D)],
    },
    "root-access-key-active": {
        "pci-dss-4.0.1": [("8.2.2", S)],
        "iso-27001-2022": [("A.5.15", S), ("A.8.2", D)],
    },
}
CONTROLS = {
    "pci-dss-4.0.1": {
        "8.2.2": S,
        "8.4.1": D,
        "8.4.2": D,
        "8.4.3": S,
        "8.5.1": S,
    },
    "iso-27001-2022": {"A.5.15": S, "A.8.2": D, "A.8.5": D},
}

# A mapping is an aid, and a test of configuration is no determination.
FORBIDDEN = re.compile(
    r"\b(non-?)?complian(t|ce)\b|\bcertified\b|\bcertif(y|ies)\b|\bpass(es|ed) (pci|iso|the audit)|"
    r"\bguarantees?\b|\bensures?\b",
    re.IGNORECASE,
)


@pytest.fixture(name="framework", params=SHIPPED)
def load_shipped(request):
    return load_framework(request.param)


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
        ):
            yield f"control {control.id}", text


def test_the_frameworks_that_ship_are_those_that_are_listed_here():
    """
    A catalog that is added or lost must be meant.
    """
    assert set(SHIPPED) == set(CONTROLS)


def test_each_framework_maps_its_checks_as_written_here(framework):
    """
    The catalog against a table by hand: no mapping and no relation changes unnoticed.
    """
    found = {
        check: [
            (control.id, mapped.relation)
            for control in framework.controls
            for mapped in control.checks
            if mapped.bound.check.id == check
        ]
        for check in CHECKS
    }

    assert found == {check: MAPPED[check].get(framework.id, []) for check in CHECKS}


def test_each_control_is_as_far_answered_as_written_here(framework):
    """
    Direct or supporting, control by control, in order.
    """
    found = {control.id: control.relation for control in framework.controls}

    assert list(found.items()) == list(CONTROLS[framework.id].items())


def test_no_check_has_parameters_so_far(framework):
    """
    The verdict columns are the checks' own names.
    """
    names = {mapped.bound.name for control in framework.controls for mapped in control.checks}

    assert names <= set(CHECKS)


def test_a_catalog_is_named_by_its_file(framework):
    """
    Id, name and version belong together: pci-dss-4.0.1 is version 4.0.1.
    """
    assert find_frameworks()[framework.id].name == f"{framework.id}.yaml"
    assert framework.id.endswith(f"-{framework.version}")
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
        assert (control.relation is D) == (D in relations), control.id


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
