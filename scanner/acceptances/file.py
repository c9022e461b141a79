"""
A file of accepted risks to acceptances, or an `AcceptanceError` that lists everything wrong with it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from scanner.acceptances.acceptance import (
    EVERY_ACCOUNT,
    Acceptance,
    Kind,
    is_everybody,
    is_pattern,
)
from scanner.checks import CHECKS, BoundCheck, Check, Subject
from scanner.errors import AcceptanceError
from scanner.model import ROOT_USER, show
from scanner.strict_yaml import load_yaml, show_value

MAX_ACCEPTANCE_BYTES = 1024 * 1024

LONGEST = timedelta(days=366)
"""
How far apart the first and the last day of an acceptance may lie: one for ever is none.
"""

_AT_MOST_ONE = 1
_AT_MOST_FEW = 10


@dataclass(frozen=True, slots=True)
class AcceptanceFile:
    """
    The acceptances of one file, in its order, and the file's own bytes.
    """

    acceptances: tuple[Acceptance, ...]
    source: bytes

    @property
    def sha256(self) -> str:
        """
        The SHA-256 of the file, in hex.
        """
        return hashlib.sha256(self.source).hexdigest()


def read_acceptances(source: bytes, filename: str) -> AcceptanceFile:
    """
    Turn a file's bytes into acceptances, or raise `AcceptanceError` with every problem at once.

    `filename` names the file in messages.
    """
    problems = _Problems(filename)
    entries = {
        f"number {number}": entry
        for number, entry in enumerate(_read_list(source, problems), start=1)
    }
    acceptances = [
        acceptance
        for number, entry in entries.items()
        if (acceptance := _read_entry(entry, number, problems))
    ]
    counts = Counter(_name_entry(entry, number) for number, entry in entries.items())
    for twice in sorted(name for name, count in counts.items() if count > 1):
        problems.add(twice, "the id appears twice")
    problems.raise_any()
    return AcceptanceFile(tuple(acceptances), source)


def load_acceptances_file(path: Path) -> AcceptanceFile:
    """
    Read a file of accepted risks, or raise `AcceptanceError`.
    """
    try:
        if path.stat().st_size > MAX_ACCEPTANCE_BYTES:
            raise AcceptanceError([f"{path}: larger than 1 MiB; this is no file of acceptances"])
        source = path.read_bytes()
    except OSError as exc:
        raise AcceptanceError([f"{path}: cannot be read: {exc.strerror}"]) from exc
    return read_acceptances(source, path.name)


# What each field may hold


def _require_words(text: str) -> str:
    odd = next((char for char in text if not char.isprintable()), "")
    if odd in {"\n", "\r"}:
        raise ValueError("holds a line break: write one line, or fold several with >-")
    if odd:
        raise ValueError(f"holds the character U+{ord(odd):04X}, which cannot be printed")
    if not text.strip():
        raise ValueError("is empty")
    if text.strip() != text:
        raise ValueError("begins or ends with a space")
    return text


def _require_account(text: str) -> str:
    if text != EVERY_ACCOUNT and not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError('must be twelve digits in quotes, or "*" for every account')
    return text


def _require_check(text: str) -> str:
    """
    Refuse what names no check or verdict column that can be accepted, and say which checks there are.
    """
    name, colon, words = text.partition(":")
    check = CHECKS.get(name)
    if check is None:
        known = sorted(name for name, check in CHECKS.items() if _can_be_accepted(check))
        raise ValueError(f"no check of that name; there are: {', '.join(known)}")
    if not _can_be_accepted(check):
        raise ValueError("is about the evidence itself: what nobody saw cannot be accepted")
    if colon:
        _require_column(text, check, words)
    return text


def _can_be_accepted(check: Check) -> bool:
    # The checks about accounts say whether there is evidence at all, and whether it can be relied on.
    return check.subject is not Subject.ACCOUNT


def _require_column(text: str, check: Check, words: str) -> None:
    """
    Refuse parameters that are not written as they are in a column's name: they would match nothing.
    """
    known = check.parameters.model_fields
    if not known:
        raise ValueError(f"this check has no parameters: write {check.id}")
    # A parameter's value may hold commas of its own, so the text is cut before the parameters' names.
    cuts = rf",(?=(?:{'|'.join(map(re.escape, known))})=)"
    values: dict[str, Any] = {}
    for piece in re.split(cuts, words):
        key, _, value = piece.partition("=")
        if key not in known:
            raise ValueError(f"no parameter {key!r}; there are: {', '.join(known)}")
        is_list = get_origin(known[key].annotation) is list
        values[key] = None if value == "None" else value.split("|") if is_list else value
    try:
        # Not strict: in a column's name numbers are text like everything else.
        parameters = check.parameters.model_validate(values, strict=False)
    except ValidationError as exc:
        wrong = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors()]
        raise ValueError(f"no such column: {'; '.join(wrong)}") from None
    name = BoundCheck(check, parameters).name
    if name == check.id:
        raise ValueError(f"these are the default parameters: write {name}, which covers all")
    if name != text:
        raise ValueError(f"the column is called {name}")


_IsWords = AfterValidator(_require_words)
_Words = Annotated[str, Field(max_length=200), _IsWords]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_alias=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Annotated[Kind, Field(strict=False)]
    account: Annotated[str, AfterValidator(_require_account)]
    user: Annotated[str, Field(max_length=128), _IsWords]
    check: Annotated[str, _IsWords, AfterValidator(_require_check)]
    reason: Annotated[str, Field(max_length=2000), _IsWords]
    owner: _Words
    approver: _Words
    ticket: _Words
    begins: Annotated[date, Field(alias="from")]
    until: date
    at_most: Annotated[int, Field(ge=1, le=100_000)] | None = None


_FIELDS = ", ".join(info.alias or name for name, info in _Entry.model_fields.items())
_WHOLE_NUMBER = "must be a whole number from 1 to 100000"
_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": f"no such field; there are: {_FIELDS}",
    "invalid_key": f"no such field; there are: {_FIELDS}",
    "string_type": "must be text: put it in quotes",
    "string_pattern_mismatch": "must be 1 to 64 letters, digits, dots, hyphens and underscores",
    "date_type": "must be a date without quotes and time, such as 2026-12-31",
    "enum": f"must be one of: {', '.join(Kind)}",
    "int_type": _WHOLE_NUMBER,
    "greater_than_equal": _WHOLE_NUMBER,
    "less_than_equal": _WHOLE_NUMBER,
}
"""
pydantic's kinds of errors, in the words of somebody who writes YAML.
"""


class _Problems:
    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._found: list[str] = []

    def add(self, place: str, message: str) -> None:
        self._found.append(f"{self._filename}: {place}: {message}")

    def give_up(self, place: str, message: str) -> NoReturn:
        self.add(place, message)
        raise AcceptanceError(self._found)

    def raise_any(self) -> None:
        if self._found:
            raise AcceptanceError(self._found)


def _read_list(source: bytes, problems: _Problems) -> list[Any]:
    """
    Return the file's entries as they are, however wrong the rest of it is.
    """
    try:
        document = load_yaml(source)
    except ValueError as exc:
        problems.give_up("file", str(exc))
    if not isinstance(document, dict):
        problems.give_up("file", "holds no acceptances; see config/acceptances.example.yaml")
    for key in [key for key in document if key not in {"format", "acceptances"}]:
        problems.add(f"field {_name_key(key)}", "no such field; there are: format, acceptances")
    version, listed = document.get("format"), document.get("acceptances")
    if version != 1 or isinstance(version, bool | float):
        problems.add("field format", f"must be 1{show_value(version)}")
    if not isinstance(listed, list):
        problems.add("field acceptances", f"must be a list{show_value(listed)}")
        return []
    return listed


def _read_entry(entry: object, number: str, problems: _Problems) -> Acceptance | None:
    place = _name_entry(entry, number)
    if not isinstance(entry, dict):
        problems.add(place, f"must be a mapping of fields{show_value(entry)}")
        return None
    try:
        read = _Entry.model_validate(entry)
    except ValidationError as exc:
        read, errors = None, exc.errors()
    else:
        errors = []
    for error in errors:
        problems.add(f"{place}, field {_name_key(error['loc'][0])}", _explain(error))
    # One fault must not hide another: what is sound by itself is held against each other all the same.
    wrong = {error["loc"][0] for error in errors}
    sound = {key: value for key, value in entry.items() if key not in wrong}
    for key, message in (*_compare_days(sound), *_compare_scope(sound)):
        problems.add(f"{place}, field {key}", message)
    return _build(read) if read else None


def _compare_days(sound: Mapping[Any, Any]) -> Iterable[tuple[str, str]]:
    begins, until = sound.get("from"), sound.get("until")
    if begins is None or until is None:
        return
    if until < begins:
        yield "until", f"{until} is before from ({begins})"
    if until - begins > LONGEST:
        days = f"{(until - begins).days} days after from ({begins}), and {LONGEST.days} are allowed"
        yield "until", f"{until} is {days}: an acceptance is renewed, not given for ever"


def _compare_scope(sound: Mapping[Any, Any]) -> Iterable[tuple[str, str]]:
    account, user, check = sound.get("account"), sound.get("user"), sound.get("check")
    if user is None:
        return
    if account == EVERY_ACCOUNT and is_everybody(user):
        yield "user", f"{user} in every account is everybody: name the accounts or the users"
    if check is None:
        return
    subject = CHECKS[check.partition(":")[0]].subject
    is_root = user.casefold() == ROOT_USER
    if subject is Subject.ROOT and not is_root:
        yield "user", f"must be {ROOT_USER}, for {check} is about root users{show_value(user)}"
    if subject is Subject.USER and is_root:
        yield "check", f"{check} is about IAM users, and {ROOT_USER} is none"


def _build(entry: _Entry) -> Acceptance:
    fields = {name: getattr(entry, name) for name in _Entry.model_fields}
    return Acceptance(**fields | {"at_most": entry.at_most or _allow(entry)})


def _allow(entry: _Entry) -> int:
    """
    Return how many findings an author can have meant who does not say.

    One user and one verdict column make one finding. A check with several sets of parameters makes a
    few, and whoever means many by a pattern says how many.
    """
    is_column = ":" in entry.check or not CHECKS[entry.check].parameters.model_fields
    is_one_user = entry.account != EVERY_ACCOUNT and not is_pattern(entry.user)
    return _AT_MOST_ONE if is_one_user and is_column else _AT_MOST_FEW


def _name_entry(entry: object, number: str) -> str:
    """
    Name an acceptance as its author knows it: by its id, or else by its number in the list.
    """
    known = entry.get("id") if isinstance(entry, dict) else None
    is_fit = isinstance(known, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", known)
    return f"acceptance {known if is_fit else number}"


def _name_key(key: object) -> str:
    # Anything can be a key in YAML, a number of thousands of digits included.
    return show(key[:80]) if isinstance(key, str) else "that is no text"


def _explain(error: Any) -> str:  # noqa: ANN401 - pydantic's error details
    if error["type"] in {"missing", "extra_forbidden", "invalid_key"}:
        return _MESSAGES[error["type"]]
    if error["input"] is None:
        return "is empty"
    if error["type"] == "string_too_long":
        return f"is longer than {error['ctx']['max_length']} characters"
    told = error["ctx"]["error"] if error["type"] == "value_error" else error["msg"]
    return f"{_MESSAGES.get(error['type'], told)}{show_value(error['input'])}"
