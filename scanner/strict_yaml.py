"""
YAML without its traps: how every file is read in which a slip could change a result.

Only plain values are built, a key may not appear twice in a mapping, and whatever is wrong is one
`ValueError`. A number is one only when it is written as one: `012345670123` stays text. What the values
mean is for the caller to judge, types included: YAML reads `on` as a boolean.
"""

import re
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import yaml

_FAULTS = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
_PLAIN = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_SHOWN = 80
"""
How much of a value a message repeats, in characters.
"""


def load_yaml(source: bytes) -> Any:  # noqa: ANN401 - any YAML value
    """
    Return what a file of one YAML document holds, or raise `ValueError` with one line of text.

    The text begins with `not YAML: ` and names the line where the file's author has to look. YAML's
    aliases are followed and not copied, so a value can hold itself, or unfold to gigabytes when it is
    written: use `show_value` to put one into a message.
    """
    with suppress(*_FAULTS):
        return yaml.load(source, Loader=_FastLoader)  # noqa: S506 - a SafeLoader subclass
    # Again, by the reader that says best what is wrong, and says the same on every machine.
    try:
        return yaml.load(source, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader subclass
    except _FAULTS as exc:
        raise ValueError(f"not YAML: {_explain(exc)}") from None


def show_value(value: object) -> str:
    """
    Say what was found, as ` (found 1.0)`; or nothing, where the value has no short form.
    """
    if not isinstance(value, str | int | float | bool | None):
        return ""
    try:
        return f" (found {_shorten(repr(value))})"
    except ValueError:  # an integer of thousands of digits
        return ""


class _Strict(yaml.constructor.SafeConstructor):
    """
    Safe YAML in which a key may not appear twice: the second would silently replace the first.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """
        Refuse a mapping that repeats a key. See `yaml.SafeLoader.construct_mapping`.
        """
        seen: set[object] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_shorten(repr(key.value))} appears twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's signature
        """
        Say where a value stands that is not what it looks like, such as the date 2026-02-30.

        PyYAML lets Python's own errors out, without a line. See `yaml.SafeLoader.construct_object`.
        """
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError) as exc:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"{_shorten(repr(node.value))} is no {kind}", node.start_mark
            ) from exc
        # 012345670123 would be read as octal, 1:30 as ninety: what is not written as a number stays text.
        if type(value) is int and not _PLAIN.fullmatch(str(node.value)):
            return node.value
        return value


class _StrictLoader(_Strict, yaml.SafeLoader):
    """
    Reads by Python alone.
    """


class _FastLoader(_Strict, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """
    Reads by the C library where PyYAML has it: the same values, ten times as fast.
    """


def _explain(exc: Exception) -> str:
    if not isinstance(exc, yaml.MarkedYAMLError):
        return " ".join(str(exc).split())
    said = " ".join(f"{exc.context or ''} {exc.problem or ''}".split())
    mark = exc.problem_mark or exc.context_mark
    place = f"line {mark.line + 1}: " if mark else ""
    hint = "; text that begins with * needs quotes" if "alias" in said else ""
    return f"{place}{said}{hint}"


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
