"""
Kills a scan at random moments, and goes on with it until it is finished.

    python tests/crash_lab.py SEED TRIALS FOLDER

Each trial forks a child that scans a fake organization with the real store, executor, judge and renderers, and ends
it without notice at a random one of its calls to the file system (before, within or after it), or lets the disk be full from
there on. What is left is resumed by further children, which may be killed in their turn. Whole files that were there must
stay, and what comes out must equal a scan that nobody disturbed. The first trial that fails ends the process with status
1 and says which seed.
"""

import gc
import json
import os
import random
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.dataset  # noqa: F401 - imported late by pyarrow: here once, and not in each child
from fake_scan import FakeClock, FakeCollector, Scan
from report_text import ACCOUNT, root_row, user_row
from run_folder import MANAGEMENT, OPEN, ORGANIZATION_ID, SAFE, STARTED, Folder

from scanner.drawing import Press
from scanner.errors import EvidenceError, OrgproofError, SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.seal import DOCUMENTS, MANIFEST, check_seal
from scanner.evidence.store import PARTIAL, hash_bytes
from scanner.evidence.verify import Result, verify_run
from scanner.executor import ThreadExecutor
from scanner.interfaces import Keep, Steps
from scanner.model import Account, AccountId, Outcome
from scanner.records import encode
from scanner.reports import FORMATS
from scanner.reports.readback import Readback
from scanner.summary import Summary

KILLED = 137
DISK_FULL = 28
TABLES = ("accounts", "users", "findings", "controls", "history")
EVENTS = frozenset({"open", "os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir"})


class Chatty(FakeCollector):
    """
    Accounts that answer about single users too, with a pause before each answer.
    """

    def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
        """
        Keep the account's answers, one step each.
        """

        def talk(name: str, content: bytes) -> None:
            if name == "outcome.json":
                arn = f"arn:aws:iam::{account.id}:user/ann"
                live = {"arn": arn, "user": "ann", "asked": "2026-11-24T10:00:00Z", "answers": {}}
                keep(f"live/{hash_bytes(arn.encode())[:16]}.json", encode(live))
            keep(name, content)

        return (yield from super().collect(account, talk))


class Notary:
    """
    Signs nothing, and has a file for it.
    """

    key_id = "0" * 64

    def attest(self, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
        """
        Return what looks like an envelope.
        """
        about = {"name": name, "sha256": hash_bytes(content), "facts": sorted(facts)}
        return json.dumps({"about": about, "signatures": [{"keyid": self.key_id}]}).encode()


def make_world(output: Path) -> Scan:
    """
    Make an organization of five accounts, which was scanned a quarter ago.
    """
    world = Scan(output)
    accounts = [MANAGEMENT, ACCOUNT, *(AccountId(f"{number:012d}") for number in (31, 32, 33))]
    for account in accounts:
        world.folder.states[account] = "ACTIVE"
        world.folder.names[account] = f"account {account}"
        world.folder.reports[account] = [
            root_row(account, **SAFE),
            user_row("ann", account, **OPEN),
            user_row("bob", account, **SAFE),
        ]
    world.collector = Chatty(world.folder)
    world.executor = ThreadExecutor(3, FakeClock())
    world.signer = Notary()
    world.press = Press(
        renderers={name: FORMATS[name] for name in ("csv", "json")},
        describe_tools=lambda _: {},
        compare=lambda old, new: f"{old} is not {new}",
        signer=world.signer,
    )
    return world


def disturb(after: int, *, full: bool, count: Callable[[], int]) -> None:
    """
    End this process at its `after`th call to the file system, or let the disk be full from then on.
    """

    def strike() -> None:
        if count() >= after:
            if not full:
                os._exit(KILLED)
            raise OSError(DISK_FULL, "No space left on device")

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and not (event == "open" and arguments[1] == "r"):
            strike()

    def sync(fd: Any) -> None:  # noqa: ARG001 - what a disk does in its own time is not waited for
        strike()

    os.fsync = sync
    sys.addaudithook(watch)


def run_child(work: Callable[[], object], after: int | None, *, full: bool) -> int:
    """
    Do something in a child that is disturbed; return its exit status, 0 when it came to its end.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        calls = Counter[str]()

        def count() -> int:
            calls["all"] += 1
            return calls["all"]

        disturb(after or sys.maxsize, full=full, count=count)
        work()
        os._exit(0)
    except (EvidenceError, OSError) as exc:
        if full and "No space left" in str(exc):
            os._exit(DISK_FULL)
        traceback.print_exc()
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's loop
        traceback.print_exc()
    os._exit(1)


def list_runs(output: Path) -> list[Path]:
    """
    Return the run folders of this quarter.
    """
    place = output / ORGANIZATION_ID / "2026-Q4"
    return sorted(path for path in place.glob("*") if not path.name.startswith("."))


def list_whole(folder: Path) -> Counter[str]:
    """
    Return the raw answers and inputs that are there whole, by hash.
    """
    return Counter(
        hash_bytes(path.read_bytes())
        for name in ("raw", "inputs")
        for path in (folder / name).rglob("*")
        if path.is_file() and not path.name.endswith(PARTIAL)
    )


def list_litter(folder: Path) -> list[Path]:
    """
    Return what broken writes left.
    """
    return [path for path in folder.rglob("*") if path.name.endswith(PARTIAL)]


def tear(folder: Path, dice: random.Random) -> None:
    """
    Cut short what was being written: a power cut keeps no more than that. What has its name already was synced.
    """
    for path in folder.rglob(f"*{PARTIAL}"):
        if path.is_file() and path.stat().st_nlink == 1:
            os.truncate(path, dice.randint(0, path.stat().st_size))


def list_raw(run: Path) -> dict[str, str]:
    """
    Return the hashes of the raw answers that count, by name: each account's last ones, without its outcomes.
    """
    return {
        path.relative_to(run).as_posix(): hash_bytes(path.read_bytes())
        for path in (run / "raw").rglob("*")
        if path.is_file()
        and not path.name.startswith("outcome-")
        and "sittings" not in path.parts
        and not any(part.startswith("superseded-") for part in path.parts)
    }


def compare(folder: Path, whole: Path) -> None:
    """
    Hold a run that was disturbed against one that was not.
    """
    check_seal(folder, with_raw=True)

    def plain(run: Path) -> Summary:
        return replace(StoredRun(run).summary, run_id="", sittings=(), trend=())

    assert plain(folder) == plain(whole), "the summaries differ"
    for name in TABLES:
        table = f"tables/{name}.parquet"
        assert (folder / table).read_bytes() == (whole / table).read_bytes(), table
    assert list_raw(folder) == list_raw(whole), "the raw answers differ"
    for path in sorted((whole / "reports").glob("*.csv")):
        assert (folder / "reports" / path.name).read_bytes() == path.read_bytes(), path.name
    listed = json.loads((folder / DOCUMENTS).read_bytes())
    assert listed["manifest_sha256"] == hash_bytes((folder / MANIFEST).read_bytes())


def verify(folder: Path) -> None:
    """
    See that a run that was disturbed verifies, but for the signature, which is none.
    """
    steps = list(verify_run(folder, public_key=None, previous=None, read_documents=Readback))
    failed = [step for step in steps if step.result is Result.FAILED]
    assert [step.title for step in failed] == ["signature"], failed


def endure(output: Path, whole: Path, calls: int, dice: random.Random) -> int:
    """
    Scan with disturbances until a run is finished, and compare it; return how often it was disturbed.
    """
    disturbed = 0
    world = make_world(output)
    while True:
        runs = list_runs(output)
        before = list_whole(runs[-1]) if runs else Counter[str]()
        if runs and (runs[-1] / DOCUMENTS).exists() and not list_litter(runs[-1]):
            break
        folder = runs[-1] if runs else None

        def work(folder: Path | None = folder) -> None:
            if folder is None:
                world.run()
                return
            try:
                world.resume(folder)
            except SettingsError as exc:
                # Killed when all was done, but for a temporary name that the last file still had.
                if "is finished" not in str(exc):
                    raise

        # Three times at most, so that a trial ends.
        after = dice.randint(1, calls) if disturbed < 3 and dice.random() < 0.9 else None
        status = run_child(work, after, full=dice.random() < 0.3)
        assert status in {0, KILLED, DISK_FULL}, f"a child ended with {status}"
        assert after is not None or status == 0, f"an undisturbed child ended with {status}"
        disturbed += status != 0
        tear(output, dice)
        after_all = list_runs(output)
        assert len(after_all) <= 1, after_all
        if folder:
            lost = before - list_whole(folder)
            assert not lost, f"{sum(lost.values())} files are gone"
    compare(list_runs(output)[-1], whole)
    return disturbed


def main(seed: int, trials: int, base: Path) -> None:
    """
    Run the trials, and say how often scans were disturbed.
    """
    template = base / "template"
    earlier = Folder(
        template / ORGANIZATION_ID / "2026-Q3", "20260824T090000Z", STARTED - timedelta(days=92)
    )
    child = os.fork()
    if not child:
        # The parent must start no threads: children are made of it.
        earlier.fill().finish()
        os._exit(0)
    os.waitpid(child, 0)
    shutil.copytree(template, base / "whole")
    assert run_child(make_world(base / "whole").run, None, full=False) == 0
    (whole,) = list_runs(base / "whole")
    calls = count_calls(base, template)
    # Each child is a copy of this process. A collector that looks through all that it inherited would copy that too.
    gc.collect()
    gc.freeze()
    gc.disable()
    disturbed = 0
    for trial in range(trials):
        dice = random.Random(f"{seed}-{trial}")  # noqa: S311 - the same seed is the same trial
        output = base / f"trial-{trial}"
        shutil.copytree(template, output)
        try:
            disturbed += endure(output, whole, calls, dice)
            if trial % 40 == 0:
                run = list_runs(output)[-1]
                assert run_child(partial(verify, run), None, full=False) == 0, "does not verify"
        except (AssertionError, OrgproofError, SettingsError) as exc:
            print(f"seed {seed}, trial {trial}: {exc!r}; see {output}")  # noqa: T201
            raise SystemExit(1) from exc
        shutil.rmtree(output)
    print(json.dumps({"trials": trials, "disturbed": disturbed, "calls": calls}))  # noqa: T201


def count_calls(base: Path, template: Path) -> int:
    """
    Return how many calls to the file system a whole scan makes.
    """
    output = base / "count"
    shutil.copytree(template, output)
    report, told = os.pipe()
    world = make_world(output)
    child = os.fork()
    if not child:
        calls = Counter[str]()

        def count() -> int:
            calls["all"] += 1
            return 0

        disturb(1, full=False, count=count)
        world.run()
        os.write(told, str(calls["all"]).encode())
        os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    return int(os.read(report, 20))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
