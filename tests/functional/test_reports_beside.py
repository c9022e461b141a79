"""
The workbook that another process draws while this one draws the PDF and the page.
"""

import json
import os
import time
from pathlib import Path

import pytest
import reports_fixture as fixture

from scanner.drawing import Press, render
from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.reports import FORMATS, beside, draw_workbook
from scanner.reports.beside import draw_beside, is_worthwhile

WORKBOOK = "orgproof-2026-Q4.xlsx"


def press(*formats, **renderers):
    """
    Return a press of real renderers, but where another one is given.
    """
    return Press(
        renderers={name: FORMATS[name] for name in formats} | renderers,
        describe_tools=lambda _: {},
        compare=lambda _old, _new: None,
        beside=draw_beside,
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """
    Make a small run, which counts as a large one, on a machine of two cores.
    """
    monkeypatch.setattr(beside, "ROWS", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return fixture.write_run(tmp_path / "run", fixture.ordinary(), ("iso-27001-2022",))


def refuse(*_):
    raise AssertionError("the workbook was drawn here")


def test_another_process_draws_the_very_workbook(run, tmp_path):
    """
    Byte for byte what this process draws, in its place among the documents and in their list.
    """
    (expected,) = draw_workbook(run, tmp_path)

    documents = render(run.folder, press("html", "csv", xlsx=refuse))

    assert [path.name for path in documents if path.suffix == ".xlsx"] == [WORKBOOK]
    assert (run.folder / "reports" / WORKBOOK).read_bytes() == expected.read_bytes()
    listed = json.loads((run.folder / "documents.json").read_text())["documents"]
    assert f"reports/{WORKBOOK}" in [entry["path"] for entry in listed]


def test_what_the_other_process_cannot_draw_is_a_clear_error(run):
    """
    Here a table has vanished: the child names the file, and nothing is listed.
    """
    (run.folder / "tables" / "users.parquet").unlink()

    with pytest.raises(RenderError, match=r"users\.parquet"):
        render(run.folder, press(xlsx=refuse, html=lambda *_: []))

    assert not (run.folder / "documents.json").exists()


def test_an_interrupt_ends_the_other_process(run):
    """
    Ctrl-C while the page is drawn: nothing is at work any more, and nothing half written has a document's name.
    """

    def interrupt(*_):
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        render(run.folder, press(html=interrupt, xlsx=refuse))

    assert time.monotonic() - began < 30
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    commands = [Path(f"/proc/{number}/cmdline") for own in children for number in own]
    assert not [path for path in commands if path.exists() and b"beside" in path.read_bytes()]
    assert not (run.folder / "reports" / WORKBOOK).exists()


@pytest.mark.parametrize(
    ("formats", "cores", "due"),
    [
        (["pdf", "xlsx"], 2, True),
        (["html", "xlsx"], 8, True),
        (["pdf", "xlsx"], 1, False),
        (["xlsx", "csv"], 8, False),
        (["pdf", "html"], 8, False),
    ],
)
def test_a_process_is_started_where_there_is_a_core_and_other_work(run, formats, cores, due):
    """
    Alone on its core, or with nothing else to draw, the workbook is drawn here.
    """
    assert is_worthwhile(StoredRun(run.folder), formats, cores) is due


def test_no_process_is_started_for_a_small_run(run, monkeypatch):
    """
    Its start would take longer than the workbook.
    """
    monkeypatch.setattr(beside, "ROWS", 20_000)

    assert not is_worthwhile(run, ["pdf", "xlsx"], 8)
