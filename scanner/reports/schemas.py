"""
What each line of the JSON Lines files holds, as JSON Schema (draft 2020-12), made from the tables' own definitions.

The same schemas are published in `docs/schemas/`, and stand beside the files that they describe. They do not depend
on a run: which checks it was judged by decides which verdict columns there are, so those are patterns.
"""

import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import pyarrow as pa

from scanner.checks import CHECKS, Subject
from scanner.evidence.tables import ACCOUNTS, CONTROLS, FINDINGS, users_schema
from scanner.findings import REPORTED
from scanner.history import State
from scanner.model import AccountOutcome, Confirmation, ReasonCode, Relation, Severity, Verdict

VERSION = 1
"""
The version of the schemas. It grows when a column is taken away or comes to mean something else.
"""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TIME = {
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{3})?Z$",
}
_FINDING_ID = {"pattern": "^[0-9a-f]{24}$"}
_ACCOUNT_ID = {"pattern": r"^[0-9]{12}$"}
_SHA256 = {"pattern": "^[0-9a-f]{64}$"}
_COUNT = {"minimum": 0}


def _name(values: Iterable[StrEnum]) -> dict[str, Any]:
    return {"enum": [str(value) for value in values]}


_RULES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "accounts": {
        "account_id": _ACCOUNT_ID,
        "outcome": _name(AccountOutcome),
        "reason_code": _name(ReasonCode),
        "report_sha256": _SHA256,
        **dict.fromkeys(("users", "iam_users", "users_added", "users_gone"), _COUNT),
    },
    "users": {"account_id": _ACCOUNT_ID, "arn": {}, "is_root": {}},
    "findings": {
        "finding_id": _FINDING_ID,
        "account_id": _ACCOUNT_ID,
        "arn": {},
        "check": {},
        "severity": _name(Severity),
        "verdict": _name(REPORTED),
        "confirmation": _name(Confirmation),
        "state": _name((State.NEW, State.STILL_OPEN, State.REOPENED)),
        "days_open": _COUNT,
    },
    "controls": {
        **{name: {} for name in ("framework", "version", "control_id", "title")},
        "relation": _name(Relation),
        "verdict": _name(Verdict),
        **dict.fromkeys(("evaluated", "failed", "unknown", "not_tested", "accepted"), _COUNT),
    },
}
"""
What is known of a column's values beyond their type.
"""

_MAY_BE_MISSING = {
    "accounts": {"reason_code", "report_sha256", "users", "iam_users", "users_added", "users_gone"},
    "findings": {"days_open"},
}

_WORDS: Mapping[str, Mapping[str, str]] = {
    "accounts": {
        "": "One account that AWS Organizations listed, whether or not it could be read",
        "account_id": "Twelve digits, as text: the leading zeros count",
        "name": "The account's name, exactly as AWS gave it; untrusted text",
        "email": "The address of the account's root user; untrusted text",
        "state": "What Organizations says of the account, such as ACTIVE or SUSPENDED",
        "ou_ids": "Ids from the organization's root down to the account's OU, joined by `; `",
        "ou_path": "Names of the OUs from the top down, joined by `/`; untrusted text",
        "outcome": "What became of the account. Only of `collected` ones anything is known",
        "reason_code": "Why it was not read; null where it was",
        "reason": "The same in words, with the next step",
        "generated_time": "When AWS made the credential report",
        "report_age_seconds": "How old the report was when it was fetched; negative where clocks differ",
        "report_sha256": "SHA-256 of the report's bytes, in hex",
        "users": "IAM users in the report, the root user not counted; null where none was read",
        "iam_users": "IAM's own count of users",
        "users_added": "Users made since the report, where IAM was asked",
        "users_gone": "Users deleted since the report, where IAM was asked",
        "population": "How report and count compare, in words",
    },
    "users": {
        "": "One IAM user or root user of an account that was read",
        "account_id": "Twelve digits, as text: the leading zeros count",
        "user": "The user's name, exactly as AWS gave it; untrusted text",
        "arn": "The user's ARN; untrusted text",
        "is_root": "Whether it is the account's root user",
        "generated_time": "When AWS made the report that this row comes from",
        "sentinels": "AWS's own words where a value is missing and they are not N/A: `column=word`, joined by `; `",
        "uninterpretable": "Columns whose value is none that AWS documents, joined by `; `",
        "other_columns": "Columns of the report that this version does not know, as JSON in a text",
    },
    "findings": {
        "": "One user, root user or account and one check whose verdict is fail, needs-review or unknown",
        "finding_id": "24 hex digits, the same from run to run",
        "account_id": "Twelve digits, as text: the leading zeros count",
        "account_name": "The account's name; untrusted text",
        "ou_path": "Names of the OUs from the top down, joined by `/`; untrusted text",
        "user": "The user's name; null where the finding is about an account; untrusted text",
        "arn": "The ARN of the user, root user or account; untrusted text",
        "check": "The check's name, with its parameters where they are not the default",
        "severity": "How urgent it is",
        "verdict": "fail: exception noted; needs-review: a lead; unknown: nobody could tell, which is no pass",
        "observation": "What was seen, or why nobody could tell, in words",
        "controls": "Controls that the check bears on, as `framework:control`, joined by `; `",
        "confirmation": "What the account said when asked during the run",
        "confirmation_note": "The same in words",
        "acceptance": "Id of the acceptance in force. The verdict stays what it is",
        "acceptance_note": "Until when and by whom it is accepted, or why an acceptance is not in force",
        "owner": "Who owns the user, by its tags; untrusted text",
        "state": "How it compares with the previous run",
        "first_seen": "When the run began that saw it first",
        "last_seen": "When this run began",
        "days_open": "Whole days since it was first seen, or seen again after it was fixed",
    },
    "controls": {
        "": "One control of one framework in use, and what the evidence says of it",
        "framework": "The catalog's id, such as pci-dss-4.0.1",
        "version": "The framework's edition",
        "control_id": "The control's id in that edition",
        "title": "What the control is about, in our own words",
        "relation": "direct: a check is what the control asks; supporting: checks only lend weight",
        "verdict": "What the evidence says. The determination is the assessor's",
        "evaluated": "Rows that the direct checks could decide about, within the framework's scope",
        "failed": "Rows for which an exception was noted",
        "unknown": "Rows about which nobody could tell",
        "not_tested": "Accounts in scope that were not read; they are in none of the other numbers",
        "accepted": "Rows that an acceptance in force covers; they are in `failed` all the same",
    },
}
_OF_REPORT = "As the credential report has it"
_VERDICT = {
    "enum": [str(verdict) for verdict in Verdict],
    "description": "The verdict of one check. The column is named for it",
}


def build_schema(table: str) -> dict[str, Any]:
    """
    Return the schema of one line of a table's file: accounts, users, findings or controls.
    """
    columns = {
        "accounts": ACCOUNTS,
        "users": users_schema(()),
        "findings": FINDINGS,
        "controls": CONTROLS,
    }[table]
    words = _WORDS[table]
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"urn:orgproof:schema:{table}:{VERSION}",
        "title": f"A line of {table}.jsonl",
        "description": f"{words['']}.",
        "type": "object",
        "required": list(columns.names),
        "properties": {
            field.name: _describe(table, field, words.get(field.name, _OF_REPORT))
            for field in columns
        },
    }
    if pattern := _match_checks(table):
        schema["patternProperties"] = {pattern: _VERDICT}
    return schema | {"additionalProperties": False}


def write_schema(table: str) -> bytes:
    """
    Return the file of a table's schema.
    """
    return json.dumps(build_schema(table), indent=1).encode() + b"\n"


def _describe(table: str, field: pa.Field, words: str) -> dict[str, Any]:
    known = _RULES[table].get(field.name)
    may_be_missing = known is None or field.name in _MAY_BE_MISSING.get(table, ())
    kind = _name_type(field.type)
    rules = dict(known or {})
    if "enum" in rules and may_be_missing:
        rules["enum"] = [*rules["enum"], None]
    if pa.types.is_timestamp(field.type):
        rules |= _TIME
    return {
        "description": f"{words}.",
        "type": [kind, "null"] if may_be_missing else kind,
        **rules,
    }


def _name_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "boolean"
    return "integer" if pa.types.is_integer(kind) else "string"


def _match_checks(table: str) -> str | None:
    """
    Return what matches the names of the verdict columns that a table may have, None where it has none.
    """
    if table not in {"accounts", "users"}:
        return None
    ids = sorted(
        re.escape(check.id).replace("\\-", "-")
        for check in CHECKS.values()
        if (check.subject is Subject.ACCOUNT) == (table == "accounts")
    )
    return f"^({'|'.join(ids)})(:.+)?$"
