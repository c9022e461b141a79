"""
Run folders to verify, whole and signed, and forgers who change them and put everything else right again.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from report_text import ACCOUNT, MADE, user_row
from run_folder import OPEN, STARTED, Folder
from securesystemslib.signer import CryptoSigner
from signing_keys import make_key, write_public

from scanner.confirmation import GET_LOGIN_PROFILE, LIST_MFA_DEVICES, LIST_USER_TAGS, live_file
from scanner.evidence import Store, StoredRun
from scanner.evidence.documents import list_documents, write_documents
from scanner.evidence.previous import read_summary
from scanner.evidence.replay import derive_tables
from scanner.evidence.seal import (
    CHECKSUMS,
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    SIGNATURE,
    DocumentList,
    seal,
)
from scanner.evidence.signature import attest, check_key, describe_key, identify_key
from scanner.evidence.verify import Result, Step, verify_run
from scanner.interfaces import Signer
from scanner.records import decode, encode
from scanner.reports import FORMATS
from scanner.reports.toolchain import describe_fonts, describe_tools

QUICK = ("xlsx", "csv", "json")
"""
The formats that are drawn in a moment. The PDF takes seconds.
"""


class Key:
    """
    A key to sign with. See `Signer`.
    """

    def __init__(self) -> None:
        key = make_key("ed25519")
        self._signer = CryptoSigner(key, describe_key(check_key(key.public_key())))
        self.key_id = identify_key(key.public_key())
        self.public = write_public(key)

    def attest(self, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
        """
        Sign a statement. See `Signer.attest`.
        """
        return attest(self._signer, name, content, facts)


def draw(folder: Path, formats: Iterable[str] = QUICK, signer: Signer | None = None) -> Path:
    """
    Draw a sealed run's documents and list them, and return its folder.
    """
    reports = folder / "reports"
    reports.mkdir(mode=0o700, exist_ok=True)
    run = StoredRun(folder)
    drawn = [path for name in formats for path in FORMATS[name](run, reports)]
    if not drawn:
        reports.rmdir()
    made_with = describe_tools() | describe_fonts(drawn)
    write_documents(folder, list_documents(folder, drawn, made_with), signer)
    return folder


def write_full(parent: Path, signer: Signer | None = None) -> Path:
    """
    Write a run with a file of every kind, after another one, and return its folder. Its PDF is made up.
    """
    before = Folder(parent, "20260824T090000Z", STARTED - timedelta(days=92))
    before.reports[ACCOUNT].append(user_row("bob", **OPEN))
    draw(before.fill().finish().folder, ())
    run = Folder(parent)
    run.reports[ACCOUNT].append(user_row("eve", **OPEN))
    run.fill().follow(before.path)
    run.put("inputs/settings.toml", b"[scan]\nperiod = '2026-Q4'\n")
    run.put("inputs/acceptances.yaml", b"format: 1\nacceptances: []\n")
    made = f"{MADE - timedelta(days=700):%Y-%m-%dT%H:%M:%SZ}"
    users = [{"UserName": name, "CreateDate": made} for name in ("ann", "eve")]
    run.put_for(ACCOUNT, "users.json", {"Users": users})
    arn = f"arn:aws:iam::{ACCOUNT}:user/eve"
    answers = {
        LIST_MFA_DEVICES: {"answer": {"MFADevices": []}},
        GET_LOGIN_PROFILE: {"answer": {"LoginProfile": {}}},
        LIST_USER_TAGS: {"answer": {"Tags": []}},
    }
    run.put_for(ACCOUNT, live_file(arn), {"arn": arn, "answers": answers})
    run.finish()
    if signer is not None:
        seal_again(run.path, signer)
    draw(run.path)
    (run.path / "reports" / "orgproof-2026-Q4.pdf").write_bytes(b"%PDF-1.7 made up")
    list_again(run.path, signer)
    return run.path


def seal_again(folder: Path, signer: Signer | None = None) -> None:
    """
    Seal a run anew, as a forger does who knows how.
    """
    for name in (MANIFEST, CHECKSUMS, SIGNATURE):
        (folder / name).unlink(missing_ok=True)
    seal(Store(folder), read_summary(folder / "summary.json"), signer)


def list_again(
    folder: Path, signer: Signer | None = None, made_with: Mapping[str, str] | None = None
) -> None:
    """
    List the documents that lie in a run anew, made with what they were made with unless it is given.
    """
    if made_with is None:
        made_with = read_list(folder).made_with
    for name in (DOCUMENTS, DOCUMENTS_SIGNATURE):
        (folder / name).unlink(missing_ok=True)
    documents = sorted((folder / "reports").iterdir())
    write_documents(folder, list_documents(folder, documents, made_with), signer)


def read_list(folder: Path) -> DocumentList:
    """
    Return the list of documents as it lies in a run.
    """
    return decode(DocumentList, (folder / DOCUMENTS).read_bytes(), DOCUMENTS)


def derive_again(folder: Path) -> None:
    """
    Derive a run's tables and totals anew from what lies in `raw/` now.
    """
    shutil.rmtree(folder / "tables")
    (folder / "summary.json").write_bytes(encode(derive_tables(folder)))


def draw_again(folder: Path, formats: Iterable[str] = QUICK) -> None:
    """
    Draw a run's documents anew.
    """
    shutil.rmtree(folder / "reports")
    for name in (DOCUMENTS, DOCUMENTS_SIGNATURE):
        (folder / name).unlink(missing_ok=True)
    draw(folder, formats)


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    """
    Change a file's bytes, and make sure that they changed.
    """
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before


def take(folder: Path, number: int | None = None, **options: object) -> list[Step]:
    """
    Take the first steps of a verification, all of them by default.
    """
    steps = []
    for step in verify_run(folder, **options):  # type: ignore[arg-type] # what the test gives
        steps.append(step)
        if step.number == number:
            break
    return steps


def failed(steps: Iterable[Step]) -> dict[str, str]:
    """
    Return the steps that failed by title, each with its faults as one text.
    """
    return {step.title: "\n".join(step.faults) for step in steps if step.result is Result.FAILED}
