"""
What the page costs: to draw it, to open it, and to filter it, key stroke by key stroke, in headless Chromium.

    make bench                                      50,000 findings in 2,000 accounts
    python tools/bench_page.py --findings 5000      another number
    python tools/bench_page.py --page FILE          a page that is there already

Filtering is measured inside the page: from handing a key stroke to the search field until the table is drawn and
laid out. No pause is left out of it: the page filters at each stroke. The CPU time beside it, of the page's main
thread and with what the measuring costs, is what a machine with nothing else to do would take.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

ACCOUNTS = 2_000
WORDS = ("user-0123", "workload-01999", "unit 07", "no exception", "zzzz", "console-no-mfa 017")
FILTERS = ("verdict", "severity", "check", "ou_path", "account_id", "state", "confirmation")
COLUMNS = ("severity", "check", "account_name", "user", "days_open")
CHROMIUM = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

TYPE = """(words) => {
  const field = document.querySelector('#findings-filters [name=q]');
  const began = performance.now();
  field.value = words;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  document.querySelector('#findings-table tbody').getBoundingClientRect();
  return performance.now() - began;
}"""

CHOOSE = """([name, place]) => {
  const list = document.querySelector(`#findings-filters [name=${name}]`);
  const began = performance.now();
  list.selectedIndex = place;
  list.dispatchEvent(new Event('input', { bubbles: true }));
  document.querySelector('#findings-table tbody').getBoundingClientRect();
  return performance.now() - began;
}"""

SORT = """async ([name]) => {
  const table = document.querySelector('#findings-table');
  const began = performance.now();
  await new Promise((done) => {
    window.$(table).one('draw.dt', done);
    table.querySelector(`th.${name} .dt-column-order`).click();
  });
  table.getBoundingClientRect();
  return performance.now() - began;
}"""


def main() -> None:
    """
    Measure the page asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--findings", type=int, default=50_000)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--draw", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw:
        draw(*given.draw)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(given.page or make_page(Path(folder), given.findings))


def make_page(folder: Path, findings: int) -> Path:
    """
    Write a run of about so many findings, and draw its page in a process of its own.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "functional"))
    import reports_fixture

    run = reports_fixture.write_run(folder, reports_fixture.large(ACCOUNTS, findings, findings))
    command = [sys.executable, __file__, "--draw", str(run.folder), str(folder)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(
        f"draw: {run.summary.findings:,} findings, {run.summary.accounts.listed:,} accounts: "
        f"{found['cpu']:.1f} s CPU, {found['peak']} MB peak ({found['idle']} MB before), {found['size'] / 1e6:.1f} MB file"
    )
    return Path(found["page"])


def draw(run: Path, folder: Path) -> None:
    """
    Draw a run's page and print what it cost, as JSON.
    """
    from scanner.evidence import StoredRun
    from scanner.reports.page import render_page

    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    began = time.process_time()
    [page] = render_page(StoredRun(run), folder)
    print(
        json.dumps(
            {
                "page": str(page),
                "cpu": time.process_time() - began,
                "idle": idle,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "size": page.stat().st_size,
            }
        )
    )


def measure(page: Path) -> None:
    """
    Open a page and print how long opening, filtering and sorting take.
    """
    strokes = [
        word[:length]
        for word in WORDS
        for length in (*range(1, len(word) + 1), *range(len(word) - 1, -1, -1))
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM)
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        tab.goto(page.as_uri())
        print(f"open: {1000 * (time.monotonic() - began):.0f} ms until everything is drawn")
        choices = [[name, place] for name in FILTERS for place in (1, 0)]
        tell(tab, "key stroke", TYPE, strokes)
        tell(tab, "choice from a list", CHOOSE, choices)
        tell(tab, "sort", SORT, [[name] for name in COLUMNS for _ in "ad"])
        tell(tab, "key stroke, sorted by that column", TYPE, strokes)
        browser.close()


def tell(tab: Page, label: str, script: str, arguments: Sequence[Any]) -> None:
    """
    Run a script in the page with each argument, and print how long it took by the clock and in CPU time.
    """
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable")
    walls, costs = [], []
    for argument in arguments:
        before = read_cpu(session)
        walls.append((tab.evaluate(script, argument), argument))
        costs.append((read_cpu(session) - before, argument))
    words = ", ".join(
        f"{kind} median {statistics.median(took for took, _ in times):.0f} ms, at most {max(times)[0]:.0f} ms ({max(times)[1]!r})"
        for kind, times in (("clock", walls), ("CPU", costs))
    )
    print(f"{label}, {len(walls)} times: {words}")
    session.detach()


def read_cpu(session: CDPSession) -> float:
    """
    Return the CPU time of the page's main thread, in milliseconds.
    """
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(entry["value"] for entry in metrics if entry["name"] == "ThreadTime")


if __name__ == "__main__":
    main()
