"""
What the PDF costs: main document and annex volumes, against WeasyPrint printing the very same HTML by itself.

    make bench                                     3,000 accounts with 5,000 findings; pages for 10,000 accounts
    python tools/bench_documents.py 500 1000       another size

It writes the raw answers of a made-up organization into a temporary folder, judges and seals them (not
measured), and draws the PDF in a process of its own, whose memory is measured with that of every process it
starts. Then each document's HTML is printed again by WeasyPrint's own `write_pdf`, without tags, attachments or
anything of ours. The first must cost at most 1.5 times the CPU of the second, and take less than 1 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_judgement import MADE, MANAGEMENT, STARTED, make_terms

if TYPE_CHECKING:
    from scanner.evidence import StoredRun

USERS = 100
"""
How many users each account has.
"""

REASON = (
    "access-denied",
    "role orgproof-reader cannot be assumed (AccessDenied); create it there, or name another with --role-name",
)


def main() -> None:
    """
    Measure the sizes asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("accounts", nargs="?", type=int, default=3_000)
    parser.add_argument("findings", nargs="?", type=int, default=5_000)
    parser.add_argument("--keep", type=Path, help="a folder to leave the documents in")
    parser.add_argument("--draw", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw:
        draw(*given.draw)
        return
    if given.bare:
        draw_bare(*given.bare)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        measure(place / "run", given.accounts, given.findings)
        if given.accounts == 3_000:
            count_pages(place / "worst")


def measure(run: Path, accounts: int, findings: int) -> None:
    """
    Print what the documents of one run cost.
    """
    write_run(run, accounts, findings, bad=0)
    summary = json.loads((run / "summary.json").read_bytes())
    print(
        f"{accounts:,} accounts, {summary['users']['users']:,} users, {summary['findings']:,} findings"
    )
    ours = start("--draw", run, run / "drawn")
    bare = start("--bare", run, run / "bare")
    print("document                        pages   bare CPU s")
    for name, pages, cpu in bare["documents"]:
        print(f"{name:<31} {pages:<7} {cpu:.1f}")
    total = sum(cpu for _, _, cpu in bare["documents"])
    print(
        f"ours: CPU {ours['cpu']:.1f} s, {ours['cpu'] / total:.2f} times WeasyPrint alone ({total:.1f} s); wall "
        f"{ours['wall']:.1f} s; peak memory of all processes {ours['peak']:.0f} MB, of it shared counted once "
        f"{ours['pss']:.0f} MB"
    )


def count_pages(run: Path) -> None:
    """
    Print how many pages the main PDF has for 10,000 accounts of which thousands are in doubt.
    """
    from pypdf import PdfReader

    print(
        "10,000 accounts: 2,500 not read, 2,500 with a report too old, 2,500 with differing counts, 2,500 OUs"
    )
    write_run(run, 10_000, 12_000, bad=2_500)
    ours = start("--draw", run, run / "drawn")
    found = sorted((run / "drawn").glob("*.pdf"), key=lambda path: len(path.name))
    pages = [len(PdfReader(path).pages) for path in found]
    print(
        f"main PDF {pages[0]} pages (below 150 is due), {len(pages) - 1} annex volumes with {sum(pages[1:])} pages; "
        f"CPU {ours['cpu']:.1f} s, wall {ours['wall']:.1f} s, peak {ours['peak']:.0f} MB"
    )


def start(what: str, run: Path, folder: Path) -> dict[str, Any]:
    """
    Run a part of this program as a process of its own, and return what it and its children took.
    """
    folder.mkdir()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, what, str(run), str(folder)], stdout=subprocess.PIPE
    )
    peak = pss = 0.0
    while process.poll() is None:
        sizes = [read_memory(number) for number in list_tree(process.pid)]
        peak = max(peak, sum(size for size, _ in sizes))
        pss = max(pss, sum(size for _, size in sizes))
        time.sleep(0.05)
    if process.returncode or process.stdout is None:
        raise SystemExit(process.returncode)
    found: dict[str, Any] = json.loads(process.stdout.read())
    return found | {"peak": peak, "pss": pss, "wall": time.perf_counter() - begun}


def list_tree(root: int) -> list[int]:
    """
    Return a process and all below it.
    """
    found = [root]
    for number in found:
        try:
            found += map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())
        except OSError:
            continue
    return found


def read_memory(number: int) -> tuple[float, float]:
    """
    Return a process's resident memory in MB, and its part of it where pages are shared.
    """
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines[1:]}
    return int(sizes["Rss"]) / 1024, int(sizes["Pss"]) / 1024


def draw(run: Path, folder: Path) -> None:
    """
    Draw a run's PDF as `orgproof render` does, and print the CPU time of this process and those below it.
    """
    from scanner.evidence import StoredRun
    from scanner.reports import draw_pdf

    draw_pdf(StoredRun(run), folder)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"cpu": sum(usage.ru_utime + usage.ru_stime for usage in used)}))


def draw_bare(run: Path, folder: Path) -> None:
    """
    Print the same HTML with WeasyPrint alone, document by document, and print what each took.
    """
    import weasyprint

    from scanner.evidence import StoredRun
    from scanner.reports import pdf

    documents = []
    for name, html in list_html(StoredRun(run)):
        cpu = time.process_time()
        document = weasyprint.HTML(
            string=html, base_url="orgproof:", url_fetcher=pdf.ShippedFiles()
        ).render()
        document.write_pdf(folder / name)
        documents.append((name, len(document.pages), time.process_time() - cpu))
    print(json.dumps({"documents": documents}))


def list_html(run: "StoredRun") -> Iterator[tuple[str, str]]:
    """
    Yield the name and the HTML of each of a run's PDFs.
    """
    from scanner.reports.annexes import plan_annexes
    from scanner.reports.naming import name_document
    from scanner.reports.pages import build_pages
    from scanner.reports.pdf import fill_template
    from scanner.reports.volume_pages import build_volumes

    yield name_document(run.summary, "pdf"), fill_template(build_pages(run))
    for name, values in build_volumes(run, plan_annexes(run)):
        yield name, fill_template(values, template="annex.html")


def write_run(run: Path, accounts: int, findings: int, *, bad: int, units: int = 40) -> None:
    """
    Write, judge and seal a run with about so many findings. `bad` accounts each are unread, stale, or differ.
    """
    from scanner.evidence.replay import derive_tables
    from scanner.evidence.seal import seal
    from scanner.evidence.sittings import name_began, name_ended
    from scanner.evidence.store import Store
    from scanner.frameworks import load_framework
    from scanner.model import Notes, SittingBegan, SittingEnded
    from scanner.records import encode

    frameworks = ("pci-dss-4.0.1", "iso-27001-2022")
    terms = replace(
        make_terms(frameworks),
        simulated=False,
        organization_name="Example Payments Ltd",
        prepared_by="Cloud Security",
    )
    caller = f"arn:aws:iam::{MANAGEMENT}:user/auditor"
    ids = [f"{number:012d}" for number in range(1, accounts + 1)]
    units = max(units, bad)
    store = Store(run)
    for name, answer in {
        name_began(1): SittingBegan(STARTED, caller, "0"),
        name_ended(1): SittingEnded(STARTED + timedelta(minutes=9), interrupted=False),
        "caller.json": {"Account": MANAGEMENT, "Arn": caller},
        "organization.json": {
            "Organization": {"Id": "o-benchmark1", "MasterAccountId": MANAGEMENT}
        },
        "accounts.json": {
            "pages": [{"Accounts": [describe(name, n % units) for n, name in enumerate(ids)]}]
        },
        "organizational-units.json": {
            "roots": [{"Id": "r-ab12", "Name": "Root"}],
            "children": {
                "r-ab12": [
                    {"Id": name_unit(n), "Name": f"Business unit {n:04}, production"}
                    for n in range(units)
                ]
            },
        },
    }.items():
        write(run / "raw" / name, encode(answer))
    write(run / "inputs/settings.json", encode(terms))
    write(run / "inputs/notes.json", encode(Notes(STARTED, ())))
    for name in frameworks:
        write(run / f"inputs/frameworks/{name}.yaml", load_framework(name).source)
    users = 3 if bad else USERS
    reports = [write_report(number, users) for number in range(8)]
    due = 0.0
    for number, name in enumerate(ids):
        kind = number % 4 if bad else 0
        # Uneven on purpose: in two of three accounts.
        due += findings / accounts
        many = min(int(due), 7) if number % 3 else 0
        due -= many
        write_account(run / "raw" / name, name, reports[min(many, 7)], kind, users)
    summary = derive_tables(run)
    store.write("summary.json", encode(summary))
    seal(store, summary)


def write(path: Path, content: bytes) -> None:
    """
    Write a file, without what makes evidence survive a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def name_unit(number: int) -> str:
    """
    Return an OU's id.
    """
    return f"ou-ab12-{number:08}"


def describe(account: str, unit: int) -> dict[str, object]:
    """
    Return an account as ListAccounts describes it.
    """
    return {
        "Id": account,
        "Name": f"workload-{account[-5:]}-prod",
        "Email": f"{account}@example.com",
        "State": "ACTIVE",
        "Paths": [f"o-benchmark1/r-ab12/{name_unit(unit)}/{account}/"],
    }


def write_account(folder: Path, account: str, report: bytes, kind: int, users: int) -> None:
    """
    Write one account's answers: read well (0), not read (1), with an old report (2), with another count (3).
    """
    from scanner.model import AccountId, Attempt, ReasonCode
    from scanner.records import encode

    made = MADE - timedelta(hours=30 if kind == 2 else 0)
    attempt = Attempt(
        account_id=AccountId(account),
        started=STARTED,
        finished=STARTED,
        identity="role orgproof-reader",
        reason_code=ReasonCode(REASON[0]) if kind == 1 else None,
        reason=f"account {account} (workload-{account[-5:]}-prod): {REASON[1]}"
        if kind == 1
        else None,
        generated_time=None if kind == 1 else made,
        fetched=None if kind == 1 else STARTED,
        requests=(),
    )
    write(folder / "outcome-1.json", encode(attempt))
    if kind == 1:
        return
    write(folder / "credential-report.csv", report.replace(b"ACCOUNT_ID", account.encode()))
    count = users + (5 if kind == 3 else 0)
    write(folder / "account-summary.json", encode({"SummaryMap": {"Users": count}}))


def write_report(findings: int, users: int) -> bytes:
    """
    Write one account's report with so many findings: people without MFA, some of them with a key (two findings).
    """
    from scanner.credentials import REPORT_COLUMNS

    absent = "false,N/A,N/A,N/A,N/A"
    root = (
        "<root_account>,arn:aws:iam::ACCOUNT_ID:root,2020-01-01T00:00:00Z,false,N/A,N/A,not_supported,false,"
        f"{absent},{absent},false,N/A,false,N/A"
    )
    lines = [",".join(REPORT_COLUMNS), root]
    recent = f"{MADE - timedelta(days=20):%Y-%m-%dT%H:%M:%SZ}"
    key = f"true,{recent},{recent},eu-central-1,s3"
    with_key, alone = divmod(findings, 2)
    for number in range(users):
        name = f"firstname.lastname{number:03}@example.com"
        mfa = str(number >= with_key + alone).lower()
        first = key if number < with_key else absent
        lines.append(
            f"{name},arn:aws:iam::ACCOUNT_ID:user/people/{name},2022-01-01T00:00:00Z,true,{recent},{recent},N/A,"
            f"{mfa},{first},{absent},false,N/A,false,N/A"
        )
    return "\n".join(lines).encode()


if __name__ == "__main__":
    main()
