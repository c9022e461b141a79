"""
A finished run's documents: drawn, drawn once more, and drawn anew after judging by other catalogs or acceptances.

All from stored evidence alone. What a sealed run lists never changes: later documents go into `derived/<time>/`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanner import __version__
from scanner.acceptances import AcceptanceFile
from scanner.errors import SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.derived import seal_derived, stage_derived
from scanner.evidence.documents import (
    Comparison,
    clear_documents,
    compare_documents,
    list_documents,
    write_documents,
)
from scanner.evidence.inputs import ACCEPTANCES_FILE, NOTES_FILE
from scanner.evidence.replay import derive_tables
from scanner.evidence.resumption import clear_partial
from scanner.evidence.run import SETTINGS_JSON, is_catalog, name_catalogs
from scanner.evidence.seal import DOCUMENTS, check_seal
from scanner.evidence.store import hold, make_folder
from scanner.frameworks import Framework
from scanner.interfaces import Clock, Signer
from scanner.model import Notes, Terms
from scanner.records import decode, encode, write_moment
from scanner.summary import Summary

Renderer = Callable[[StoredRun, Path], list[Path]]
"""
Draws one kind of document from a finished run into a folder, and returns the files it wrote.
"""


Beside = Callable[
    [StoredRun, Path, Collection[str]],
    AbstractContextManager[Mapping[str, Callable[[], list[Path]]]],
]
"""
Begins some of these formats' documents in other processes, and gives, by format, what waits for its files.
"""


def begin_nothing(
    _run: StoredRun, _folder: Path, _formats: Collection[str]
) -> AbstractContextManager[Mapping[str, Callable[[], list[Path]]]]:
    """
    Leave every document to this process. See `Beside`.
    """
    return nullcontext({})


@dataclass(frozen=True, slots=True)
class Press:
    """
    What documents are drawn with: a renderer for each format.

    `describe_tools` names the programs, libraries and fonts behind documents, with their versions. `compare` says how
    a document differs from an earlier one, None where only its bytes do. `signer` signs their list. `drawing` is told
    of each format before its documents are drawn. See `Progress.drawing`. `beside` begins what other processes draw
    meanwhile. `extras` says of which formats a document
    holds more than the run, and what: it is never drawn into a run's own reports.
    """

    renderers: Mapping[str, Renderer]
    describe_tools: Callable[[Sequence[Path]], Mapping[str, str]]
    compare: Callable[[Path, Path], str | None]
    signer: Signer | None = None
    drawing: Callable[[str, int, int], None] = lambda _name, _number, _total: None
    beside: Beside = begin_nothing
    extras: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """
    What a scan or a judgement leaves: the folder, its totals, and the documents drawn from it.
    """

    folder: Path
    summary: Summary
    documents: tuple[Path, ...]


def render(folder: Path, press: Press) -> tuple[Path, ...]:
    """
    Draw a sealed run's documents into its `reports/` folder and list them in `documents.json`.

    What an earlier attempt drew and never listed is drawn anew.
    """
    clear_documents(folder)
    documents = _draw(StoredRun(folder), folder / "reports", press)
    listed = list_documents(folder, documents, press.describe_tools(documents))
    write_documents(folder, listed, press.signer)
    return documents


def render_again(folder: Path, press: Press, clock: Clock) -> "Redrawn":
    """
    Draw documents from a finished run once more. Nothing that is listed already is changed.

    Into `reports/` when the run lists no documents; else into `derived/<time>/`, with a manifest of its own
    that names the run, and compared with those that the run lists. Raises `EvidenceError` when the evidence is
    not what was sealed.
    """
    check_seal(folder)
    if not (folder / DOCUMENTS).exists():
        if press.extras:
            raise SettingsError(
                f"{folder}: its own documents were not drawn yet, and they hold the run alone; draw them first "
                "with `orgproof render RUN`"
            )
        if StoredRun(folder).signed_by and press.signer is None:
            raise SettingsError(
                f"{folder}: is signed, and so must the list of its documents be; draw them with "
                "`orgproof scan --resume` and the key"
            )
        with hold(folder):
            clear_partial(folder)
            return Redrawn(render(folder, press), None)
    now = clock.now()
    with stage_derived(folder, now) as store:
        drawn = _draw(StoredRun(folder), store.folder, press)
        made_with = press.describe_tools(drawn)
        facts = {"kind": "documents", "drawn": write_moment(now), "made_with": dict(made_with)}
        seal_derived(store.folder, folder, facts | _list_extras(press))
        # A document that holds more than the run cannot be the one that the run lists.
        alike = [path for path in drawn if path.suffix[1:] not in press.extras]
        comparison = compare_documents(folder, alike, made_with, press.compare) if alike else None
        names = [path.name for path in drawn]
    return Redrawn(tuple(store.folder / name for name in names), comparison)


def judge_again(
    folder: Path,
    frameworks: tuple[Framework, ...] | None,
    acceptances: AcceptanceFile | None,
    press: Press,
    clock: Clock,
) -> Finished:
    """
    Judge a finished run's raw answers again, by other catalogs or acceptances, and draw its documents.

    All of it goes into `derived/<time>/`, with its own manifest, which names the run; the run itself stays
    as it was. None leaves the run's own frameworks or acceptances in force; acceptances are held to the
    day of this judgement. Raises `EvidenceError` when the evidence is not what was sealed.
    """
    if not (folder / "raw").is_dir():
        raise SettingsError(
            f"{folder}: holds no raw reports, for it was derived from a run; give the run itself"
        )
    check_seal(folder, with_raw=True)
    now = clock.now()
    run = StoredRun(folder)
    inputs = run.read_inputs()
    if frameworks is not None:
        inputs = {name: content for name, content in inputs.items() if not is_catalog(name)}
        terms = decode(Terms, inputs[SETTINGS_JSON], f"inputs/{SETTINGS_JSON}")
        names = tuple(framework.id for framework in frameworks)
        inputs[SETTINGS_JSON] = encode(replace(terms, frameworks=names))
        inputs |= name_catalogs(frameworks)
    if acceptances is not None:
        inputs[ACCEPTANCES_FILE] = acceptances.source
    notes = decode(Notes, inputs[NOTES_FILE], f"inputs/{NOTES_FILE}")
    inputs[NOTES_FILE] = encode(replace(notes, judged=now))
    facts = {
        "kind": "judgement",
        "judged": write_moment(now),
        "tool": {"name": "orgproof", "version": __version__},
    }
    with stage_derived(folder, now) as store:
        for name, content in inputs.items():
            store.write(f"inputs/{name}", content)
        summary = derive_tables(
            store.folder,
            raw=folder / "raw",
            parent=run.manifest_sha256,
            run_id=run.summary.run_id,
        )
        store.write("summary.json", encode(summary))
        seal_derived(store.folder, folder, facts | _list_extras(press))
        documents = [path.name for path in render(store.folder, press)]
    reports = store.folder / "reports"
    return Finished(store.folder, summary, tuple(reports / name for name in documents))


@dataclass(frozen=True, slots=True)
class Redrawn:
    """
    Documents drawn once more, and how they compare; None when there was nothing to compare them with.
    """

    documents: tuple[Path, ...]
    comparison: Comparison | None


def _list_extras(press: Press) -> dict[str, object]:
    return {name: fact for facts in press.extras.values() for name, fact in facts.items()}


def _draw(run: StoredRun, folder: Path, press: Press) -> tuple[Path, ...]:
    make_folder(folder)
    drawn: list[Path] = []
    with press.beside(run, folder, press.renderers) as begun:
        for number, (name, draw) in enumerate(press.renderers.items(), 1):
            press.drawing(name, number, len(press.renderers))
            drawn += begun[name]() if name in begun else draw(run, folder)
    return tuple(drawn)
