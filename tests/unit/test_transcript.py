import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from run_folder import Folder

from scanner.cli import app
from scanner.evidence.previous import locate_previous
from scanner.evidence.store import hash_file
from scanner.model import AccountId, Selection, Severity
from scanner.summary import PreviousRun
from scanner.transcript import choose_next, describe_next, draw_next, draw_run

RUN = Path("outputs/o-1/2026-Q4/20261124T101500Z")
OLDER = Path("outputs/o-1/2026-Q3/20260824T101500Z")


@pytest.fixture(name="base", scope="module")
def derive_base(tmp_path_factory):
    """
    Return the totals of a small run that is complete, with nothing found yet.
    """
    summary = Folder(tmp_path_factory.mktemp("base")).fill().derive()
    checks = tuple(
        replace(check, failed=0, needs_review=0, unknown=0, accepted=0) for check in summary.checks
    )
    return replace(summary, checks=checks, simulated=False)


@pytest.fixture(name="state")
def make_state(base):
    def state(*, missed=0, exceptions=0, unknown=0, accepted=0, **changes):
        """
        Return totals with this many accounts missed, and exceptions of the first check.
        """
        first, *others = base.checks
        first = replace(first, failed=exceptions, unknown=unknown, accepted=accepted)
        accounts = replace(base.accounts, not_collected=missed)
        return replace(base, **{"accounts": accounts, "checks": (first, *others), **changes})

    return state


def draw(summary, *, columns=100, documents=(), color_system=None):
    console = Console(
        file=io.StringIO(), width=columns, color_system=color_system, force_terminal=True
    )
    console.print(draw_run(summary, documents, columns))
    return console.file.getvalue()  # type: ignore[attr-defined]


# The next commands


STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "complete": ({}, {}),
    "exceptions": ({"exceptions": 3}, {}),
    "exceptions, with acceptances": ({"exceptions": 3, "acceptances_sha256": "0" * 64}, {}),
    "denied": ({"missed": 1, "reasons": {"access-denied": 1}}, {}),
    "throttled": ({"missed": 2, "reasons": {"throttled": 2}}, {}),
    "both": ({"missed": 3, "reasons": {"throttled": 2, "scp-denied": 1}}, {"older": OLDER}),
    "stopped": ({"missed": 9, "interrupted": True, "reasons": {"interrupted": 9}}, {}),
    "compared": ({"exceptions": 3}, {"older": OLDER}),
    "signed": (
        {"missed": 1, "reasons": {"throttled": 1}},
        {"access": ("--profile", "audit", "--sign-key", "key file.pem")},
    ),
    "demo": ({"simulated": True, "missed": 1, "reasons": {"access-denied": 1}}, {}),
    "stopped demo": ({"simulated": True, "missed": 9, "interrupted": True}, {}),
}

EXPECTED = {
    "complete": ["sample RUN", "verify RUN"],
    "exceptions": ["render RUN --acceptances accepted.yaml", "sample RUN", "verify RUN"],
    "exceptions, with acceptances": ["sample RUN", "verify RUN"],
    "denied": ["scan --resume RUN --retry-failed", "sample RUN", "verify RUN"],
    "throttled": ["scan --resume RUN", "sample RUN", "verify RUN"],
    "both": ["scan --resume RUN --retry-failed", "diff RUN OLDER", "verify RUN"],
    "stopped": ["scan --resume RUN", "sample RUN", "verify RUN"],
    "compared": ["diff RUN OLDER", "render RUN --acceptances accepted.yaml", "verify RUN"],
    "signed": [
        "scan --resume RUN --profile audit --sign-key 'key file.pem'",
        "sample RUN",
        "verify RUN",
    ],
    "demo": ["sample RUN", "verify RUN"],
    "stopped demo": ["demo", "sample RUN", "verify RUN"],
}


@pytest.mark.parametrize("name", STATES)
def test_the_next_commands_are_those_the_state_asks_for(state, name):
    """
    Three at most, what is missing first, and checking the evidence is always there.
    """
    changes, arguments = STATES[name]

    steps = choose_next(state(**changes), RUN, **arguments)

    told = [step.command.replace(str(RUN), "RUN").replace(str(OLDER), "OLDER") for step in steps]
    assert told == [f"orgproof {command}" for command in EXPECTED[name]]


@pytest.mark.parametrize("name", STATES)
def test_every_command_that_is_advised_exists(state, name):
    """
    The program itself takes each of them, with these options.
    """
    changes, arguments = STATES[name]
    group = typer.main.get_command(app)

    for step in choose_next(state(**changes), RUN, **arguments):
        command, *words = step.words
        with group.make_context("orgproof", [command], resilient_parsing=True) as outer:
            group.get_command(outer, command).make_context(command, words, parent=outer)  # type: ignore[attr-defined]


def test_a_run_of_nobody_has_no_sample(state):
    """
    Where no account was read there is nothing to draw from.
    """
    nobody = state(missed=1, reasons={"network": 1})
    nobody = replace(nobody, users=replace(nobody.users, users=0, roots=0))

    assert [step.words[0] for step in choose_next(nobody, RUN)] == ["scan", "verify"]


def test_paths_are_quoted_for_a_shell(state):
    """
    A folder's name can be anything, and a copied command must not do anything else.
    """
    steps = choose_next(state(), Path("all runs; rm -rf $HOME/x"))

    assert steps[-1].command == "orgproof verify 'all runs; rm -rf $HOME/x'"
    assert list(describe_next(steps))[-1] == (
        "next: check that this evidence is whole and unchanged: orgproof verify 'all runs; rm -rf $HOME/x'"
    )
    assert [line.plain for line in draw_next(steps)][-2] == f"    {steps[-1].command}"


def test_the_older_run_is_the_one_that_was_sealed(base, tmp_path):
    """
    A folder of the right name that holds another run is not offered for comparison, nor is one that is gone.
    """
    older = tmp_path / "o-1" / "2026-Q3" / "20260824T101500Z"
    older.mkdir(parents=True)
    run = tmp_path / "o-1" / "2026-Q4" / "20261124T101500Z"
    (older / "manifest.json").write_text(json.dumps({}))
    sha256 = hash_file(older / "manifest.json")
    before = PreviousRun(older.name, older.parent.name, base.window.started, sha256)
    following = replace(base, previous=before)
    elsewhere = older.rename(tmp_path / "elsewhere")
    found = [locate_previous(run, following, given) for given in (None, elsewhere)]
    (elsewhere / "manifest.json").write_text("{ }")

    assert found == [None, elsewhere]
    assert locate_previous(run, following, elsewhere) is None
    assert locate_previous(run, base, elsewhere) is None
    elsewhere.rename(older)
    (older / "manifest.json").write_text(json.dumps({}))
    assert locate_previous(run, following, None) == older


# The table


def test_the_table_says_what_the_totals_say(state):
    """
    Coverage adds up as in the documents, and every kind of result has its own column.
    """
    summary = state(missed=2, exceptions=33, unknown=4, accepted=5, reasons={"throttled": 2})
    accounts, first = summary.accounts, summary.checks[0]

    shown = draw(summary)

    assert (
        f"{accounts.listed} listed = {accounts.collected} collected + 2 not collected (2 throttled) + "
        f"{accounts.excluded} excluded + {accounts.not_active} not active"
    ) in shown
    assert "exceptions" in shown
    assert "unable to" in shown
    (row,) = [line for line in shown.splitlines() if line.strip().startswith(first.title)]
    assert row.split()[-3:] == ["33", "4", "5"]
    assert "4 verdicts: unable to determine" in shown


def test_what_is_missing_is_said_in_words_and_in_red(state):
    """
    Colours only repeat it: without them the same words stand there.
    """
    summary = state(missed=1, reasons={"network": 1})

    assert "\x1b[1;31mINCOMPLETE: " in draw(summary, color_system="standard")
    assert f"INCOMPLETE: 1 of {summary.accounts.listed} accounts could not be read" in draw(summary)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"simulated": True}, "SIMULATED"),
        ({"endpoint": "https://example.com"}, "ENDPOINT OVERRIDDEN"),
        ({"selection": Selection(accounts=(AccountId("000000000021"),))}, "PARTIAL SELECTION"),
        ({"interrupted": True}, "INCOMPLETE"),
    ],
)
def test_every_notice_of_the_documents_is_there(state, changes, label):
    """
    What must be known before any page is believed stands above the figures here too.
    """
    shown = draw(state(**changes))

    assert f"\n{label}: " in shown
    assert shown.index(label) < shown.index("Accounts")


def test_nothing_found_is_not_nothing_read(state):
    """
    The sentence says which of the two it is, and neither says that anything was passed.
    """
    read = draw(state())
    unread = draw(state(accounts=replace(state().accounts, collected=0)))

    assert "No check noted an exception or a lead, and none was unable to determine." in read
    assert "No account was read, so nothing is shown about any user." in unread
    for shown in (read, unread):
        assert not {"pass", "passed", "compliant", "certified"} & set(shown.lower().split())


def test_the_most_severe_checks_come_first_and_the_others_are_summed(state):
    """
    Twenty checks found something: eight are shown, and the line below counts the exceptions of the rest.
    """
    first = state().checks[0]
    severities = list(Severity)
    checks = tuple(
        replace(
            first,
            check=f"check-{number}:days={number}",
            title=f"Check {number}",
            severity=severities[number % 5],
            failed=number + 1,
        )
        for number in range(20)
    )

    shown = draw(replace(state(), checks=checks))

    order = [line.split()[1] for line in shown.splitlines() if line.startswith(" Check ")]
    assert order[1:] == ["15", "10", "5", "0", "16", "11", "6", "1"]
    assert "Check 15 (days=15)" in shown
    (rest,) = [line for line in shown.splitlines() if "and 12 further checks" in line]
    assert rest.split()[-1] == str(210 - 16 - 11 - 6 - 1 - 17 - 12 - 7 - 2)


@pytest.mark.parametrize("columns", [40, 60, 100, 200])
def test_hostile_text_is_text(state, columns):
    """
    No markup, no escape sequence, no link, no line of its own; and no line is wider than the terminal.
    """
    hostile = "[red]x[/red] [link=https://example.com]y[/link] \x1b]8;;https://example.com\x07z\r\n\u202eq"
    summary = state(
        organization_name=hostile + "N" * 128, warnings=(hostile,), exceptions=1, unknown=2
    )

    shown = draw(summary, columns=columns, documents=[(hostile, 12)], color_system="truecolor")

    plain = "".join(draw(summary, columns=columns, documents=[(hostile, 12)]).split())
    assert plain.count("[red]x[/red]") == 3
    assert plain.count("[link=https://example.com]y[/link]") >= 2
    for char in ("\x1b]", "\x07", "\r", "\u202e"):
        assert char not in shown
    assert max(map(len, draw(summary, columns=columns).splitlines())) <= columns


def test_documents_have_their_sizes_and_many_are_counted(state):
    """
    An annex of a hundred volumes does not push the figures off the screen.
    """
    documents = [(f"reports/annex-{number:03}.pdf", 1_234_567) for number in range(100)]

    few = draw(state(), documents=[("reports/a.pdf", 1), ("reports/b.csv", 400_001)])
    many = draw(state(), documents=documents)

    assert [line.split() for line in few.splitlines() if "reports/" in line] == [
        ["reports/a.pdf", "1", "kB"],
        ["reports/b.csv", "401", "kB"],
    ]
    assert many.count("1.2 MB") == 12
    assert "and 88 more" in many
