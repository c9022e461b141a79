"""
Control catalog file to framework, or a `CatalogError` that lists everything wrong with it.

A catalog is one YAML file for one edition of one framework, named by its id. It maps controls to
checks. A mapping is an aid for an assessor, not a determination.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scanner.checks import CHECKS, EVIDENCE_CHECKS, BoundCheck
from scanner.errors import CatalogError
from scanner.model import Relation, Verdict
from scanner.resources import find_resource
from scanner.strict_yaml import load_yaml, show_value
from scanner.summary import FrameworkRef

MAX_CATALOG_BYTES = 1024 * 1024
_ID = re.compile(r"^[a-z0-9][a-z0-9.-]*$")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True)


def _write_day(value: object) -> object:
    return value.isoformat() if type(value) is date else value


_Published = Annotated[
    str,
    BeforeValidator(_write_day),
    Field(pattern=r"^[12]\d{3}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"),
]
"""
A day, or where that is not known a month or a year: `2026-01-02`, `2026-01`, `"2026"`.
"""


class _MappingEntry(_Entry):
    check: str
    relation: Relation = Field(strict=False)
    parameters: dict[str, Any] = Field(default_factory=dict)
    because: str = Field(min_length=1)


class _ControlEntry(_Entry):
    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    requirement: str = Field(min_length=1)
    rationale: str = Field(min_length=1)
    cannot_show: list[str] = Field(min_length=1)
    notes: list[str] = Field(default_factory=list)
    sources: list[str] = Field(min_length=1)
    crosswalk: dict[str, list[str]] = Field(default_factory=dict)
    checks: list[_MappingEntry]
    not_tested: str | None = Field(default=None, min_length=1)


class _GapEntry(_Entry):
    ids: list[str] = Field(min_length=1)
    because: str = Field(min_length=1)


class _ScopeEntry(_Entry):
    of: str = Field(min_length=1)
    must_be_declared: bool
    because: str = Field(min_length=1)


class _WordingEntry(_Entry):
    """
    The framework's own words for each verdict.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        str_strip_whitespace=True,
        validate_by_alias=True,
    )

    pass_: str = Field(alias="pass", min_length=1)
    fail: str = Field(min_length=1)
    unknown: str = Field(min_length=1)
    not_applicable: str = Field(alias="not-applicable", min_length=1)
    not_tested: str = Field(alias="not-tested", min_length=1)
    needs_review: str = Field(alias="needs-review", min_length=1)


class _CatalogEntry(_Entry):
    format: int = Field(ge=1, le=1)
    id: str = Field(pattern=_ID.pattern)
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    published: _Published
    status: str = Field(min_length=1)
    scope: _ScopeEntry
    wording: _WordingEntry
    remarks: list[str] = Field(default_factory=list)
    not_evidenced: list[_GapEntry] = Field(default_factory=list)
    controls: list[_ControlEntry] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ControlCheck:
    """
    One check as a control uses it: with which parameters, how far it answers, and why.
    """

    bound: BoundCheck
    relation: Relation
    because: str


@dataclass(frozen=True, slots=True)
class Control:
    """
    One control of a framework, in our own words, and the checks that bear on it.

    `cannot_show` lists what an assessor must still ask for, `crosswalk` the control's ids in other editions.
    A control without checks says in `not_tested` why nothing here bears on it.
    """

    id: str
    title: str
    requirement: str
    rationale: str
    cannot_show: tuple[str, ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    crosswalk: Mapping[str, tuple[str, ...]]
    checks: tuple[ControlCheck, ...]
    not_tested: str | None

    @property
    def relation(self) -> Relation:
        """
        Direct when at least one check is what the control asks; else supporting.
        """
        direct = any(mapped.relation is Relation.DIRECT for mapped in self.checks)
        return Relation.DIRECT if direct else Relation.SUPPORTING


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Controls of a framework that nothing here shows anything about, and why.
    """

    ids: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Framework:
    """
    One edition of a framework. `wording` holds its own words for verdicts; `source` the file's bytes.

    `scope_of` names what the framework's scope is about (such as the cardholder data environment);
    where `scope_must_be_declared`, exceptions need review until the operator has declared it.
    """

    id: str
    name: str
    version: str
    published: str
    status: str
    scope_of: str
    scope_must_be_declared: bool
    scope_because: str
    wording: Mapping[Verdict, str]
    remarks: tuple[str, ...]
    not_evidenced: tuple[Gap, ...]
    controls: tuple[Control, ...]
    source: bytes

    @property
    def sha256(self) -> str:
        """
        The SHA-256 of the catalog file, in hex.
        """
        return hashlib.sha256(self.source).hexdigest()

    @property
    def ref(self) -> FrameworkRef:
        """
        What summaries say of the catalog.
        """
        return FrameworkRef(self.id, self.name, self.version, self.sha256)


def read_framework(source: bytes, filename: str) -> Framework:
    """
    Turn a catalog file's bytes into a framework, or raise `CatalogError` with every problem at once.

    `filename` names the file in messages and must be the framework's id with `.yaml`.
    """
    problems = _Problems(filename)
    entry = _parse(source, problems)
    controls = [_read_control(control, problems) for control in entry.controls]
    _check_names(entry.id, [control.id for control in entry.controls], problems)
    problems.raise_any()
    return Framework(
        id=entry.id,
        name=entry.name,
        version=entry.version,
        published=entry.published,
        status=entry.status,
        scope_of=entry.scope.of,
        scope_must_be_declared=entry.scope.must_be_declared,
        scope_because=entry.scope.because,
        wording={
            Verdict(key): words for key, words in entry.wording.model_dump(by_alias=True).items()
        },
        remarks=tuple(entry.remarks),
        not_evidenced=tuple(Gap(tuple(gap.ids), gap.because) for gap in entry.not_evidenced),
        controls=tuple(sorted(controls, key=lambda control: natural_key(control.id))),
        source=source,
    )


def find_frameworks() -> dict[str, Path]:
    """
    Return the catalogs that ship with orgproof: id to file, in natural order.
    """
    files = find_resource("config/frameworks").glob("*.yaml")
    return {path.stem: path for path in sorted(files, key=lambda path: natural_key(path.stem))}


def load_framework(name: str) -> Framework:
    """
    Read the catalog that ships under this id, or raise `CatalogError` naming the ids there are.
    """
    shipped = find_frameworks()
    if name not in shipped:
        raise CatalogError([f"no framework {name!r}; there are: {', '.join(shipped)}"])
    return load_framework_file(shipped[name])


def load_framework_file(path: Path) -> Framework:
    """
    Read a catalog file, or raise `CatalogError`.
    """
    try:
        if path.stat().st_size > MAX_CATALOG_BYTES:
            raise CatalogError([f"{path.name}: larger than 1 MiB; this is not a catalog"])
        source = path.read_bytes()
    except OSError as exc:
        raise CatalogError([f"{path}: cannot be read: {exc.strerror}"]) from exc
    return read_framework(source, path.name)


def bind_checks(frameworks: Sequence[Framework]) -> tuple[BoundCheck, ...]:
    """
    Return every check the frameworks use, once for each set of parameters, in order of name.

    The checks of the evidence itself are always among them.
    """
    always = (BoundCheck(CHECKS[name], CHECKS[name].parameters()) for name in EVIDENCE_CHECKS)
    used = {bound.name: bound for bound in always} | {
        mapped.bound.name: mapped.bound
        for framework in frameworks
        for control in framework.controls
        for mapped in control.checks
    }
    return tuple(used[name] for name in sorted(used))


def natural_key(text: str) -> list[tuple[int, str]]:
    """
    Sort key under which `8.10` follows `8.9`.
    """
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)
    ]


class _Problems:
    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._found: list[str] = []

    @property
    def name(self) -> str:
        return Path(self._filename).name

    def add(self, place: str, message: str) -> None:
        self._found.append(f"{self._filename}: {place}: {message}")

    def raise_any(self) -> None:
        if self._found:
            raise CatalogError(self._found)


def _parse(source: bytes, problems: _Problems) -> _CatalogEntry:
    try:
        document = load_yaml(source)
    except ValueError as exc:
        problems.add("file", str(exc))
        problems.raise_any()
        raise
    if not isinstance(document, dict):
        problems.add("file", "holds no catalog; see CONTRIBUTING.md for the format")
        problems.raise_any()
    try:
        return _CatalogEntry.model_validate(document)
    except ValidationError as exc:
        for error in exc.errors():
            place = _name_place(document, error["loc"])
            problems.add(place, f"{error['msg']}{show_value(error['input'])}")
        _read_sound_controls(document, problems)
        problems.raise_any()
        raise


def _read_sound_controls(document: dict[str, Any], problems: _Problems) -> None:
    """
    Look for what else is wrong in a catalog whose shape is not right: one fault must not hide another.
    """
    listed = document.get("controls")
    controls = (
        [control for control in listed if isinstance(control, dict)]
        if isinstance(listed, list)
        else []
    )
    _check_names(document.get("id"), [control.get("id") for control in controls], problems)
    for control in controls:
        try:
            entry = _ControlEntry.model_validate(control)
        except ValidationError:
            _read_mappings(control, problems)
        else:
            _read_control(entry, problems)


def _read_mappings(control: Mapping[str, Any], problems: _Problems) -> None:
    """
    Look for what is wrong with the checks of a control whose shape is not right.
    """
    name, mappings = control.get("id"), control.get("checks")
    for number, mapping in enumerate(mappings if isinstance(mappings, list) else []):
        named = mapping.get("check") if isinstance(mapping, dict) else None
        given = mapping.get("parameters", {}) if isinstance(mapping, dict) else None
        if isinstance(named, str) and isinstance(given, dict) and isinstance(name, str):
            _bind(f"control {name}, field checks.{number}", named, given, problems)


def _check_names(catalog: object, controls: Sequence[object], problems: _Problems) -> None:
    """
    Hold a catalog's id against its file's name, and its controls' ids against each other.
    """
    if isinstance(catalog, str) and _ID.fullmatch(catalog) and problems.name != f"{catalog}.yaml":
        problems.add("id", f"{catalog!r} is not the file's name without .yaml")
    counts = Counter(name for name in controls if isinstance(name, str))
    for twice in sorted(name for name, count in counts.items() if count > 1):
        problems.add(f"control {twice}", "the id appears twice")


def _name_place(document: dict[str, Any], loc: tuple[int | str, ...]) -> str:
    """
    Name a field as its author knows it: by the control's id rather than its number in the list.
    """
    words: list[str] = []
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "controls" and isinstance(parts[1], int):
        control = document["controls"][parts[1]]
        known = control.get("id") if isinstance(control, dict) else None
        # Anything but plain text could unfold to gigabytes here, by YAML's aliases.
        named = known if isinstance(known, str | float | bool) else None
        words.append(f"control {named or f'number {parts[1] + 1}'}")
        parts = parts[2:]
    if parts:
        words.append("field " + ".".join(str(part) for part in parts))
    return ", ".join(words) or "file"


def _read_control(entry: _ControlEntry, problems: _Problems) -> Control:
    checks = [
        mapped
        for number, mapping in enumerate(entry.checks)
        if (mapped := _read_mapping(entry.id, number, mapping, problems))
    ]
    if bool(entry.checks) == bool(entry.not_tested):
        problems.add(
            f"control {entry.id}, field checks",
            "a control has checks, or says in not_tested why none bears on it: one of the two",
        )
    names = [mapped.bound.name for mapped in checks]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        problems.add(f"control {entry.id}, field checks", f"{twice} appears twice")
    return Control(
        id=entry.id,
        title=entry.title,
        requirement=entry.requirement,
        rationale=entry.rationale,
        cannot_show=tuple(entry.cannot_show),
        notes=tuple(entry.notes),
        sources=tuple(entry.sources),
        crosswalk={edition: tuple(ids) for edition, ids in entry.crosswalk.items()},
        checks=tuple(checks),
        not_tested=entry.not_tested,
    )


def _read_mapping(
    control: str, number: int, entry: _MappingEntry, problems: _Problems
) -> ControlCheck | None:
    place = f"control {control}, field checks.{number}"
    bound = _bind(place, entry.check, entry.parameters, problems)
    if bound is None:
        return None
    is_evidence = entry.check in EVIDENCE_CHECKS
    if entry.relation is Relation.DIRECT and (bound.check.is_lead or is_evidence):
        problems.add(
            f"{place}.relation",
            f"{entry.check} gives leads, or is about the evidence itself: it can only be supporting",
        )
    return ControlCheck(bound, entry.relation, entry.because)


def _bind(
    place: str, name: str, given: Mapping[str, Any], problems: _Problems
) -> BoundCheck | None:
    """
    Return a check with its parameters, or None where either is wrong, which is then among the problems.
    """
    check = CHECKS.get(name)
    if check is None:
        problems.add(place, f"no check {name!r}; there are: {', '.join(sorted(CHECKS))}")
        return None
    try:
        parameters = check.parameters.model_validate(given)
    except ValidationError as exc:
        for error in exc.errors():
            field = ".".join(str(part) for part in error["loc"])
            problems.add(
                f"{place}.parameters.{field}", f"{error['msg']}{show_value(error['input'])}"
            )
        return None
    return BoundCheck(check, parameters)
