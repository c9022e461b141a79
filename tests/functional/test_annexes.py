import io
import os
import re
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

import pikepdf
import pypdf
import pytest
import reports_fixture as fixture
from verified_run import draw, failed, take

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.reports import annexes, doubts, finding_pages
from scanner.reports.annexes import plan_annexes
from scanner.reports.pages import build_pages
from scanner.reports.pdf import fill_template, render_pdf
from scanner.reports.people import gather_facts
from scanner.reports.presses import Job, Presses, choose_processes
from scanner.reports.readback import Readback
from scanner.reports.volume_pages import build_volumes
from scanner.reports.volumes import print_volumes

FEW = {"findings_limit": 12}
MAIN = "orgproof-2026-Q4.pdf"
FIRST, SECOND = "orgproof-2026-Q4-annex-01.pdf", "orgproof-2026-Q4-annex-02.pdf"


def squeeze(text):
    return re.sub(r"\s", "", text)


def read_pages(path):
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def print_volumes_of(run, processes):
    """
    Print the volumes alone, by file name: the main document takes most of the time.
    """
    with ExitStack() as stack:
        found = print_volumes(run, plan_annexes(run), processes, stack)
        return {name: take() for name, take in found}


def print_run(run, folder, processes=0, sign=None):
    folder.mkdir()
    return render_pdf(run, folder, sign, processes=processes)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """
    Make a run with more findings than one PDF lists, and its documents.
    """
    folder = tmp_path_factory.mktemp("run")
    accounts = [
        *fixture.ordinary(),
        fixture.missed("555555555555", "unreachable"),
    ]
    run = fixture.write_run(folder, accounts, ("iso-27001-2022",), limits=FEW, simulated=True)
    return run, print_run(run, folder / "drawn")


def test_every_finding_and_every_account_stands_in_one_volume(ordinary):
    """
    Users, observations and the ledger's lines are on the volumes' pages, once, and the sums are the run's.
    """
    run, (_, *volumes) = ordinary
    values = [values for _, values in build_volumes(run, plan_annexes(run))]

    assert len(volumes) == len(values) > 1
    listed = [row["account_id"] for each in values for row in each["ledger"]]
    assert sorted(listed) == run.accounts()["account_id"].to_list()
    shown = [
        (person["arn"], row["observation"], check["title"])
        for each in values
        for block in each["blocks"]
        for account in block["accounts"]
        for person in account["people"]
        for row in person["rows"]
        for check in row["checks"]
    ]
    assert len(shown) == len(set(shown)) == run.summary.findings
    text = squeeze(" ".join(page for path in volumes for page in read_pages(path)))
    for arn, observation, title in shown:
        assert squeeze(arn) in text
        assert squeeze(observation) in text
        assert squeeze(title) in text


def test_each_page_of_a_volume_carries_seal_number_and_notices(ordinary):
    """
    A volume's page that is copied out says of which run it is, and that the run is incomplete.
    """
    run, (_, *volumes) = ordinary

    for path in volumes:
        pages = read_pages(path)
        for number, page in enumerate(pages, 1):
            assert f"Seal {run.manifest_sha256} run {run.summary.run_id}" in page
            assert f"Page {number} of {len(pages)}" in page
            assert "INCOMPLETE 1 of 7 accounts could not be read" in page
            assert "SIMULATED" in page


def test_a_volume_says_on_its_first_page_what_it_holds(ordinary):
    """
    Its number, its OUs, how many findings and accounts, and of what it is the annex; the contents give pages.
    """
    run, (_, *volumes) = ordinary
    plan = plan_annexes(run).volumes

    for volume, path in zip(plan, volumes, strict=True):
        first = read_pages(path)[0]
        assert (
            f"Volume {volume.number} of {len(plan)} of the annex to {MAIN} holds {volume.findings} finding"
        ) in first
        assert f"Annex volume {volume.number} of {len(plan)}" in first
        for unit in volume.units[:3]:
            assert squeeze(unit) in squeeze(first)
        with pikepdf.open(path) as pdf:
            assert not pdf.attachments
            with pdf.open_outline() as outline:
                titles = [item.title for item in outline.root]
        assert titles[-1] == "Ledger"


def test_a_volume_gives_reason_and_next_step_of_accounts_not_read(ordinary):
    """
    An account that nobody could read stands in the volume of its OU, and not as one without findings.
    """
    run, (_, *volumes) = ordinary
    (text,) = [
        text for path in volumes for text in [" ".join(read_pages(path))] if "unreachable" in text
    ]

    assert "Accounts not assessed or in doubt" in text
    assert squeeze("cannot be assumed (AccessDenied); create it there") in squeeze(text)
    assert run.summary.accounts.not_collected == 1


def test_the_main_document_counts_by_account_and_names_the_volumes(ordinary):
    """
    Every account's totals with the number of its volume, and an index of the files.
    """
    run, (main, *volumes) = ordinary
    text = " ".join(read_pages(main))
    totals = build_pages(run)["findings"]["totals"]

    assert f"All findings {totals['sums']['exceptions']} " in text
    assert totals["sums"]["findings"] == run.summary.findings
    counted = [row["exceptions"] for row in totals["rows"]]
    assert counted == sorted(counted, reverse=True)
    for row in totals["rows"]:
        figures = (row[figure] for figure in annexes.FIGURES)
        line = f"{row['account_id']} {row['name']} {row['ou_path']} {' '.join(map(str, figures))}"
        assert squeeze(f"{line} {row['volume']}") in squeeze(text)
    for path in volumes:
        assert path.name in text
    assert "findings are more than the 12 that are printed in one document" in text


def test_the_facts_of_a_person_stand_beside_the_findings(ordinary):
    """
    Age of the password, last sign-in and keys, whole days at the time of the report; of a user once.
    """
    run, (_, *volumes) = ordinary
    text = squeeze(" ".join(page for path in volumes for page in read_pages(path)))
    alice = "arn:aws:iam::012345678901:user/alice"

    assert gather_facts(run, {alice})[alice] == (
        "password 54 days old \u00b7 last sign-in 2026-09-30 \u00b7 1 active key, 54 days old"
    ) or gather_facts(run, {alice})[alice].startswith(
        "password 54 days old \u00b7 last sign-in 2026-"
    )
    assert text.count(squeeze(alice)) == 1
    assert squeeze(gather_facts(run, {alice})[alice]) in text


@pytest.mark.parametrize("processes", [1, 3])
def test_the_bytes_do_not_depend_on_the_number_of_processes(ordinary, processes):
    """
    One after another here, in one process, in several: equal documents.
    """
    run, (_, *drawn) = ordinary

    again = print_volumes_of(run, processes)

    assert again == {path.name: path.read_bytes() for path in drawn}


def test_documents_have_ids_of_their_own(ordinary):
    """
    Two volumes of one run are two documents for whoever files them.
    """
    _, drawn = ordinary

    ids = set()
    for path in drawn:
        with pikepdf.open(path) as pdf:
            ids.add(bytes(pdf.trailer.ID[0]))

    assert len(ids) == len(drawn)


def test_names_that_do_harm_are_text_in_a_volume(tmp_path):
    """
    Markup, templates and hidden characters stand on the pages as what they are, and nothing is active.
    """
    run = fixture.write_run(
        tmp_path,
        fixture.hostile(),
        ("iso-27001-2022",),
        limits={"findings_limit": 25},
        organization_name=fixture.HOSTILE[3],
        prepared_by=fixture.HOSTILE[2],
    )

    volumes = [io.BytesIO(content) for content in print_volumes_of(run, 0).values()]

    text = squeeze(" ".join(page for path in volumes for page in read_pages(path)))
    assert volumes
    for name in (
        "<img src=x onerror=alert(1)>",
        "{{7*7}}{% for x in y %}${7*7}#{7*7}",
        "payments[U+202E]gpj.exe",
        "../../../../etc/passwd",
        '"><link rel=attachment href=file:///etc/passwd>',
    ):
        assert squeeze(name) in text
    for path in volumes:
        with pikepdf.open(path) as pdf:
            kinds = {
                str(entry.get(key))
                for entry in pdf.objects
                if isinstance(entry, pikepdf.Dictionary | pikepdf.Stream)
                for key in ("/S", "/Subtype")
                if key in entry
            }
        assert not kinds & {"/URI", "/JavaScript", "/Launch", "/GoToR", "/FileAttachment", "/Image"}


def test_more_findings_than_volumes_are_made_for_stand_in_the_workbook(tmp_path):
    """
    The page says so, and why; the gravest are listed all the same.
    """
    limits = {"findings_limit": 5, "annex_limit": 6}
    run = fixture.write_run(tmp_path, fixture.ordinary(), ("iso-27001-2022",), limits=limits)

    text = fill_template(build_pages(run))

    assert plan_annexes(run).volumes == ()
    assert "findings are too many to be printed one by one" in text
    assert "annex volumes are made for 6 at most (setting annex_limit)" in text
    assert "stand in the workbook (sheet Findings) and in findings.csv" in text
    assert "Critical exceptions, and sign-in without MFA" in text


def test_only_so_many_of_the_gravest_are_listed(tmp_path, monkeypatch):
    """
    The critical ones first, and the page says of how many they are the first.
    """
    monkeypatch.setattr(finding_pages, "CRITICAL_LIMIT", 4)
    monkeypatch.setattr(finding_pages, "TOTALS_LIMIT", 3)
    run = fixture.write_run(
        tmp_path,
        fixture.large(accounts=6, users=12, findings=12),
        ("iso-27001-2022",),
        limits={"findings_limit": 5},
    )

    findings = build_pages(run)["findings"]

    assert (findings["shown"], findings["grave"]) == (4, 12)
    totals = findings["totals"]
    assert (len(totals["rows"]), totals["more"]) == (3, 3)
    assert sum(row["findings"] for row in totals["rows"]) + totals["more_sums"]["findings"] == 12


def test_accounts_not_read_are_in_a_volume_where_the_main_document_cannot_list_them(
    tmp_path, monkeypatch
):
    """
    Few findings and many accounts that could not be read: counted by reason, and each in an annex volume.
    """
    for module in (annexes, doubts):
        monkeypatch.setattr(module, "NOT_ASSESSED_LIMIT", 2)
    missed = [fixture.missed(f"{600000000000 + n}", f"unread-{n}") for n in range(4)]
    run = fixture.write_run(tmp_path, [*fixture.clean(), *missed], ())

    main, volume = print_run(run, tmp_path / "drawn")

    page = squeeze(" ".join(read_pages(main)))
    assert squeeze("too many to be printed here one by one, so they are counted by reason") in page
    assert squeeze("4 ACTIVE access-denied") in page
    text = " ".join(read_pages(volume))
    for account in missed:
        assert account.id in text
    assert text.count("cannot be assumed") == 4
    assert "holds 0 findings and the ledger of 6 accounts" in text


def test_a_ledger_that_is_too_long_is_totalled_by_ou(tmp_path, monkeypatch):
    """
    Each OU with the number of its volume; the sum is the organization.
    """
    monkeypatch.setattr(annexes, "LEDGER_LIMIT", 3)
    monkeypatch.setattr(doubts, "LEDGER_LIMIT", 3)
    monkeypatch.setattr(doubts, "UNITS_LIMIT", 2)
    run = fixture.write_run(tmp_path, fixture.ordinary(), ())

    pages = build_pages(run)

    totals = pages["ledger"]["totals"]
    assert pages["ledger"]["rows"] == []
    assert totals["sums"]["listed"] == run.summary.accounts.listed
    assert [row["volume"] for row in totals["rows"]] == ["1", "1"]
    assert totals["more_sums"]["listed"] + sum(row["listed"] for row in totals["rows"]) == 6
    (volume,) = pages["volumes"]
    assert (volume["file"], volume["accounts"], volume["findings"]) == (FIRST, 6, 0)


def test_a_run_of_an_earlier_version_is_printed_with_the_default_limits(tmp_path):
    """
    Its settings name no limits.
    """
    run = fixture.write_run(tmp_path, fixture.clean(), ())
    path = run.folder / "inputs" / "settings.json"
    content = path.read_text()
    path.write_text(re.sub(r' "(annex|findings)_limit": \d+,\n', "", content))

    assert "_limit" not in path.read_text()
    assert plan_annexes(StoredRun(run.folder)).volumes == ()


def test_findings_that_could_not_be_reached_for_one_reason_are_one_row(tmp_path):
    """
    A report that was too old leaves every check open: the row names them all.
    """
    run = fixture.write_eventful(tmp_path)

    rows = [
        row
        for block in build_pages(run)["findings"]["blocks"]
        for account in block["accounts"]
        if account["account_id"] == "666666666666"
        for person in account["people"]
        if person["name"] == "late"
        for row in person["rows"]
    ]

    due = run.findings()
    due = due[(due["account_id"] == "666666666666") & (due["user"] == "late")]
    assert len(rows) < len(due)
    assert sum(len(row["checks"]) for row in rows) == len(due)


@pytest.fixture(name="whole", scope="module")
def make_whole(tmp_path_factory):
    """
    Make a run with annex volumes whose documents are listed.
    """
    run = fixture.write_run(
        tmp_path_factory.mktemp("whole"), fixture.ordinary(), ("iso-27001-2022",), limits=FEW
    )
    return draw(run.folder, ("pdf",))


def read_back(run, names=None):
    stored = StoredRun(run)
    paths = names or [f"reports/{path.name}" for path in (run / "reports").iterdir()]
    with ExitStack() as stack:
        return Readback(stack, run, paths, stored.manifest_sha256).finish(stored)[1]


def test_a_run_with_volumes_verifies(whole):
    """
    Main document and volumes are read back and agree.
    """
    assert (whole / "reports" / SECOND).exists()
    assert failed(take(whole, read_documents=Readback)) == {}


def test_a_volume_that_is_missing_is_named(whole):
    """
    The plan follows from the run, so nobody needs the volume to miss it.
    """
    faults = read_back(whole, [f"reports/{MAIN}", f"reports/{FIRST}"])

    assert f"reports/{SECOND}: is missing, and the PDF says that it stands beside it" in faults


def forge(run, tmp_path, change):
    copy = Path(shutil.copytree(run, tmp_path / run.name))
    path = copy / "reports" / FIRST
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        change(pdf)
        pdf.save(path)
    return "\n".join(read_back(copy))


def test_a_page_that_was_taken_out_of_a_volume_is_missed(whole, tmp_path):
    """
    Each page says which of how many it is.
    """
    faults = forge(whole, tmp_path, lambda pdf: pdf.pages.__delitem__(len(pdf.pages) - 2))

    assert f"{FIRST}: page 1 does not say that it is page 1 of" in faults


def test_something_inside_a_volume_is_named(whole, tmp_path):
    """
    Volumes carry no files.
    """

    def change(pdf):
        pdf.attachments["x.exe"] = pikepdf.AttachedFileSpec(pdf, b"x", filename="x.exe")

    assert "has 'x.exe' inside it, and nothing is attached to an annex volume" in forge(
        whole, tmp_path, change
    )


def test_a_volume_in_anothers_place_is_named(whole, tmp_path):
    """
    It carries the seal of the run, and says that it is another volume.
    """
    copy = Path(shutil.copytree(whole, tmp_path / whole.name))
    shutil.copy(copy / "reports" / SECOND, copy / "reports" / FIRST)
    shutil.copy(copy / "reports" / SECOND, copy / "reports" / "orgproof-2026-Q4-annex-77.pdf")

    faults = "\n".join(read_back(copy))

    assert f"{FIRST}: does not say what follows from the raw reports: Volume 1 of" in faults
    assert "annex-77.pdf: is no document that orgproof draws of this run" in faults


def test_a_volume_of_another_run_is_named(whole, ordinary, tmp_path):
    """
    The seal is another.
    """
    _, (_, first, *_) = ordinary
    copy = Path(shutil.copytree(whole, tmp_path / whole.name))
    shutil.copy(first, copy / "reports" / FIRST)

    assert f"reports/{FIRST}: page 1 does not carry the seal" in "\n".join(read_back(copy))


def test_every_volume_is_signed(tmp_path, ordinary):
    """
    By the signer that signs the main document, in this process.
    """
    run, drawn = ordinary
    asked = []

    def sign(content):
        asked.append(content)
        return content + b"signed"

    signed = print_run(run, tmp_path / "signed", processes=2, sign=sign)

    assert asked == [path.read_bytes() for path in drawn]
    assert all(path.read_bytes().endswith(b"signed") for path in signed)


def test_no_volume_is_written_over_another_file(tmp_path, ordinary):
    """
    Documents are written once.
    """
    run, _ = ordinary
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / SECOND).write_bytes(b"mine")

    with pytest.raises(RenderError, match="exists already"):
        render_pdf(run, folder, processes=0)

    assert (folder / SECOND).read_bytes() == b"mine"


def make_job(**values):
    return Job("volume.pdf", "annex.html", values, "ab" * 32, fixture.FINISHED)


def test_a_process_that_fails_is_a_clear_error():
    """
    What it said last, and what to do, without a traceback.
    """
    with (
        Presses(1) as press,
        pytest.raises(RenderError, match=r"volume\.pdf: .* ended with status"),
    ):
        press.print(make_job(title="x")).result(timeout=60)


def test_a_process_that_is_killed_is_a_clear_error():
    """
    As where memory runs out: the signal is named.
    """
    with Presses(1) as press:
        waiting = press.print(make_job())
        while not press._running:
            pass
        (process,) = press._running
        os.kill(process.pid, signal.SIGKILL)

        with pytest.raises(RenderError, match="ended by SIGKILL, as happens where memory runs out"):
            waiting.result(timeout=60)


def test_an_interrupt_ends_the_processes_and_leaves_no_half_document(tmp_path, ordinary):
    """
    Ctrl-C while the main document is signed: nothing is at work any more, and nothing was written.
    """
    run, _ = ordinary

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        print_run(run, tmp_path / "drawn", processes=2, sign=interrupt)

    assert list((tmp_path / "drawn").iterdir()) == []
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    commands = [Path(f"/proc/{number}/cmdline") for own in children for number in own]
    assert not [path for path in commands if path.exists() and b"presses" in path.read_bytes()]


@pytest.mark.parametrize(
    ("jobs", "rows", "cores", "due"),
    [(5, 8_000, 1, 0), (5, 8_000, 2, 2), (5, 8_000, 64, 2), (1, 900, 8, 1), (3, 30, 8, 0)],
)
def test_processes_are_few_where_there_is_little_to_do(jobs, rows, cores, due):
    """
    None on one core or for a few rows, never more than volumes or cores, and so many that memory holds.
    """
    assert choose_processes(jobs, rows, cores) == due
