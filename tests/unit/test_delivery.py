"""
What is delivered of a run, in which order, what is refused, and what the receipt says.
"""

import errno
import fcntl
import hashlib
import io
import json
import os
import resource
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_run import NOW, REPORTS, FreshSigner, Pretence, StillClock, make_run, read_tree

from scanner.delivery import FolderDestination, Parcel, deliver_run
from scanner.errors import DeliveryError, EvidenceError, SealError, SettingsError
from scanner.evidence.documents import sum_documents
from scanner.evidence.seal import DocumentList
from scanner.records import decode, encode_canonical

CLOCK = StillClock()
PLACE = "o-a1b2c3d4e5/2026-Q4/20261124T090000Z"
LISTS = {"documents.json", "SHA256SUMS", "manifest.json"}


@pytest.fixture(name="made", scope="module")
def make_one(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("made"))


@pytest.fixture(name="run")
def copy_run(made, tmp_path):
    (tmp_path / "share").mkdir()
    return shutil.copytree(made, tmp_path / "runs" / made.name)


def deliver(run, *destinations, config=None):
    return deliver_run(run, destinations, CLOCK, "0.1.0", config=config)


def refuse(run, *destinations, error=DeliveryError, config=None):
    with pytest.raises(error) as caught:
        deliver(run, *destinations, config=config)
    return str(caught.value)


def receipts(run):
    return [json.loads(path.read_text()) for path in sorted(run.glob("derived/*/receipt.json"))]


def without_derived(run):
    return {path: held for path, held in read_tree(run).items() if not path.startswith("derived/")}


# What is delivered


def test_documents_arrive_with_the_lists_that_cover_them(run, tmp_path):
    """
    Every document, documents.json, SHA256SUMS and the manifest, byte for byte, under organization, period and run.
    """
    deliver(run, FolderDestination(tmp_path / "share"))

    arrived = read_tree(tmp_path / "share" / PLACE)
    assert set(arrived) == {f"reports/{name}" for name in REPORTS} | LISTS
    assert arrived == {path: (run / path).read_bytes() for path in arrived}
    assert set(read_tree(tmp_path / "share")) == {f"{PLACE}/{path}" for path in arrived}


def test_a_whole_run_arrives_as_it_is_but_for_what_was_derived_later(run, tmp_path):
    """
    Receipts and samples stay: they are no part of the run.
    """
    deliver(run, Pretence("seal"))

    deliver(run, FolderDestination(tmp_path / "share", "run"))

    assert read_tree(tmp_path / "share" / PLACE) == without_derived(run)


def test_a_seal_is_published_without_any_of_what_it_seals(run):
    """
    The lists say nothing about users, and are enough to find a later change by.
    """
    elsewhere = Pretence("seal")

    deliver(run, elsewhere)

    assert set(elsewhere.got) == LISTS


@pytest.mark.parametrize("contents", ["documents", "run"])
def test_who_sees_a_list_sees_all_that_it_lists(run, contents):
    """
    The lists are sent last, the manifest after all else.
    """
    elsewhere = Pretence(contents)

    deliver(run, elsewhere)

    assert list(elsewhere.got)[-3:] == ["documents.json", "SHA256SUMS", "manifest.json"]


def test_what_arrives_is_for_its_owner_alone(run, tmp_path):
    """
    Files are 0600 and the folders made for them 0700, whatever the umask lets through.
    """
    before = os.umask(0)
    try:
        deliver(run, FolderDestination(tmp_path / "share"))
    finally:
        os.umask(before)

    made = (tmp_path / "share").rglob("*")
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in made}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_a_delivery_changes_nothing_of_the_run(run, tmp_path):
    """
    Only a receipt is added, under derived/.
    """
    before = read_tree(run)

    deliver(run, FolderDestination(tmp_path / "share"))

    assert without_derived(run) == before


# Once more


def test_what_is_there_already_is_not_sent_twice(run, tmp_path):
    """
    The second delivery writes nothing, and its receipt says that all was there.
    """
    deliver(run, FolderDestination(tmp_path / "share"))
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "share").rglob("*")}

    again = deliver(run, FolderDestination(tmp_path / "share"))

    # A folder's own time changes with every name that comes and goes in it.
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "share").rglob("*")} == written
    (consignment,) = again.receipt.consignments
    assert {item.placed.was_there for item in consignment.items} == {True}


@pytest.mark.parametrize("number", range(5))
def test_a_delivery_that_died_is_completed_by_the_next(run, tmp_path, number):
    """
    It died after so many files, with half of the next one under its temporary name.
    """
    deliver(run, FolderDestination(tmp_path / "share"))
    whole = read_tree(tmp_path / "share")
    names = sorted(whole)
    for name in names[number:]:
        (tmp_path / "share" / name).unlink()
    half = tmp_path / "share" / names[number]
    half.with_name(f".{half.name}.partial").write_bytes(whole[names[number]][:5])

    deliver(run, FolderDestination(tmp_path / "share"))

    assert read_tree(tmp_path / "share") == whole


def test_two_deliveries_at_once_do_not_harm_each_other(run, tmp_path):
    """
    Each ends well, every file is whole, and nothing is left over.
    """
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: deliver(run, FolderDestination(tmp_path / "share")), range(4)))

    assert read_tree(tmp_path / "share" / PLACE) == {
        path: held
        for path, held in without_derived(run).items()
        if path.startswith("reports/") or path in LISTS
    }
    assert len(receipts(run)) == 4


# What is refused at the destination


def test_another_file_in_its_place_is_never_overwritten(run, tmp_path):
    """
    The delivery fails and names it; the other destination still gets everything.
    """
    taken = tmp_path / "share" / PLACE / "reports" / "findings.csv"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"somebody else's")
    elsewhere = Pretence()

    message = refuse(run, FolderDestination(tmp_path / "share"), elsewhere)

    assert f"{taken}: another file is there" in message
    assert taken.read_bytes() == b"somebody else's"
    assert len(elsewhere.got) == 5
    assert not (taken.parents[1] / "manifest.json").exists()


class Raced(io.BytesIO):
    """
    Content during whose writing somebody else takes the name that it was to get.
    """

    def __init__(self, content, place, others):
        super().__init__(content)
        self.place = place
        self.others = others

    def read(self, *size):
        """
        Read, and be overtaken.
        """
        self.place.write_bytes(self.others)
        return super().read(*size)


def without_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_is_taken_while_the_file_is_written_stays_taken(
    tmp_path, monkeypatch, has_links
):
    """
    Also on memory sticks, which have no hard links. The same bytes from somebody else count as delivered.
    """
    if not has_links:
        monkeypatch.setattr(os, "link", without_links)
    content, place = b"what was sent", tmp_path / "o" / "a.txt"
    destination, parcel = FolderDestination(tmp_path), parcel_of(content)

    with pytest.raises(DeliveryError, match="another file is there"):
        destination.put(parcel, Raced(content, place, b"somebody else's"))

    assert read_tree(tmp_path) == {"o/a.txt": b"somebody else's"}
    place.unlink()
    assert destination.put(parcel, Raced(content, place, content)).was_there


def test_a_folder_without_links_or_locks_is_delivered_to(run, tmp_path, monkeypatch):
    """
    What a killed delivery left is not removed there, for it may be another's at work; the message names it.
    """
    monkeypatch.setattr(os, "link", without_links)
    monkeypatch.setattr(fcntl, "flock", without_links)
    deliver(run, FolderDestination(tmp_path / "share"))
    assert set(read_tree(tmp_path / "share" / PLACE)) == {f"reports/{n}" for n in REPORTS} | LISTS

    (tmp_path / "share" / PLACE / "manifest.json").unlink()
    (tmp_path / "share" / PLACE / ".manifest.json.partial").touch()

    assert ".manifest.json.partial is beside it" in refuse(
        run, FolderDestination(tmp_path / "share")
    )


@pytest.mark.parametrize("where", ["o-a1b2c3d4e5", f"{PLACE}/reports"])
def test_a_link_below_the_destination_is_not_followed(run, tmp_path, where):
    """
    Whoever may write to the share could lead the documents anywhere with one.
    """
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "share" / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    message = refuse(run, FolderDestination(tmp_path / "share"))

    assert "cannot be written" in message
    assert read_tree(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_taken_for_the_document(run, tmp_path, kind):
    """
    A link in the place of a document is refused, even to the very same bytes; a pipe is not waited for.
    """
    taken = tmp_path / "share" / PLACE / "reports" / "findings.csv"
    taken.parent.mkdir(parents=True)
    {
        "link": lambda: taken.symlink_to(run / "reports" / "findings.csv"),
        "pipe": lambda: os.mkfifo(taken),
        "folder": taken.mkdir,
    }[kind]()

    assert "another file is there" in refuse(run, FolderDestination(tmp_path / "share"))


def test_the_folder_that_was_named_may_itself_be_a_link(run, tmp_path):
    """
    That link is the choice of whoever wrote the settings.
    """
    (tmp_path / "archive").symlink_to(tmp_path / "share", target_is_directory=True)

    deliver(run, FolderDestination(tmp_path / "archive"))

    assert (tmp_path / "share" / PLACE / "manifest.json").exists()


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    """
    It is more often a share that nobody mounted.
    """
    with pytest.raises(SettingsError, match="mount it"):
        FolderDestination(tmp_path / "missing")

    assert not (tmp_path / "missing").exists()


@contextmanager
def files_of_at_most(size):
    """
    Let no file grow larger within the block, as on a disk that is full.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path):
    """
    Neither under the document's name nor under another, and the same delivery succeeds when there is room.
    """
    parcel = parcel_of(b"x" * 300_000)

    (tmp_path / "share").mkdir()
    with files_of_at_most(100_000), pytest.raises(DeliveryError, match="cannot be written"):
        FolderDestination(tmp_path / "share").put(parcel, io.BytesIO(b"x" * 300_000))

    assert read_tree(tmp_path / "share") == {}
    placed = FolderDestination(tmp_path / "share").put(parcel, io.BytesIO(b"x" * 300_000))
    assert not placed.was_there
    assert Path(placed.where).read_bytes() == b"x" * 300_000


def parcel_of(content):
    return Parcel("a.txt", "o/a.txt", len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("arrived", [b"", b"what wa", b"what was scnt", b"what was sent and more"])
def test_what_reads_back_otherwise_never_gets_its_name(tmp_path, arrived):
    """
    The disk holds something else than was to be sent: the delivery fails, and no reader finds it.
    """
    with pytest.raises(DeliveryError, match="read back"):
        FolderDestination(tmp_path).put(parcel_of(b"what was sent"), io.BytesIO(arrived))

    assert read_tree(tmp_path) == {}


# What is refused of a run


def append(path):
    path.write_bytes(path.read_bytes() + b" ")


def replace_by_link(path):
    held = path.read_bytes()
    path.unlink()
    (path.parents[3] / "outside").write_bytes(held)
    path.symlink_to(path.parents[3] / "outside")


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


SPOILT = [
    ("reports/findings.csv", append),
    ("reports/findings.csv", Path.unlink),
    ("reports/findings.csv", replace_by_link),
    ("reports/findings.csv", replace_by_pipe),
    ("reports/added.pdf", Path.touch),
    ("raw/caller.json", append),
    ("raw/added.json", Path.touch),
    ("raw/caller.json", Path.unlink),
    ("raw/012345678901/credential-report.csv", replace_by_link),
    ("tables/users.parquet", append),
    ("summary.json", append),
    ("SHA256SUMS", append),
    ("SHA256SUMS", Path.unlink),
    ("manifest.json", append),
    ("documents.json", append),
    ("documents.dsse.json", Path.touch),
    ("added.txt", Path.touch),
]


@pytest.mark.parametrize("contents", ["documents", "seal"])
@pytest.mark.parametrize(("path", "spoil"), SPOILT)
def test_nothing_is_delivered_of_a_run_that_does_not_verify(run, path, spoil, contents):
    """
    Whatever was changed, removed, added or replaced, also outside of what was to be delivered.
    """
    elsewhere = Pretence(contents)
    spoil(run / path)

    refuse(run, elsewhere, error=EvidenceError)

    assert elsewhere.got == {}
    assert receipts(run) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("run_id", ".."), ("organization_id", "../o-1"), ("period", "a/b"), ("period", "")],
)
def test_a_run_cannot_choose_where_it_goes(run, name, value):
    """
    A manifest that was written anew, with lists that fit it, still cannot lead out of the destination.
    """
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest[name] = value
    rewrite(run, manifest)
    elsewhere = Pretence()

    assert "is not the name of a run" in refuse(run, elsewhere, error=SealError)
    assert elsewhere.got == {}


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "raw/../../secret", "raw/.hidden"])
def test_a_run_cannot_have_other_files_sent(run, path):
    """
    A manifest that lists a file of the machine does not get it delivered.
    """
    (run.parent / "secret").write_bytes(b"not yours")
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["files"].append({"path": path, "size": 9, "sha256": digest(b"not yours")})
    manifest["files"].sort(key=lambda entry: entry["path"].split("/"))
    rewrite(run, manifest)
    elsewhere = Pretence("run")

    assert f"manifest.json: lists {path}, " in refuse(run, elsewhere, error=SealError)
    assert elsewhere.got == {}


def rewrite(run, manifest):
    """
    Write a manifest, and lists that fit it, as somebody would who forges a run.
    """
    content = compact(manifest)
    sums = [f"{entry['sha256']}  {entry['path']}" for entry in manifest["files"]]
    sums.append(f"{digest(content)}  manifest.json")
    listed = decode(DocumentList, (run / "documents.json").read_bytes(), "documents.json")
    forged = replace(listed, manifest_sha256=digest(content))
    forged = replace(forged, checksum=sum_documents(forged))
    (run / "manifest.json").write_bytes(content)
    (run / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    (run / "documents.json").write_bytes(encode_canonical(forged))


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_that_changes_while_the_run_is_delivered_is_not_sent(run):
    """
    It was as sealed when the run was checked. What was sent before is in the receipt.
    """

    def change(parcel: Parcel) -> None:
        if parcel.path == "documents.json":
            append(run / "SHA256SUMS")

    elsewhere = Pretence(before=change)

    message = refuse(run, elsewhere, error=SealError)

    assert "SHA256SUMS: was changed while the run was being delivered" in message
    assert set(elsewhere.got) == {"documents.json", *(f"reports/{name}" for name in REPORTS)}
    (receipt,) = receipts(run)
    assert len(receipt["consignments"][0]["items"]) == 3


def test_what_was_checked_is_what_is_sent_whatever_happens_meanwhile(run):
    """
    A file that changes after it was read, and before it is on its way, arrives as it was sealed.
    """
    before = (run / "reports" / "findings.csv").read_bytes()

    def change(parcel: Parcel) -> None:
        if parcel.path == "reports/findings.csv":
            append(run / parcel.path)

    elsewhere = Pretence(before=change)
    deliver(run, elsewhere)

    assert elsewhere.got["reports/findings.csv"] == before


@pytest.fixture(name="signed", scope="module")
def make_signed(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("signed"), signer=FreshSigner())


@pytest.mark.parametrize("contents", ["documents", "run", "seal"])
def test_signatures_go_with_the_lists_that_they_are_about(signed, contents):
    """
    Each before its list, so that who sees the list sees whether it is signed.
    """
    elsewhere = Pretence(contents)

    deliver(signed, elsewhere)

    assert list(elsewhere.got)[-5:] == [
        "documents.dsse.json",
        "documents.json",
        "manifest.dsse.json",
        "SHA256SUMS",
        "manifest.json",
    ]


@pytest.mark.parametrize("name", ["manifest.dsse.json", "documents.dsse.json"])
def test_a_signature_about_something_else_is_refused(signed, tmp_path, name):
    """
    It was taken from another run, or is no signature at all.
    """
    copy = shutil.copytree(signed, tmp_path / "copy")
    for other in (FreshSigner().attest("manifest.json", b"{}", {}), b"{}"):
        (copy / name).write_bytes(other)

        refuse(copy, Pretence(), error=SealError)


@pytest.mark.parametrize("missing", ["manifest.json", "documents.json"])
def test_a_run_that_is_not_finished_is_not_delivered(run, missing):
    """
    The message says what to do first.
    """
    (run / missing).unlink()

    message = refuse(run, Pretence(), error=SettingsError)

    assert ("render" if missing == "documents.json" else "folder that a scan printed") in message


def test_what_was_derived_is_no_run(run):
    """
    A receipt's own folder has a manifest, and is not delivered for it.
    """
    kept = deliver(run, Pretence()).folder

    assert "folder of a finished run" in refuse(kept, Pretence(), error=SettingsError)


# The receipt


def test_the_receipt_says_where_each_file_is(run, tmp_path):
    """
    Key, size, SHA-256 and when, for each destination, and which run it was.
    """
    delivered = deliver(run, FolderDestination(tmp_path / "share"), Pretence("seal"))

    (receipt,) = receipts(run)
    assert delivered.folder == run / "derived" / "20261125T093000Z"
    assert receipt["run_id"] == run.name
    assert receipt["manifest_sha256"] == digest((run / "manifest.json").read_bytes())
    first, second = receipt["consignments"]
    assert (first["destination"], first["problem"]) == (f"folder {tmp_path / 'share'}", None)
    assert (second["contents"], second["expected"], len(second["items"])) == ("seal", 3, 3)
    for item in first["items"]:
        content = (tmp_path / "share" / item["key"]).read_bytes()
        assert (item["size"], item["sha256"]) == (len(content), digest(content))
        assert item["at"] == "2026-11-25T09:30:00Z"


def test_the_receipt_is_sealed_and_names_the_run(run):
    """
    Its manifest says that it is a delivery of this run, and lists the receipt.
    """
    kept = deliver(run, Pretence()).folder

    manifest = json.loads((kept / "manifest.json").read_bytes())
    assert manifest["kind"] == "delivery"
    assert manifest["run"]["manifest_sha256"] == digest((run / "manifest.json").read_bytes())
    assert [entry["path"] for entry in manifest["files"]] == ["receipt.json"]


def fail_at(path):
    def before(parcel: Parcel) -> None:
        if parcel.path == path:
            raise DeliveryError("the share is gone")

    return before


def test_a_failed_delivery_leaves_the_run_whole_and_says_how_to_repeat_it(run):
    """
    The message names the destination, what it got, the receipt and the command.
    """
    before = read_tree(run)
    config = Path("our settings.toml")

    message = refuse(run, Pretence(before=fail_at("SHA256SUMS"), name="share"), config=config)

    assert "share: 3 of 5 files are there: the share is gone" in message
    assert f"`orgproof deliver {run} --config 'our settings.toml'`" in message
    assert f"{run / 'derived' / '20261125T093000Z'} says" in message
    assert without_derived(run) == before
    (consignment,) = receipts(run)[0]["consignments"]
    assert consignment["problem"] == "the share is gone"
    assert [item["path"] for item in consignment["items"]][-1] == "documents.json"


def test_no_list_is_sent_where_a_document_is_missing(run):
    """
    A reader of the list would look for the document in vain.
    """
    elsewhere = Pretence(before=fail_at("reports/findings.csv"))

    refuse(run, elsewhere)

    assert not LISTS & set(elsewhere.got)


def test_a_delivery_that_is_stopped_keeps_a_receipt(run):
    """
    It says what is there by then, and the later destinations are not begun.
    """

    def stop(parcel: Parcel) -> None:
        if parcel.path == "SHA256SUMS":
            raise KeyboardInterrupt

    later = Pretence()

    with pytest.raises(KeyboardInterrupt):
        deliver(run, Pretence(before=stop), later)

    assert later.got == {}
    (consignment,) = receipts(run)[0]["consignments"]
    assert (consignment["problem"], len(consignment["items"])) == ("it was stopped", 3)


def test_a_receipt_that_cannot_be_kept_is_no_silent_loss(run):
    """
    What was delivered is there, and the message says that its receipt is not.
    """
    (run / "derived").write_bytes(b"in the way")
    elsewhere = Pretence()

    # A file called derived is nothing that a run holds.
    refuse(run, elsewhere, error=SealError)
    (run / "derived").unlink()

    def block(parcel: Parcel) -> None:
        if parcel.path == "manifest.json":
            (run / "derived").write_bytes(b"in the way")

    message = refuse(run, Pretence(before=block))

    assert "5 files are at their destinations, and the receipt could not be kept" in message
    assert f"`orgproof deliver {run}`" in message


def test_times_in_the_receipt_are_the_clocks(run):
    """
    Nothing else is asked what time it is.
    """
    receipt = deliver(run, Pretence()).receipt

    assert (receipt.started, receipt.finished) == (NOW, NOW)


def test_a_run_is_not_its_own_copy(tmp_path):
    """
    Delivered to where it lies already, everything would be there, and nothing would be safe.
    """
    run = tmp_path / "out" / "o-1" / "2026-Q4" / "20261124T090000Z"
    (run / "kept").mkdir(parents=True)

    assert FolderDestination(tmp_path / "out").holds(run)
    assert FolderDestination(run / "kept").holds(run)
    assert not FolderDestination(tmp_path).holds(run)
    assert not FolderDestination(tmp_path / "out" / "o-1").holds(run)
