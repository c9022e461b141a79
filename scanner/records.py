"""
How the model's values become JSON files, and come back checked.

Equal values give equal bytes. What is read back is untrusted: a file that does not fit its type is
an `EvidenceError` that names the file and the field.
"""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import rfc8785
from pydantic import TypeAdapter, ValidationError

from scanner.errors import EvidenceError

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def encode(value: object) -> bytes:
    """
    Encode a value of the model, or a JSON value, as indented UTF-8 JSON with sorted keys.

    Times become ISO 8601 with `Z`. NaN and infinity are refused with `ValueError`.
    """
    plain = to_plain(value)
    try:
        return _dump(plain, ascii_only=False)
    except UnicodeEncodeError:
        # A lone surrogate can come from AWS's JSON; escaped, it is valid UTF-8 and nothing is lost.
        return _dump(plain, ascii_only=True)


def to_plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """
    Return a value of the model as plain JSON values; what is no value of the model stays as it is.
    """
    return _adapt(type(value)).dump_python(value, mode="json") if _is_model(value) else value


def encode_canonical(value: object) -> bytes:
    """
    Encode a value of the model, or a JSON value, in the canonical form of RFC 8785: the same bytes everywhere.

    Raises `ValueError` for what has no such form, such as a whole number beyond 2**53.
    """
    return rfc8785.dumps(to_plain(value))


def write_moment(moment: datetime) -> str:
    """
    Write an aware moment as files do: ISO 8601 in UTC, with `Z`.
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def decode(kind: type[T], content: bytes, name: str) -> T:
    """
    Read a value of the model from JSON, or raise `EvidenceError` naming the file `name` and the field.
    """
    try:
        value: T = _adapt(kind).validate_json(content, strict=True)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise EvidenceError(f"{name}: {where}: {first['msg']}") from exc
    return value


def decode_json(content: bytes, name: str) -> Any:  # noqa: ANN401 - any JSON value
    """
    Read any JSON value, or raise `EvidenceError` naming the file `name`.
    """
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise EvidenceError(f"{name}: is not JSON: {exc}") from exc


def decode_object(content: bytes, name: str) -> dict[str, Any]:
    """
    Read a JSON object, or raise `EvidenceError` naming the file `name`.
    """
    value = decode_json(content, name)
    if not isinstance(value, dict):
        raise EvidenceError(f"{name}: holds no JSON object")
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _is_model(value: object) -> bool:
    return hasattr(value, "__dataclass_fields__")


def _adapt(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _dump(value: object, *, ascii_only: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=ascii_only, sort_keys=True, indent=1, allow_nan=False)
    return text.encode() + b"\n"
