"""
A run that was stopped goes on where it was: nothing lost, nothing double, nothing written over.
"""

import json
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fake_scan import FakeClock, FakeCollector, FakeDirectory, Scan, Serial
from report_text import ACCOUNT, root_row, user_row
from run_folder import MANAGEMENT, ORGANIZATION_ID, SAFE, Folder, failed

from scanner.errors import DiscoveryError, EvidenceError, SealError, SettingsError
from scanner.evidence.previous import find_previous
from scanner.evidence.resumption import LASTING, clear_partial, list_missing, read_task
from scanner.evidence.seal import check_seal
from scanner.evidence.store import Store, create_file, hold, stage_run, write_file
from scanner.executor import ThreadExecutor
from scanner.interfaces import Keep, Steps, T
from scanner.listing import Listed
from scanner.model import Account, AccountId, NotCollected, Outcome, ReasonCode
from scanner.records import encode
from scanner.summary import Summary

THIRD = AccountId("000000000033")


class Moody(FakeCollector):
    """
    Accounts of which some cannot be read at first.
    """

    def __init__(self, folder: Folder, moods: dict[AccountId, ReasonCode]) -> None:
        super().__init__(folder)
        self.moods = moods
        self.leaves = b""

    def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
        """
        Keep the account's answers, or why there are none.
        """
        code = self.moods.pop(account.id, None)
        if code is None:
            return (yield from super().collect(account, keep))
        yield 0.0
        self.asked.append(account.id)
        if self.leaves:
            keep("credential-report.csv", self.leaves)
        keep("outcome.json", encode(failed(account.id, code)))
        return NotCollected(account, code, "account x: denied")


class StopsAfter(Serial):
    """
    Somebody presses Ctrl-C after so many accounts.
    """

    def __init__(self, accounts: int) -> None:
        self.accounts = accounts

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - nobody asks
    ) -> Generator[T, None, None]:
        """
        Drive the first jobs to their end.
        """
        left = self.accounts
        for end in super().run(jobs, source=source):
            yield end
            left -= not isinstance(end, Listed)
            if left <= 0:
                raise KeyboardInterrupt


class Crashes(StopsAfter):
    """
    The machine loses power after so many accounts.
    """

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - nobody asks
    ) -> Generator[T, None, None]:
        """
        Drive the first jobs to their end.
        """
        try:
            yield from super().run(jobs, source=source)
        except KeyboardInterrupt:
            raise SystemExit(137) from None


@pytest.fixture
def world(tmp_path: Path) -> Scan:
    """
    Make an organization of three accounts.
    """
    world = Scan(tmp_path)
    world.folder.states[THIRD] = "ACTIVE"
    world.folder.names[THIRD] = "staging"
    world.folder.reports[THIRD] = [root_row(THIRD), user_row("eve", THIRD, **SAFE)]
    return world


def crash(world: Scan, after: int) -> Path:
    """
    Let a scan crash after some accounts, and return its folder.
    """
    world.executor = Crashes(after)
    with pytest.raises(SystemExit):
        world.run()
    world.executor = Serial()
    world.collector = FakeCollector(world.folder)
    (folder,) = (world.output / ORGANIZATION_ID / "2026-Q4").iterdir()
    return folder


def asked(world: Scan) -> list[AccountId]:
    """
    Return the accounts that the scan's collector was sent to.
    """
    assert isinstance(world.collector, FakeCollector)
    return world.collector.asked


def refuse(world: Scan, moods: dict[AccountId, ReasonCode], leaves: bytes = b"") -> Path:
    """
    Let a scan end with accounts that could not be read, and return its folder.
    """
    world.collector = Moody(world.folder, moods)
    world.collector.leaves = leaves
    folder = world.run().folder
    world.collector = FakeCollector(world.folder)
    return folder


def list_files(folder: Path) -> dict[str, bytes]:
    """
    Return every file of a folder.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# A run that is not sealed


@pytest.mark.parametrize("after", [0, 1, 2])
def test_only_what_is_missing_is_collected(world, after):
    """
    In its own folder, which keeps every file that was there.
    """
    folder = crash(world, after)
    before = list_files(folder)

    done = world.resume(folder)

    assert done.folder == folder
    read = {name.split("/")[1] for name in before if name.endswith("/outcome-1.json")}
    assert len(read) == after
    assert sorted(asked(world)) == sorted({MANAGEMENT, ACCOUNT, THIRD} - read)
    assert before.items() <= list_files(folder).items()
    assert done.summary.accounts.collected == 3
    check_seal(folder, with_raw=True)


def test_a_resumed_run_equals_an_uninterrupted_one(world, tmp_path):
    """
    But for its name and its sittings.
    """
    folder = crash(world, 1)
    resumed = world.resume(folder)
    other = Scan(tmp_path / "other")
    other.folder = world.folder
    other.collector = FakeCollector(world.folder)
    other.directory = world.directory
    whole = other.run()

    def plain(summary: Summary) -> Summary:
        return replace(summary, run_id="", sittings=(), trend=())

    assert plain(resumed.summary) == plain(whole.summary)
    for name in ("accounts", "users", "findings", "controls", "history"):
        table = f"tables/{name}.parquet"
        assert (folder / table).read_bytes() == (whole.folder / table).read_bytes(), name


def test_a_resumed_run_says_so_with_each_sitting(world):
    """
    The first ended without notice, so nobody knows when.
    """
    folder = crash(world, 1)

    sittings = world.resume(folder).summary.sittings

    assert [sitting.finished is None for sitting in sittings] == [True, False]
    assert [sitting.interrupted for sitting in sittings] == [True, False]
    assert json.loads((folder / "manifest.json").read_bytes())["sittings"][0]["finished"] is None


def test_what_an_unfinished_attempt_stored_is_kept_aside(world):
    """
    A report that was stored without an outcome may be half of what there is, so the account is read again.
    """
    folder = crash(world, 1)
    raw = folder / "raw" / ACCOUNT
    write_file(raw / "credential-report.csv", b"first")
    write_file(raw / "live" / "x.json", b"{}")

    world.resume(folder)

    assert (raw / "superseded-1" / "credential-report.csv").read_bytes() == b"first"
    assert (raw / "superseded-1" / "live" / "x.json").read_bytes() == b"{}"
    assert (raw / "credential-report.csv").read_bytes() != b"first"
    assert "superseded-1" in (folder / "manifest.json").read_text()


def test_a_run_killed_after_collecting_asks_nobody_again(world, monkeypatch):
    """
    What was derived and not sealed is derived again; AWS is not asked, not even who calls.
    """

    def stop(*_: object) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr("scanner.pipeline.seal", stop)
        with pytest.raises(SystemExit):
            world.run()
    (folder,) = (world.output / ORGANIZATION_ID / "2026-Q4").iterdir()
    (folder / "SHA256SUMS").write_bytes(b"half a seal")
    world.collector = FakeCollector(world.folder)
    world.directory.identify = stop

    done = world.resume(folder)

    assert asked(world) == []
    assert len(done.summary.sittings) == 1
    check_seal(folder, with_raw=True)


def test_documents_that_were_never_listed_are_drawn_anew(world):
    """
    A run killed while it was drawn is sealed, and needs only its documents.
    """
    folder = world.run().folder
    (folder / "documents.json").unlink()
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / "half.pdf").write_bytes(b"%PDF")

    done = world.resume(folder)

    assert done.folder == folder
    assert not (folder / "reports" / "half.pdf").exists()
    assert (folder / "documents.json").exists()


def test_a_broken_write_is_cleared_away(world):
    """
    A file or a derived folder that never got its name is nobody's evidence, and neither is an empty folder.
    """
    folder = crash(world, 1)
    (folder / "raw" / "999999999999" / "live").mkdir(parents=True)
    write_file(folder / "derived" / ".20261124T090000Z.partial" / "sample.json", b"{}")
    litter = folder / "raw" / ACCOUNT / ".credential-report.csv.partial"
    litter.parent.mkdir(exist_ok=True)
    litter.write_bytes(b"user,ar")

    world.resume(folder)

    assert not list(folder.rglob("*.partial"))
    assert all(any(path.iterdir()) for path in (folder / "raw").rglob("*") if path.is_dir())
    assert not (folder / "derived").exists()


# A run that is sealed


@pytest.mark.parametrize("code", sorted(set(ReasonCode) - LASTING - {"not-active", "excluded"}))
def test_what_failed_for_a_passing_reason_is_tried_again_in_a_new_run(world, code):
    """
    The sealed run stays as it is, to the byte, and the new one names it.
    """
    folder = refuse(world, {ACCOUNT: code})
    before = list_files(folder)

    done = world.resume(folder)

    assert list_files(folder) == before
    assert done.folder != folder
    assert asked(world) == [ACCOUNT]
    assert done.summary.accounts.collected == 3
    assert done.summary.continues is not None
    assert done.summary.continues.run_id == folder.name
    assert len(done.summary.sittings) == 2
    assert (done.folder / "raw" / ACCOUNT / "outcome-2.json").exists()


@pytest.mark.parametrize("code", sorted(LASTING))
def test_what_failed_for_a_lasting_reason_is_tried_again_on_demand_only(world, code):
    """
    A missing role does not come by itself; `--retry-failed` says that somebody has put it there.
    """
    folder = refuse(world, {ACCOUNT: code})

    with pytest.raises(SettingsError, match="is finished"):
        world.resume(folder)
    assert asked(world) == []

    assert world.resume(folder, retry_failed=True).summary.accounts.collected == 3
    assert asked(world) == [ACCOUNT]


def test_an_interrupted_run_is_completed_in_a_new_one(world):
    """
    Ctrl-C seals what there is; resuming takes it over.
    """
    world.executor = StopsAfter(1)
    first = world.run()
    world.executor = Serial()
    world.collector = FakeCollector(world.folder)

    done = world.resume(first.folder)

    assert first.summary.exit_status == 5
    assert done.summary.exit_status != 5
    assert asked(world) == sorted([MANAGEMENT, ACCOUNT, THIRD])[1:]


def test_a_scan_that_was_stopped_when_all_was_read_is_whole(world):
    """
    Those under way were the last ones: nothing is missing, so there is nothing to go on with.
    """
    world.executor = StopsAfter(3)

    done = world.run()

    assert done.summary.accounts.collected == 3
    assert not done.summary.interrupted
    assert done.summary.exit_status != 5


def test_a_malformed_report_is_read_again_on_demand(world):
    """
    That it cannot be used is found when it is judged; the first one is kept.
    """
    folder = crash(world, 3)
    report = folder / "raw" / ACCOUNT / "credential-report.csv"
    report.write_bytes(b"user,arn\n")

    done = world.resume(folder, retry_failed=True)

    assert asked(world) == [ACCOUNT]
    assert done.summary.accounts.collected == 3
    assert (report.parent / "superseded-1" / report.name).read_bytes() == b"user,arn\n"


def test_a_run_resumed_twice_names_the_last_one(world):
    """
    Each new run takes over all that there is, and names the one it took it from.
    """
    first = refuse(world, {ACCOUNT: ReasonCode.NETWORK, THIRD: ReasonCode.NETWORK})
    world.collector = Moody(world.folder, {ACCOUNT: ReasonCode.THROTTLED})
    second = world.resume(first)
    third = world.resume(second.folder)

    assert third.summary.continues is not None
    assert third.summary.continues.run_id == second.folder.name
    assert len(third.summary.sittings) == 3
    assert third.summary.accounts.collected == 3


# What is refused


def test_a_finished_run_has_nothing_to_resume(world):
    """
    Rather said than done: nothing would change.
    """
    folder = world.run().folder

    with pytest.raises(SettingsError, match="is finished"):
        world.resume(folder)
    with pytest.raises(SettingsError, match="is finished"):
        world.resume(folder, retry_failed=True)


def test_two_cannot_work_in_one_run(world):
    """
    The second is refused, and nothing in the folder has changed.
    """
    folder = crash(world, 1)
    before = list_files(folder)

    with hold(folder), pytest.raises(SettingsError, match="another orgproof is at work"):
        world.resume(folder)

    assert list_files(folder) == before


def test_a_scan_holds_its_run(world):
    """
    Whoever tries to resume a run that is being collected is refused.
    """
    refused = []

    class Nosy(FakeCollector):
        def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
            (folder,) = (world.output / ORGANIZATION_ID / "2026-Q4").iterdir()
            with pytest.raises(SettingsError, match="another orgproof is at work"):
                world.resume(folder)
            refused.append(account.id)
            return (yield from super().collect(account, keep))

    world.collector = Nosy(world.folder)
    world.run()

    assert len(refused) == 3


def test_a_lock_that_nobody_can_take_is_a_refusal(world, monkeypatch):
    """
    Where the file system has no locks nobody can tell whether somebody else is at work. A new run may begin.
    """

    def refuse_lock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("scanner.evidence.store.fcntl.flock", refuse_lock)
    folder = crash(world, 1)

    with pytest.raises(SettingsError, match="has no locks"):
        world.resume(folder)


def test_credentials_of_another_organization_are_refused(world):
    """
    Its accounts are not this run's.
    """
    folder = crash(world, 1)
    before = list_files(folder)
    world.directory.identify = lambda: {
        **{name: content for name, content in world.folder.answers().items() if "caller" in name},
        "organization.json": b'{"Organization": {"Id": "o-zzzzzzzzzz"}}',
    }

    with pytest.raises(SettingsError, match="belong to o-zzzzzzzzzz"):
        world.resume(folder)
    assert list_files(folder) == before
    assert asked(world) == []


def test_a_sealed_run_that_was_changed_is_refused(world):
    """
    Nothing is taken over from what is not what was sealed.
    """
    folder = refuse(world, {ACCOUNT: ReasonCode.NETWORK})
    (folder / "raw" / MANAGEMENT / "credential-report.csv").write_bytes(b"user,arn\n")

    with pytest.raises(SealError, match="credential-report"):
        world.resume(folder)


@pytest.mark.parametrize("left", ["documents.json", "derived/20261124T100000Z/manifest.json"])
def test_a_sealed_run_without_its_manifest_is_not_sealed_anew(world, left):
    """
    Whoever takes the manifest away could otherwise change a report and have it sealed, and signed, once more.
    """
    folder = world.run().folder
    if not (folder / left).exists():
        (folder / "documents.json").unlink()
        write_file(folder / left, b"{}")
    (folder / "manifest.json").unlink()
    before = list_files(folder)

    with pytest.raises(SealError, match="was sealed and is not whole"):
        world.resume(folder)
    assert list_files(folder) == before


def test_a_report_changed_under_half_a_seal_is_refused(world):
    """
    Killed between the checksums and the manifest, a run goes on only with what they list.
    """
    folder = world.run().folder
    for name in ("documents.json", "manifest.json"):
        (folder / name).unlink()
    (folder / "reports").rmdir()
    report = folder / "raw" / ACCOUNT / "credential-report.csv"
    report.write_bytes(report.read_bytes() + b"\n")

    with pytest.raises(SealError, match="is not the file that was to be sealed"):
        world.resume(folder)


def test_a_run_that_completes_an_older_one_is_not_the_newest(tmp_path):
    """
    The run begun in between has seen the accounts later, so it is the one to compare with.
    """
    place = tmp_path / ORGANIZATION_ID
    day = timedelta(days=1)
    for name, began in (("20261120T090000Z", 4), ("20261122T090000Z", 2), ("20261123T090000Z", 4)):
        start = Folder(tmp_path).started - began * day
        Folder(place / "2026-Q4", name, start).fill().finish()

    found = find_previous(place, Folder(tmp_path).started)

    assert found.folder is not None
    assert found.folder.name == "20261122T090000Z"


@pytest.mark.parametrize("kind", ["empty", "derived"])
def test_what_is_no_run_is_refused(tmp_path, kind):
    """
    An empty folder, or one without raw answers of its own.
    """
    folder = tmp_path / kind
    folder.mkdir()
    if kind == "derived":
        (folder / "tables").mkdir()

    with pytest.raises(SettingsError, match="is no run folder"):
        read_task(folder)


def test_settings_found_wrong_leave_no_run(world):
    """
    An account that there is not is found when the list is there: nothing was collected, and nothing is left.
    """
    selection = replace(world.folder.terms.selection, accounts=(AccountId("999999999999"),))
    world.folder.terms = replace(world.folder.terms, selection=selection)

    with pytest.raises(SettingsError):
        world.run()
    assert list((world.output / ORGANIZATION_ID / "2026-Q4").iterdir()) == []


def test_a_folder_that_is_no_run_is_left_alone(world, tmp_path):
    """
    Whatever lies in it, and whatever it is called.
    """
    other = tmp_path / "holiday"
    (other / "tables").mkdir(parents=True)
    (other / "empty").mkdir()
    (other / ".notes.partial").write_bytes(b"mine")

    with pytest.raises(SettingsError, match="is no run folder"):
        world.resume(other)
    assert sorted(path.name for path in other.iterdir()) == [".notes.partial", "empty", "tables"]


def test_a_signed_run_is_not_completed_without_a_key(world):
    """
    What continues it would otherwise vouch for less than it does.
    """
    folder = refuse(world, {ACCOUNT: ReasonCode.NETWORK})
    envelope = {"signatures": [{"keyid": "0" * 64, "sig": ""}]}
    (folder / "manifest.dsse.json").write_text(json.dumps(envelope))

    with pytest.raises(SettingsError, match="is signed; give the key"):
        world.resume(folder)
    assert asked(world) == []


def test_a_listing_that_is_stopped_leaves_no_run(world, monkeypatch):
    """
    Nothing was collected, so there is nothing to go on with.
    """

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scanner.pipeline.check_selection", stop)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert list((world.output / ORGANIZATION_ID / "2026-Q4").iterdir()) == []


# Writing


def test_no_name_is_written_twice(tmp_path):
    """
    Not even when the file came there while the other was being written.
    """
    path = tmp_path / "evidence.json"

    file = create_file(path)
    file.__enter__().write(b"second")
    path.write_bytes(b"first")
    with pytest.raises(EvidenceError, match="written once"):
        file.__exit__(None, None, None)

    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_synced_before_it_has_its_name(tmp_path, monkeypatch):
    """
    And the folder after it: a power cut leaves the whole file, or none.
    """
    calls = []

    def record(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object, **named: object) -> None:
            calls.append(name)
            real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    record("fsync")
    record("link")

    write_file(tmp_path / "evidence.json", b"{}")

    assert calls == ["fsync", "link", "fsync"]


def test_a_link_in_the_way_of_a_new_file_is_not_followed(tmp_path):
    """
    Evidence goes where it is meant to go.
    """
    (tmp_path / ".evidence.json.partial").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EvidenceError, match="exists already"):
        write_file(tmp_path / "evidence.json", b"{}")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_links_gets_a_rename(tmp_path, monkeypatch):
    """
    Some have no hard links; the file is written all the same.
    """

    def refuse_link(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse_link)

    write_file(tmp_path / "evidence.json", b"{}")

    assert list(tmp_path.iterdir()) == [tmp_path / "evidence.json"]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    """
    And leaves nothing of it behind.
    """

    def is_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", is_full)

    with pytest.raises(EvidenceError, match=r"evidence\.json: cannot be written: No space left"):
        write_file(tmp_path / "evidence.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_are_for_the_owner_alone(world):
    """
    They say who can be attacked.
    """
    folder = world.run().folder

    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_an_attempt_without_leftovers_sets_nothing_aside(tmp_path):
    """
    Outcomes are counted on, and no folder is made for nothing.
    """
    store = Store(tmp_path)
    store.keep_for(ACCOUNT)("outcome.json", b"{}")
    store.keep_for(ACCOUNT)("outcome.json", b"{}")

    assert sorted(path.name for path in (tmp_path / "raw" / ACCOUNT).iterdir()) == [
        "outcome-1.json",
        "outcome-2.json",
    ]


def test_a_staged_run_shows_only_when_it_is_whole(tmp_path):
    """
    Until then nobody takes it for a run.
    """
    moment = Folder(tmp_path).started
    with stage_run(tmp_path / "2026-Q4", moment) as store:
        store.write("inputs/settings.json", b"{}")
        assert not (tmp_path / "2026-Q4" / "20261124T100000Z").exists()
        name = store.run_id

    assert store.folder == tmp_path / "2026-Q4" / name
    assert (store.folder / "inputs" / "settings.json").exists()
    clear_partial(tmp_path)
    assert [path.name for path in (tmp_path / "2026-Q4").iterdir()] == [name]


def test_list_missing_reads_no_excluded_account(world):
    """
    What is left out on purpose is not missing.
    """
    folder = refuse(world, {ACCOUNT: ReasonCode.NETWORK})
    task = read_task(folder)
    assert [account.id for account in list_missing(task, retry_failed=False)] == [ACCOUNT]

    selection = replace(task.terms.selection, accounts=(MANAGEMENT,))
    narrowed = replace(task, terms=replace(task.terms, selection=selection))
    assert list_missing(narrowed, retry_failed=True) == []


class Lists(FakeDirectory):
    """
    An organization that lists until so many accounts were read, and then breaks off.
    """

    def __init__(self, world: Scan, until: int, end: Exception) -> None:
        super().__init__(world.folder)
        self.world = world
        self.until = until
        self.end = end

    def list_accounts(
        self, found: Callable[[Mapping[str, Any]], None], *, with_tags: bool = False
    ) -> Steps[Mapping[str, bytes]]:
        """
        Tell of every page, and raise what ends the list.
        """
        yield from super().list_accounts(found, with_tags=with_tags)
        while len(asked(self.world)) < self.until:
            yield 0.0
        raise self.end


def break_off(world: Scan) -> None:
    """
    Let a scan end while the list is not whole, when all accounts were read.
    """
    world.directory = Lists(world, 3, DiscoveryError("no more"))
    world.executor = ThreadExecutor(2, FakeClock())
    with pytest.raises(DiscoveryError):
        world.run()
    world.directory, world.executor = FakeDirectory(world.folder), Serial()


def list_places(world: Scan) -> list[Path]:
    """
    Return the run folders that there are.
    """
    return list((world.output / ORGANIZATION_ID / "2026-Q4").iterdir())


def test_what_was_read_before_a_list_broke_off_is_not_read_again(world):
    """
    The list is had anew, and what AWS had listed is kept.
    """
    break_off(world)
    (folder,) = list_places(world)
    before = list_files(folder)
    world.collector = FakeCollector(world.folder)

    done = world.resume(folder)

    assert asked(world) == []
    assert before.items() <= list_files(folder).items()
    assert "raw/sittings/1-accounts.json" in before
    assert done.summary.accounts.collected == 3
    assert [sitting.interrupted for sitting in done.summary.sittings] == [True, False]


def test_an_account_that_left_before_the_list_was_whole_is_kept_beside(world):
    """
    Nothing is said of it, and nothing of it is lost.
    """
    break_off(world)
    (folder,) = list_places(world)
    left = (folder / "raw" / THIRD / "credential-report.csv").read_bytes()
    del world.folder.states[THIRD]

    done = world.resume(folder)

    assert done.summary.accounts.listed == 2
    assert not (folder / "raw" / THIRD).exists()
    assert (
        folder / "raw" / "unlisted" / "2" / THIRD / "credential-report.csv"
    ).read_bytes() == left
    check_seal(folder, with_raw=True)


def test_a_list_that_cannot_be_read_is_kept(world):
    """
    What AWS listed may explain why it is no list, also where no account was read.
    """
    world.directory = Lists(world, 0, DiscoveryError("no more"))
    with pytest.raises(DiscoveryError):
        world.run()

    (folder,) = list_places(world)
    assert "raw/sittings/1-accounts.json" in list_files(folder)


def test_a_list_of_which_nothing_came_leaves_no_run(world, monkeypatch):
    """
    There is nothing that the next scan would not ask for again.
    """

    def refuse_list(*_: object, **__: object) -> NoReturn:
        raise DiscoveryError("denied")

    monkeypatch.setattr(world.directory, "list_accounts", refuse_list)
    with pytest.raises(DiscoveryError):
        world.run()

    assert list_places(world) == []
