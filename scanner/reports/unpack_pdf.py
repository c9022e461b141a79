"""
Takes text and files out of a PDF that nobody has reason to trust, and says what it does. Runs as a program, confined.

    python unpack_pdf.py main SEAL < orgproof-2026-Q4.pdf
    python unpack_pdf.py annex SEAL < orgproof-2026-Q4-annex-01.pdf
    python unpack_pdf.py text SEAL PAGES < orgproof-2026-Q4.pdf
    python unpack_pdf.py revision LENGTH < signed.pdf

It prints one JSON object, with `problem` where the document cannot be read. As `scanner.reports.unpack` does, it
imports nothing of ours.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

TEXT_PAGES = 8
"""
Of how many of a PDF's first pages the text is read at first: its totals stand there. A page takes 50 ms.
"""

ANNEX_PAGES = 2
"""
Of how many of an annex volume's first pages the text is read at first: it says there what it holds.
"""

_STRANGE_SHOWN = 20
_CATALOG = frozenset(
    [
        "/Type",
        "/Version",
        "/Pages",
        "/PageLabels",
        "/Names",
        "/Dests",
        "/ViewerPreferences",
        "/PageLayout",
        "/PageMode",
        "/Outlines",
        "/Metadata",
        "/StructTreeRoot",
        "/MarkInfo",
        "/Lang",
        "/OutputIntents",
        "/AF",
    ]
)
_ACTIONS = ("/OpenAction", "/AA")
"""
These are told of apart from what else is strange.
"""

_SIGNATURE = frozenset(("/AcroForm", "/Perms", "/Extensions", "/DSS"))
"""
What a signature adds to the catalog.
"""

_NAMES = frozenset(("/EmbeddedFiles", "/Dests"))
_PAGE = frozenset(
    [
        "/Type",
        "/Parent",
        "/Contents",
        "/Resources",
        "/MediaBox",
        "/BleedBox",
        "/TrimBox",
        "/Annots",
        "/Tabs",
        "/StructParents",
        "/Group",
    ]
)
_LINK = frozenset(
    [
        "/Type",
        "/Subtype",
        "/Rect",
        "/Dest",
        "/A",
        "/F",
        "/BS",
        "/Border",
        "/Contents",
        "/StructParent",
        "/P",
        "/NM",
        "/C",
        "/H",
    ]
)
_SIGNED = frozenset(
    ["/Type", "/Subtype", "/FT", "/T", "/TU", "/F", "/Rect", "/P", "/V", "/Lock", "/SV", "/Ff"]
)


class DocumentError(Exception):
    """
    That a document cannot be read, or holds what orgproof never writes.
    """


def main() -> None:
    """
    Read standard input, and print what was found as JSON.
    """
    kind, *words = sys.argv[1:]
    try:
        with open(0, "rb", closefd=False) as file:
            found = _READERS[kind](file, words)
    except DocumentError as exc:
        found = {"problem": str(exc)}
    except (MemoryError, RecursionError):
        sys.exit(3)
    except Exception as exc:  # noqa: BLE001 - pypdf raises anything on damaged files
        found = {"problem": f"cannot be read ({type(exc).__name__})"}
    sys.stdout.write(json.dumps(found))


def _open(file: BinaryIO) -> Any:  # noqa: ANN401 - pypdf's reader, which is imported where it is confined
    from pypdf import PdfReader  # noqa: PLC0415 - see above

    reader = PdfReader(file)
    if reader.is_encrypted:
        raise DocumentError("is encrypted")
    return reader


def read_pdf(file: BinaryIO, seal: str, pages: int) -> dict[str, Any]:
    """
    Return the text of a PDF's first `pages` pages and its last, what is attached, and what it does.

    `lacking` holds the pages that were read on which the seal is missing, `miscounted` those that do not say which
    page of how many they are. `actions` and `strange` tell of every page what orgproof's documents never have.
    """
    reader = _open(file)
    number = len(reader.pages)
    # The last page too: whoever cuts a document short, or adds to it, changes that one.
    read = _read_pages(reader, sorted({*range(min(number, pages)), number - 1}), seal)
    attached = {
        name[:200]: [
            {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for content in contents
        ]
        for name, contents in reader.attachments.items()
    }
    strange = [words for words, _ in zip(list_strange(reader), range(_STRANGE_SHOWN), strict=False)]
    return {
        **read,
        "attached": attached,
        "actions": _list_actions(reader.root_object),
        "strange": [words[:200] for words in strange],
    }


def read_text(file: BinaryIO, seal: str, pages: int) -> dict[str, Any]:
    """
    Read the text of so many pages, and return what `read_pdf` says of them, without the text.
    """
    reader = _open(file)
    read = _read_pages(reader, range(min(len(reader.pages), pages)), seal)
    return {**read, "texts": []}


def _read_pages(reader: Any, indexes: Iterable[int], seal: str) -> dict[str, Any]:  # noqa: ANN401 - as above
    number = len(reader.pages)
    texts, lacking, miscounted = [], [], []
    for index in indexes:
        text = reader.pages[index].extract_text()[:100_000]
        texts.append(text)
        squeezed = "".join(text.split())
        if seal not in squeezed:
            lacking.append(index + 1)
        if f"Page{index + 1}of{number}" not in squeezed:
            miscounted.append(index + 1)
    return {"pages": number, "texts": texts, "lacking": lacking, "miscounted": miscounted}


def _list_actions(catalog: Any) -> list[str]:  # noqa: ANN401 - as above
    # A destination to open at is a list, and does nothing.
    return [name for name in _ACTIONS if name in catalog and not isinstance(catalog[name], list)]


def list_strange(reader: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """
    Yield what a PDF has that orgproof never writes and that acts, leads elsewhere, or lies over a page.
    """
    catalog = reader.root_object
    form = _look(catalog, "/AcroForm")
    is_signed = isinstance(form, dict) and _is_signature_alone(form)
    known = _CATALOG | {*_ACTIONS} | (_SIGNATURE if is_signed else set())
    yield from (f"{name} in its catalog" for name in sorted(catalog.keys() - known))
    names = _look(catalog, "/Names")
    if isinstance(names, dict):
        yield from (f"{name} among its names" for name in sorted(names.keys() - _NAMES))
    yield from _judge_outline(_look(catalog, "/Outlines"))
    for number, page in enumerate(reader.pages, 1):
        yield from (f"{name} on page {number}" for name in sorted(page.keys() - _PAGE))
        for reference in _look(page, "/Annots") or ():
            if fault := _judge_annotation(reference.get_object()):
                yield f"{fault} on page {number}"


def _look(values: Any, name: str) -> Any:  # noqa: ANN401 - as above
    return values[name].get_object() if name in values else None


def _is_signature_alone(form: Any) -> bool:  # noqa: ANN401 - as above
    fields = [field.get_object() for field in _look(form, "/Fields") or ()]
    return form.keys() <= {"/Fields", "/SigFlags"} and all(
        field.get("/FT") == "/Sig" and field.keys() <= _SIGNED for field in fields
    )


def _judge_outline(outline: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    waiting, seen = [outline], 0
    while waiting:
        entry = waiting.pop()
        if entry is None:
            continue
        seen += 1
        if seen > 1_000_000:
            raise DocumentError("has bookmarks without end")
        if "/A" in entry and (fault := _judge_action(_look(entry, "/A"))):
            yield f"a bookmark with {fault}"
        waiting += [_look(entry, "/Next"), _look(entry, "/First")]


def _judge_annotation(note: Any) -> str | None:  # noqa: ANN401 - as above
    kind = str(note.get("/Subtype"))
    if kind == "/Widget" and note.get("/FT") == "/Sig":
        left, bottom, right, top = (float(value) for value in _look(note, "/Rect"))
        # What nobody sees covers nothing.
        is_unseen = (left == right or bottom == top) and note.keys() <= _SIGNED
        return None if is_unseen else "a signature that covers something"
    if kind != "/Link":
        return f"an annotation ({kind})"
    if odd := sorted(note.keys() - _LINK):
        return f"a link with {odd[0]}"
    if "/A" in note and (fault := _judge_action(_look(note, "/A"))):
        return f"a link with {fault}"
    return None


def _judge_action(action: Any) -> str | None:  # noqa: ANN401 - as above
    if "/Next" in action:
        return "actions in a row"
    kind = action.get("/S")
    return None if kind == "/GoTo" else f"an action that leads elsewhere ({kind})"


def read_revision(file: BinaryIO, length: int) -> dict[str, Any]:
    """
    Say what follows a PDF's first `length` bytes: `is_signed`, and in `changed` whatever is no part of signing it.
    """
    content = file.read()
    before, after = _open(BytesIO(content[:length])), _open(BytesIO(content))
    changed = [
        f"another {name}"
        for name in ("/Root", "/Info")
        if _name_object(before.trailer, name) != _name_object(after.trailer, name)
    ]
    pages = {page.indirect_reference.idnum for page in before.pages}
    places = _list_places(before), _list_places(after)
    lists = _find_lists(before)
    for number in sorted(places[0]):
        if places[0][number] == places[1].get(number):
            continue
        old, new = _take_object(before, number), _take_object(after, number)
        if number == before.trailer.raw_get("/Root").idnum:
            is_fine = _is_same(old, new, _SIGNATURE)
        elif number in pages:
            is_fine = _is_same(old, new, {"/Annots"}) and _is_longer(old, new)
        else:
            is_fine = number in lists and _starts_with(new, old)
        if not is_fine:
            changed.append(f"object {number}")
    return {"is_signed": "/AcroForm" in after.root_object, "changed": changed[:_STRANGE_SHOWN]}


def _name_object(values: Any, name: str) -> str:  # noqa: ANN401 - as above
    return repr(_write(values.raw_get(name))) if name in values else ""


def _list_places(reader: Any) -> dict[int, tuple[int, ...]]:  # noqa: ANN401 - as above
    places: dict[int, tuple[int, ...]] = {}
    for generation, numbers in reader.xref.items():
        for number, offset in numbers.items():
            places[number] = (generation, offset)
    direct = dict(places)
    for number, (stream, index) in reader.xref_objStm.items():
        places[number] = (*direct.get(stream, ()), index, stream)
    return places


def _find_lists(reader: Any) -> set[int]:  # noqa: ANN401 - as above
    """
    Return the numbers of the objects that list a page's annotations: a signature's field is added to one.
    """
    found = (page.raw_get("/Annots") for page in reader.pages if "/Annots" in page)
    return {reference.idnum for reference in found if hasattr(reference, "idnum")}


def _take_object(reader: Any, number: int) -> Any:  # noqa: ANN401 - as above
    from pypdf.generic import IndirectObject  # noqa: PLC0415 - as above

    return reader.get_object(IndirectObject(number, 0, reader))


def _write(value: Any) -> bytes:  # noqa: ANN401 - as above
    content = BytesIO()
    value.write_to_stream(content)
    return content.getvalue()


def _is_same(old: Any, new: Any, beside: Iterable[str]) -> bool:  # noqa: ANN401 - as above
    if type(old) is not type(new) or not isinstance(old, dict):
        return False
    names = (old.keys() | new.keys()) - set(beside)
    return all(
        name in old and name in new and _name_object(old, name) == _name_object(new, name)
        for name in names
    )


def _is_longer(old: Any, new: Any) -> bool:  # noqa: ANN401 - as above
    return _starts_with(_look(new, "/Annots") or [], _look(old, "/Annots") or [])


def _starts_with(new: Any, old: Any) -> bool:  # noqa: ANN401 - as above
    if not (isinstance(new, list) and isinstance(old, list)):
        return False
    return [_write(entry) for entry in new[: len(old)]] == [_write(entry) for entry in old]


_READERS: dict[str, Callable[[BinaryIO, list[str]], dict[str, Any]]] = {
    "main": lambda file, words: read_pdf(file, words[0], TEXT_PAGES),
    "annex": lambda file, words: read_pdf(file, words[0], ANNEX_PAGES),
    "text": lambda file, words: read_text(file, words[0], int(words[1])),
    "revision": lambda file, words: read_revision(file, int(words[0])),
}


if __name__ == "__main__":
    main()
