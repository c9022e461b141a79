"""
A settings file for a group of organizations: what `[[organization]]` says, and the settings of each by itself.

A run keeps the settings of its own organization alone: how another one is reached is not for its auditor to read.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanner.errors import SettingsError

_TABLE = "organization"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = frozenset({"accounts", "aws", "confirm", "deliver", "documents", "scan", "scope", "sign"})


@dataclass(frozen=True, slots=True)
class Member:
    """
    One organization of a group: what its user calls it, and its settings as a TOML file's bytes.
    """

    name: str
    source: bytes


def list_members(source: bytes, filename: str) -> list[Member]:
    """
    Return the organizations of a settings file in its order, none where it is about one alone.

    What stands outside `[[organization]]` holds for all; a table within is laid over the one of its name, value by value.
    Raises `SettingsError` for a file that is not TOML, and names every entry that has no name of its own or holds what is
    no table of settings. What the tables hold is looked at when they are read.
    """
    document = _parse(source, filename)
    entries = document.pop(_TABLE, None)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SettingsError(f"{filename}: {_TABLE}: write [[{_TABLE}]], once for each")
    _check(entries, filename)
    return [Member(entry["name"], _encode(_lay_over(document, entry))) for entry in entries]


def pick_member(source: bytes, filename: str, name: str | None) -> bytes:
    """
    Return the settings of one organization of a file, the file itself where it is about one alone.

    Raises `SettingsError` where a name is needed and not given, or given and not there.
    """
    members = list_members(source, filename)
    if not members and name is None:
        return source
    if not members:
        raise SettingsError(f"{filename}: has no [[{_TABLE}]], so --organization names nothing")
    names = ", ".join(member.name for member in members)
    if name is None:
        raise SettingsError(f"{filename}: is about {names}; choose one with --organization NAME")
    for member in members:
        if member.name == name:
            return member.source
    raise SettingsError(f"{filename}: has no organization {name!r}; it has {names}")


def _parse(source: bytes, filename: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        problem = str(exc) if isinstance(exc, tomllib.TOMLDecodeError) else type(exc).__name__
        raise SettingsError(f"{filename}: not TOML: {problem}") from None


def _check(entries: list[dict[str, Any]], filename: str) -> None:
    problems = []
    names = Counter(str(entry.get("name")) for entry in entries)
    for number, entry in enumerate(entries, 1):
        name = entry.get("name")
        where = f"{filename}: {_TABLE} {number}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(
                f"{where}: name: must be letters, digits, '.', '_' and '-', 64 of them at most"
            )
        elif names[name] > 1:
            problems.append(f"{where}: name: {name} stands for more than one organization")
        unknown = sorted(set(entry) - _PARTS - {"name"})
        if unknown:
            problems.append(f"{where}: {', '.join(unknown)}: no table of settings")
    if problems:
        raise SettingsError("\n".join(problems))


def _lay_over(common: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    own = {part: value for part, value in entry.items() if part != "name"}
    return {**common, **{part: _merge(common.get(part), value) for part, value in own.items()}}


def _merge(common: object, own: object) -> object:
    return {**common, **own} if isinstance(common, dict) and isinstance(own, dict) else own


def _encode(document: Mapping[str, Any]) -> bytes:
    import tomli_w  # noqa: PLC0415 - few have a group

    return tomli_w.dumps(document).encode()
