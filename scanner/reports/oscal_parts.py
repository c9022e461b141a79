"""
The parts of an OSCAL document that do not depend on what was found: ids, properties, names, resources, accepted risks.
"""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from scanner.evidence import StoredRun
from scanner.findings import REPORTED
from scanner.reports import method
from scanner.reports.text import make_visible
from scanner.reports.wording import MISSING, count, format_iso
from scanner.summary import AcceptanceTotals

SPACE = "urn:orgproof:oscal"
"""
The namespace of our properties.
"""

_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._-]")

Object = dict[str, Any]
"""
A JSON object.
"""


class Ids:
    """
    Makes the ids of a document's parts: each follows from the run's seal and the part's name.
    """

    def __init__(self, seal: str) -> None:
        self._seal = seal

    def make(self, *parts: str) -> str:
        """
        Return the id of the part that is called so.
        """
        name = ":".join((self._seal, *parts))
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{SPACE}:{name}"))


def list_properties(facts: Mapping[str, object]) -> list[Object]:
    """
    Return facts as properties, without those that are missing. A value is one line that shows something.
    """
    return [
        {"name": name, "ns": SPACE, "value": _write(value)}
        for name, value in facts.items()
        if value is not None
    ]


def _write(value: object) -> str:
    text = format_iso(value) if isinstance(value, datetime) else str(value)
    return make_visible(text).strip() or MISSING


def tokenize(text: str) -> str:
    """
    Return text as OSCAL writes names: without spaces and most signs.
    """
    return _NOT_TOKEN.sub("-", text)


def name_control(framework: str, control: str) -> str:
    """
    Return a control's id as OSCAL writes ids. Where that changes it, a hash keeps it from being another's.
    """
    name = f"{framework}_{control}"
    token = _NOT_TOKEN.sub("-", name)
    if not token[0].isalpha():
        token = f"_{token}"
    return token if token.endswith(name) else f"{token}-{sha256(name.encode()).hexdigest()[:8]}"


def draw_risk(entry: AcceptanceTotals, ids: Ids) -> Object:
    """
    Return one accepted risk. Its own words are properties.
    """
    in_force = entry.state == "in-force"
    return {
        "uuid": ids.make("risk", entry.id),
        "title": "Accepted risk",
        "description": f"It is about {count(entry.matched, 'finding')} of this run.",
        "statement": (
            "Somebody answers for these findings until the day given, for the reason given. They stay findings."
            if in_force
            else "This acceptance is not in force, and the findings that it is about are open."
        ),
        "props": list_properties(
            {
                "acceptance": entry.id,
                "kind": entry.kind,
                "account": entry.account,
                "user": entry.user,
                "check": entry.check,
                "reason": entry.reason,
                "owner": entry.owner,
                "approver": entry.approver,
                "ticket": entry.ticket,
                "from": entry.begins,
                "until": entry.until,
                "state": entry.state,
            }
        ),
        "status": "deviation-approved" if in_force else "open",
    }


def list_resources(run: StoredRun, ids: Ids) -> list[Object]:
    """
    Return what the document refers to: the method, which stands for an assessment plan, and the evidence.

    Raises `EvidenceError` when the run's settings cannot be read.
    """
    calls = "; ".join(f"{name}: {why}" for name, why in method.list_calls(run))
    stages = " ".join(f"{name}: {words}" for name, words in method.STEPS)
    return [
        {
            "uuid": ids.make("plan"),
            "title": "How the evidence came about",
            "description": f"{method.POPULATION} {method.TIMING} {stages}",
            "remarks": f"Calls made to AWS: {calls}. Limits: {' '.join(method.LIMITS)}",
        },
        {
            "uuid": ids.make("manifest"),
            "title": "The manifest of the run",
            "description": "It lists every file of the evidence with its size and SHA-256. Its own is the seal.",
            "rlinks": [
                {
                    "href": "../manifest.json",
                    "media-type": "application/json",
                    "hashes": [{"algorithm": "SHA-256", "value": run.manifest_sha256}],
                }
            ],
        },
        {
            "uuid": ids.make("findings"),
            "title": "The findings table",
            "description": (
                "One row for each user, root user or account and check whose verdict is one of: "
                f"{', '.join(REPORTED)}. The manifest has its hash. As JSON Lines it is findings.jsonl beside this "
                "document, where that format was drawn."
            ),
            "rlinks": [{"href": "../tables/findings.parquet"}],
        },
    ]
