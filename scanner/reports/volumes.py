"""
The PDFs of a run: the main document and, where it does not hold everything, its annex volumes.

The volumes are printed in processes of their own while this one prints the main document. Each document is written
when it is whole, and signed here: no key leaves this process.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.interfaces import PdfSigner
from scanner.reports.annexes import Annexes, plan_annexes
from scanner.reports.naming import claim, name_document
from scanner.reports.pages import build_pages
from scanner.reports.pdf import print_document
from scanner.reports.presses import Job, Presses, choose_processes
from scanner.reports.volume_pages import build_volumes

_TEMPLATE = "annex.html"


def render_documents(
    run: StoredRun, folder: Path, sign: PdfSigner | None, *, processes: int | None = None
) -> list[Path]:
    """
    Write a run's PDFs and return their paths, the main document first. See `scanner.reports.pdf.render_pdf`.
    """
    annexes = plan_annexes(run)
    main = claim(folder / name_document(run.summary, "pdf"))
    rows = sum(volume.findings + len(volume.ledger) for volume in annexes.volumes)
    if processes is None:
        processes = choose_processes(len(annexes.volumes), rows)
    with ExitStack() as stack:
        volumes = print_volumes(run, annexes, processes, stack)
        _write(main, _print_main(run), sign)
        paths = [main]
        for name, take in volumes:
            path = claim(folder / name)
            _write(path, take(), sign)
            paths.append(path)
    return paths


def _print_main(run: StoredRun) -> bytes:
    pages = build_pages(run)
    return print_document(
        "report.html",
        pages,
        identifier=run.manifest_sha256,
        moment=run.summary.window.finished,
        attached=pages["attached"].files,
    )


def print_volumes(
    run: StoredRun, annexes: Annexes, processes: int, stack: ExitStack
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """
    Return the volumes' names, each with what waits for its bytes. With processes they are begun at once.
    """
    jobs = (
        Job(
            name,
            _TEMPLATE,
            values,
            hashlib.sha256(f"{run.manifest_sha256} {name}".encode()).hexdigest(),
            run.summary.window.finished,
        )
        for name, values in build_volumes(run, annexes)
    )
    if not processes:
        return ((job.name, lambda job=job: _print(job)) for job in jobs)  # type: ignore[misc]
    presses = stack.enter_context(Presses(processes))
    return iter([(job.name, presses.print(job).result) for job in jobs])


def _print(job: Job) -> bytes:
    return print_document(job.template, job.values, identifier=job.identifier, moment=job.moment)


def _write(path: Path, content: bytes, sign: PdfSigner | None) -> None:
    with create_file(path) as file:
        file.write(content if sign is None else sign(content))
