"""
What the page costs: to draw it, to open it, and to filter it, key stroke by key stroke, in headless Chromium.

    make bench                                      50,000 findings in 2,000 accounts
    python tools/bench_page.py --findings 5000      another number
    python tools/bench_page.py --page FILE          a page that is there already

Filtering is measured inside the page: from handing a key stroke to the search field until the table is drawn and
laid out. No pause is left out of it: the page filters at each stroke.
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
from pathlib import Path

ACCOUNTS = 2_000
WORDS = ("user-0123", "workload-01999", "unit 07", "no exception", "zzzz", "console-no-mfa 017")
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
  const body = document.querySelector('#findings-table tbody');
  const stroke = (value) => {
    const began = performance.now();
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    body.getBoundingClientRect();
    return performance.now() - began;
  };
  const times = [];
  for (const word of words) {
    for (let length = 1; length <= word.length; length += 1) times.push([word.slice(0, length), stroke(word.slice(0, length))]);
    for (let length = word.length - 1; length >= 0; length -= 1) times.push([word.slice(0, length), stroke(word.slice(0, length))]);
  }
  return times;
}"""

CHOOSE = """() => {
  const times = [];
  for (const list of document.querySelectorAll('#findings-filters select')) {
    for (const value of [list.options[1]?.value ?? '', '']) {
      const began = performance.now();
      list.value = value;
      list.dispatchEvent(new Event('input', { bubbles: true }));
      document.querySelector('#findings-table tbody').getBoundingClientRect();
      times.push([list.name, performance.now() - began]);
    }
  }
  return times;
}"""

SORT = """async () => {
  const table = document.querySelector('#findings-table');
  const times = [];
  for (const order of table.querySelectorAll('thead .dt-column-order')) {
    for (let turn = 0; turn < 2; turn += 1) {
      const began = performance.now();
      await new Promise((done) => { window.$(table).one('draw.dt', done); order.click(); });
      table.getBoundingClientRect();
      times.push([order.closest('th').textContent, performance.now() - began]);
    }
  }
  return times;
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
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM)
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        tab.goto(page.as_uri())
        print(f"open: {1000 * (time.monotonic() - began):.0f} ms until everything is drawn")
        for label, script, argument in (
            ("key stroke", TYPE, list(WORDS)),
            ("choice", CHOOSE, None),
            ("sort", SORT, None),
            ("key stroke, sorted by another column", TYPE, list(WORDS)),
        ):
            times = tab.evaluate(script, argument)
            slowest = max(times, key=lambda entry: entry[1])
            median = statistics.median(milliseconds for _, milliseconds in times)
            print(
                f"{label}: {len(times)} times, median {median:.0f} ms, at most {slowest[1]:.0f} ms ({slowest[0]!r})"
            )
        browser.close()


if __name__ == "__main__":
    main()
