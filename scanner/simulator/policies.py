"""
Session policies: what a role session may still do. A session policy only ever narrows.

Simulated: Effect, Action and Resource with wildcards. A statement with anything that could change
its meaning (Condition, NotAction, NotResource) is refused, not guessed at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from scanner.simulator.wire import ServiceError

MAX_POLICY_CHARACTERS = 2048
_MEMBERS = frozenset({"Sid", "Effect", "Action", "Resource"})


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One statement. Actions are in lower case: AWS compares them without regard to case.
    """

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def matches(self, action: str, resource: str) -> bool:
        """
        Whether the statement speaks about this action on this resource.
        """
        return any(fnmatchcase(action.lower(), pattern) for pattern in self.actions) and any(
            fnmatchcase(resource, pattern) for pattern in self.resources
        )


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """
    The policy handed to AssumeRole.
    """

    statements: tuple[Statement, ...]

    def allows(self, action: str, resource: str) -> bool:
        """
        Whether a statement allows the action and none denies it.
        """
        verdicts = [
            statement.allows for statement in self.statements if statement.matches(action, resource)
        ]
        return bool(verdicts) and all(verdicts)


@lru_cache(maxsize=256)
def parse_policy(text: str) -> SessionPolicy:
    """
    Read a session policy, or raise `ServiceError` as AssumeRole does.
    """
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ServiceError(
            "PackedPolicyTooLarge",
            f"Serialized token too large for session: {len(text)} characters of policy, "
            f"{MAX_POLICY_CHARACTERS} allowed",
            400,
        )
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or document.get("Version") != "2012-10-17":
        raise _malformed("The policy must contain a valid version string")
    statements = document.get("Statement")
    listed = [statements] if isinstance(statements, dict) else statements
    if not isinstance(listed, list) or not listed:
        raise _malformed("Syntax errors in policy.")
    return SessionPolicy(tuple(_parse_statement(statement) for statement in listed))


def _parse_statement(statement: object) -> Statement:
    if not isinstance(statement, dict) or set(statement) - _MEMBERS:
        raise _malformed("Syntax errors in policy.")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise _malformed(f"Invalid effect: {effect}")
    actions = _strings(statement, "Action")
    if any(action != "*" and ":" not in action for action in actions):
        raise _malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    lowered = tuple(action.lower() for action in actions)
    return Statement(effect == "Allow", lowered, _strings(statement, "Resource"))


def _strings(statement: Mapping[str, Any], member: str) -> tuple[str, ...]:
    value = statement.get(member)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise _malformed(f"Policy statement must contain {member.lower()}s.")
    return tuple(values)


def _malformed(message: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", message, 400)
