"""
What the PDF carries inside it, so that the document alone is enough to check the evidence behind it.

The run folder's own files are attached byte for byte. The two tables are the same bytes as the CSV
documents. A table too large to be sent around with a PDF stays outside, and the PDF says where it is.
"""

from dataclasses import dataclass

from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.evidence.store import hash_bytes, read_file
from scanner.reports.csv_files import draw_table

TABLE_LIMIT = 16 * 1024 * 1024
"""
How many bytes a table may have that is attached: about 30,000 findings, or a megabyte inside the PDF.
"""

_JSON, _CSV, _TEXT = "application/json", "text/csv", "text/plain"
_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.dsse.json"

# ISO 19005-3 knows Source, Data, Alternative, Supplement and Unspecified.
_DATA, _SUPPLEMENT = "Data", "Supplement"


@dataclass(frozen=True, slots=True)
class Attached:
    """
    One file inside the PDF. `relationship` is the PDF's word for what it is to the pages.
    """

    name: str
    content: bytes
    kind: str
    relationship: str
    description: str

    @property
    def size(self) -> int:
        """
        How many bytes it has.
        """
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Attachments:
    """
    The files inside the PDF, sorted by name, and the tables that were too large, with the reason.
    """

    files: tuple[Attached, ...]
    left_out: tuple[tuple[str, str], ...]


def collect_attachments(run: StoredRun) -> Attachments:
    """
    Return what is attached to a run's PDF.

    Raises `EvidenceError` when a file cannot be read, or the manifest is no longer the one that was sealed.
    """
    files = [
        _take(run, "summary.json", _JSON, _DATA, "The totals that the pages print"),
        _take(run, _MANIFEST, _JSON, _SUPPLEMENT, "The sealed list of every file of the evidence"),
        _take(run, "SHA256SUMS", _TEXT, _SUPPLEMENT, "The same list for sha256sum --check"),
    ]
    if hash_bytes(files[1].content) != run.manifest_sha256:
        raise EvidenceError(f"{run.folder / _MANIFEST}: changed while documents were drawn")
    if run.signed_by is not None:
        about = "The signature over manifest.json, a DSSE envelope"
        files.append(_take(run, _SIGNATURE, _ENVELOPE, _SUPPLEMENT, about))
    left_out = []
    for table, about in (("findings", "Every finding"), ("accounts", "Every account listed")):
        content = draw_table(run, table, TABLE_LIMIT)
        if content is None:
            left_out.append((f"{table}.csv", _explain_size(table)))
        else:
            description = f"{about}, as a table in UTF-8"
            files.append(Attached(f"{table}.csv", content, _CSV, _DATA, description))
    # Names in a PDF's name tree stand in the order of their bytes.
    ordered = sorted(files, key=lambda file: file.name.encode())
    return Attachments(tuple(ordered), tuple(left_out))


def _take(run: StoredRun, name: str, kind: str, relationship: str, description: str) -> Attached:
    return Attached(name, read_file(run.folder / name), kind, relationship, description)


def _explain_size(table: str) -> str:
    return (
        f"not attached, for it is larger than {TABLE_LIMIT // 1024**2} MiB. `orgproof render RUN --format csv` "
        f"writes it, and tables/{table}.parquet of the run folder holds the same rows"
    )
