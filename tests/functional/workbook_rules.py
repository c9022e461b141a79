"""
What Excel asks of a workbook that it is to open without repairing it, as far as orgproof's can break it.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZipFile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,254}")
SHEET_NAME = re.compile(r"(?!')[^\[\]:*?/\\]{1,31}(?<!')")


def find_faults(path: Path) -> list[str]:
    """
    Return what Excel would repair or refuse, nothing where it would open the workbook as it is.
    """
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name) for name in archive.namelist()}
    # Our own files, and no stranger's.
    trees = {name: ET.fromstring(content) for name, content in parts.items()}  # noqa: S314
    faults = [
        *_check_links(trees),
        *_check_types(trees),
        *_check_workbook(trees["xl/workbook.xml"]),
    ]
    formats = len(trees["xl/styles.xml"].findall(f"{MAIN}dxfs/{MAIN}dxf"))
    styles = len(trees["xl/styles.xml"].findall(f"{MAIN}cellXfs/{MAIN}xf"))
    tables: Counter[str] = Counter()
    ids: Counter[str] = Counter()
    for name, tree in trees.items():
        if name.startswith("xl/worksheets/sheet"):
            faults += [f"{name}: {fault}" for fault in _check_sheet(tree, formats, styles)]
            for table in _list_tables(name, tree, trees):
                tables[table.attrib["displayName"].lower()] += 1
                ids[table.attrib["id"]] += 1
                faults += [f"{name}: {fault}" for fault in _check_table(table, tree)]
    faults += [f"table {name} is there {n} times" for name, n in (tables + ids).items() if n > 1]
    return faults


def _find_rels(part: str, trees: dict[str, ET.Element]) -> dict[str, ET.Element]:
    folder, file = posixpath.split(part)
    rels = trees.get(posixpath.join(folder, "_rels", f"{file}.rels"))
    return {} if rels is None else {rel.attrib["Id"]: rel for rel in rels}


def _resolve(part: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(part), target)).lstrip("/")


def _check_links(trees: dict[str, ET.Element]) -> Iterator[str]:
    """
    Every relationship leads to a part or to an https address, and every use of one is declared.
    """
    for name, tree in trees.items():
        if name.endswith(".rels"):
            yield from (f"{name}: {fault}" for fault in _check_rels(name, tree, trees))
            continue
        known = _find_rels(name, trees)
        used = {
            element.attrib.get(f"{REL}{key}")
            for element in tree.iter()
            for key in ("id", "embed", "link")
        }
        yield from (f"{name}: {key} is not declared" for key in used if key and key not in known)


def _check_rels(name: str, tree: ET.Element, trees: dict[str, ET.Element]) -> Iterator[str]:
    folder, _, file = name.partition("_rels/")
    source = f"{folder}{file.removesuffix('.rels')}"
    if len({rel.attrib["Id"] for rel in tree}) != len(list(tree)):
        yield "an id is there twice"
    for rel in tree:
        target = rel.attrib["Target"]
        if rel.attrib.get("TargetMode") == "External":
            if not target.startswith("https://") or len(target) > 2_079:
                yield f"leads to {target[:80]}"
        elif _resolve(source, target) not in trees:
            yield f"{target} is not there"


def _check_types(trees: dict[str, ET.Element]) -> Iterator[str]:
    listed = {
        entry.attrib.get("PartName", "").lstrip("/") for entry in trees["[Content_Types].xml"]
    }
    for name in trees:
        if not name.endswith((".rels", "[Content_Types].xml")) and name not in listed:
            yield f"{name}: has no content type"
    yield from (f"{name}: is typed and not there" for name in listed - {""} if name not in trees)


def _check_workbook(tree: ET.Element) -> Iterator[str]:
    names = [sheet.attrib["name"] for sheet in tree.iter(f"{MAIN}sheet")]
    if len({name.lower() for name in names}) != len(names):
        yield "two sheets have one name"
    yield from (f"sheet name {name!r}" for name in names if not SHEET_NAME.fullmatch(name))
    defined = [
        (d.attrib["name"], d.attrib.get("localSheetId")) for d in tree.iter(f"{MAIN}definedName")
    ]
    if len(set(defined)) != len(defined):
        yield "a defined name is there twice"
    for entry in tree.iter(f"{MAIN}definedName"):
        for title in re.findall(r"'([^']+)'!", entry.text or ""):
            if title not in names:
                yield f"defined name of sheet {title}"


ORDER = [
    "sheetPr",
    "dimension",
    "sheetViews",
    "sheetFormatPr",
    "cols",
    "sheetData",
    "sheetProtection",
    "autoFilter",
    "mergeCells",
    "conditionalFormatting",
    "dataValidations",
    "hyperlinks",
    "printOptions",
    "pageMargins",
    "pageSetup",
    "headerFooter",
    "drawing",
    "legacyDrawing",
    "tableParts",
]


def _check_sheet(tree: ET.Element, formats: int, styles: int) -> Iterator[str]:
    order = [ORDER.index(child.tag.removeprefix(MAIN)) for child in tree]
    if order != sorted(order):
        yield "elements stand in a wrong order"
    rows = [int(row.attrib["r"]) for row in tree.iter(f"{MAIN}row")]
    if rows != sorted(set(rows)) or rows[-1:] > [1_048_576]:
        yield "rows are out of order"
    yield from _check_cells(tree, styles)
    yield from _check_rules(tree, formats)
    yield from _check_sizes(tree)
    links = [link.attrib["ref"] for link in tree.iter(f"{MAIN}hyperlink")]
    if len(links) > 65_530 or len(set(links)) != len(links):
        yield "too many links, or two on one cell"
    for part in ("oddHeader", "oddFooter"):
        if len(tree.findtext(f".//{MAIN}{part}") or "") > 255:
            yield f"{part} is too long"


def _check_sizes(tree: ET.Element) -> Iterator[str]:
    if any(float(row.attrib.get("ht", "0")) > 409 for row in tree.iter(f"{MAIN}row")):
        yield "a row is too high"
    if any(float(column.attrib["width"]) > 255 for column in tree.iter(f"{MAIN}col")):
        yield "a column is too wide"
    if any(len(link.attrib.get("location", "")) > 2_084 for link in tree.iter(f"{MAIN}hyperlink")):
        yield "a link leads too far"


def _check_cells(tree: ET.Element, styles: int) -> Iterator[str]:
    for cell in tree.iter(f"{MAIN}c"):
        text = "".join(cell.itertext())
        if len(text.encode("utf-16-le")) // 2 > 32_767:
            yield f"{cell.attrib['r']}: is too long"
        if int(cell.attrib.get("s", "0")) >= styles:
            yield f"{cell.attrib['r']}: has no such style"
        if cell.attrib.get("t") == "b" and cell.findtext(f"{MAIN}v") not in {"0", "1"}:
            yield f"{cell.attrib['r']}: is neither true nor false"


def _check_rules(tree: ET.Element, formats: int) -> Iterator[str]:
    priorities = [rule.attrib["priority"] for rule in tree.iter(f"{MAIN}cfRule")]
    if len(set(priorities)) != len(priorities):
        yield "two rules have one priority"
    for rule in tree.iter(f"{MAIN}cfRule"):
        if int(rule.attrib["dxfId"]) >= formats:
            yield "a rule has no such format"
    limits = {"prompt": 255, "error": 255, "promptTitle": 32, "errorTitle": 32}
    for rule in tree.iter(f"{MAIN}dataValidation"):
        long = [key for key, most in limits.items() if len(rule.attrib.get(key, "")) > most]
        if long or len(rule.findtext(f"{MAIN}formula1") or "") > 255:
            yield "a validation says too much"


def _list_tables(name: str, tree: ET.Element, trees: dict[str, ET.Element]) -> Iterator[ET.Element]:
    known = _find_rels(name, trees)
    for part in tree.iter(f"{MAIN}tablePart"):
        yield trees[_resolve(name, known[part.attrib[f"{REL}id"]].attrib["Target"])]


def _check_table(table: ET.Element, tree: ET.Element) -> Iterator[str]:
    name = table.attrib["displayName"]
    if not TABLE_NAME.fullmatch(name) or re.fullmatch(r"[A-Za-z]{1,3}[0-9]+", name):
        yield f"table name {name!r}"
    row = next(iter(tree.iter(f"{MAIN}row")))
    header = ["".join(cell.itertext()) for cell in row]
    columns = [column.attrib["name"] for column in table.iter(f"{MAIN}tableColumn")]
    if columns != header or any(cell.attrib.get("t") not in {"inlineStr", "s"} for cell in row):
        yield f"table {name}: its columns are not its header"
    if max(map(len, columns)) > 255:
        yield f"table {name}: a column's name is too long"
    if len({column.lower() for column in columns}) != len(columns):
        yield f"table {name}: two columns have one name"
    ids = [column.attrib["id"] for column in table.iter(f"{MAIN}tableColumn")]
    if len(set(ids)) != len(ids):
        yield f"table {name}: two columns have one id"
    filters = table.find(f"{MAIN}autoFilter")
    last = list(tree.iter(f"{MAIN}row"))[-1].attrib["r"]
    letters = re.sub(r"[0-9]", "", row[-1].attrib["r"])
    if filters is None or not filters.attrib["ref"] == table.attrib["ref"] == f"A1:{letters}{last}":
        yield f"table {name}: reaches over {table.attrib['ref']}"
