"""
Going on with a run that was stopped: what it lacks, and what may be cleared away to finish it.

Raw answers and inputs are never removed. What is derived from them and was not sealed yet is: it is derived
again.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import EvidenceError, SealError, SettingsError
from scanner.evidence.accounts import read_account
from scanner.evidence.inputs import CONTINUES_FILE
from scanner.evidence.run import SETTINGS_JSON, StoredRun
from scanner.evidence.seal import (
    CHECKSUMS,
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    SIGNATURE,
    list_sealed,
)
from scanner.evidence.sittings import name_answer, name_began
from scanner.evidence.store import (
    PARTIAL,
    Store,
    hash_bytes,
    list_names,
    make_folder,
    read_file,
)
from scanner.model import (
    Account,
    AccountOutcome,
    NotCollected,
    Organization,
    ReasonCode,
    Terms,
)
from scanner.organization import (
    ACCOUNTS_FILE,
    ANSWERS,
    FEATURES_FILE,
    TAGS_FILE,
    UNITS_FILE,
    leave_out,
    read_answers,
)
from scanner.records import decode, encode
from scanner.summary import PreviousRun

LASTING = frozenset(
    {
        ReasonCode.ACCESS_DENIED,
        ReasonCode.SCP_DENIED,
        ReasonCode.MALFORMED_REPORT,
        ReasonCode.WRONG_ACCOUNT,
    }
)
"""
Reasons that stay until somebody acts, so trying again by itself would fail again. All others pass.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """
    What a run was to do, as its folder tells: its terms, and the organization it listed.
    """

    folder: Path
    terms: Terms
    organization: Organization


def read_task(folder: Path) -> Task:
    """
    Read what a run was to do, or raise `SettingsError` for what is no run, `EvidenceError` for a damaged one.
    """
    terms = read_terms(folder)
    answers = {name: read_file(folder / "raw" / name) for name in ANSWERS}
    return Task(folder, terms, read_answers(answers))


def read_terms(folder: Path) -> Terms:
    """
    Read the terms of a run, whose account list may not be whole yet. Raises as `read_task` does.
    """
    if not (folder / "raw" / name_began(1)).is_file():
        raise SettingsError(
            f"{folder}: is no run folder, or one derived from a run; give the folder of a run"
        )
    settings = f"inputs/{SETTINGS_JSON}"
    return decode(Terms, read_file(folder / settings), settings)


def is_listed(folder: Path) -> bool:
    """
    Tell whether a run has its whole account list: that is written once all else about the organization is.
    """
    return (folder / "raw" / ACCOUNTS_FILE).is_file()


def set_listing_aside(folder: Path, sitting: int) -> None:
    """
    Keep what a sitting stored of a list that never became whole under that sitting's number.
    """
    for name in (UNITS_FILE, FEATURES_FILE, TAGS_FILE):
        _rename(folder / "raw" / name, folder / "raw" / name_answer(sitting, name))


def set_strangers_aside(raw: Path, organization: Organization, sitting: int) -> None:
    """
    Keep what earlier sittings read of accounts that are not in the list of this one, such as one that left meanwhile.

    It goes to `raw/unlisted/<sitting>/`.
    """
    listed = {account.id for account in organization.accounts}
    for name in list_names(raw):
        if name.isdecimal() and name not in listed:
            _rename(raw / name, raw / "unlisted" / str(sitting) / name)


def _rename(path: Path, target: Path) -> None:
    if not path.exists():
        return
    try:
        make_folder(target.parent)
        path.rename(target)
    except OSError as exc:
        raise EvidenceError(f"{target}: cannot be made: {exc.strerror}") from exc


def list_selected(organization: Organization, terms: Terms) -> list[Account]:
    """
    Return the accounts that a run is to read, by id.
    """
    return [
        account for account in organization.accounts if leave_out(account, terms.selection) is None
    ]


def list_missing(task: Task, *, retry_failed: bool) -> list[Account]:
    """
    Return the accounts to be read again: those without an outcome, and those that failed for a passing reason.

    With `retry_failed` all that failed, whatever the reason.
    """
    missing = []
    for account in list_selected(task.organization, task.terms):
        folder = task.folder / "raw" / account.id
        match read_account(folder, account, task.terms, task.organization).outcome:
            case NotCollected(outcome=AccountOutcome.NOT_COLLECTED, reason_code=code) if (
                retry_failed or code not in LASTING
            ):
                missing.append(account)
    return missing


def is_sealed(folder: Path) -> bool:
    """
    Tell whether a run is sealed: its manifest is written last.
    """
    return (folder / MANIFEST).is_file()


def check_unsealed(folder: Path) -> None:
    """
    Raise `SealError` when a run without a manifest was sealed once, or is not what it was about to be sealed as.

    Documents are made after the manifest, so where they are, somebody took it away; and what half a seal lists
    was not touched since, unless by somebody else.
    """
    for name in (DOCUMENTS, DOCUMENTS_SIGNATURE, "reports", "derived"):
        if (folder / name).exists():
            raise SealError(
                f"{folder}: {MANIFEST} is missing, and {name} is only made after it, so this run was sealed and "
                "is not whole any more; put the manifest back"
            )
    if not (folder / CHECKSUMS).exists():
        return
    for line in read_file(folder / CHECKSUMS).decode("utf-8", "replace").splitlines():
        sha256, _, name = line.partition("  ")
        if name.startswith(("raw/", "inputs/")) and hash_bytes(read_file(folder / name)) != sha256:
            raise SealError(f"{folder / name}: is not the file that was to be sealed")


def clear_partial(folder: Path) -> None:
    """
    Remove what broken writes left in a run folder that nobody else works in.

    Files and derived folders that never got their names, and folders without any file: no manifest could list
    them.
    """
    for left in (folder / "derived").glob(f".*{PARTIAL}"):
        _remove(left)
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            if name.startswith(".") and name.endswith(PARTIAL):
                _remove(Path(parent, name))
        with suppress(OSError):
            Path(parent).rmdir()  # refused while there is anything in it


def clear_derived(folder: Path) -> None:
    """
    Remove what was derived in a run that is not sealed: tables, totals, and half a seal.
    """
    for name in ("tables", "summary.json", CHECKSUMS, SIGNATURE):
        _remove(folder / name)


def take_over(folder: Path, store: Store) -> None:
    """
    Copy a sealed run's raw answers and inputs into a new run, which will say whom it continues.

    Each file is held against the sealed run's manifest. Raises `EvidenceError` where one differs.
    """
    run = StoredRun(folder)
    for name, sha256 in list_sealed(folder).items():
        if name.startswith(("raw/", "inputs/")) and name != f"inputs/{CONTINUES_FILE}":
            content = read_file(folder / name)
            if hash_bytes(content) != sha256:
                raise EvidenceError(f"{folder / name}: is not the file that was sealed")
            store.write(name, content)
    summary = run.summary
    parent = PreviousRun(
        summary.run_id, summary.period, summary.window.started, run.manifest_sha256
    )
    store.write(f"inputs/{CONTINUES_FILE}", encode(parent))


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as exc:
        raise EvidenceError(f"{path}: cannot be removed: {exc.strerror}") from exc
