"""
The run as OSCAL assessment results (version 1.2.1), for governance tools: one result, in figures by check and account.

- An observation for each check: its exact condition, its totals, and the accounts that have findings by it.
- A finding for each control of each framework. OSCAL knows two states. `satisfied` stands only where direct checks
  noted no exception in any account in scope, and says beside it what that is and is not. Whatever is open, to be
  reviewed, not tested or not applicable is `not-satisfied` with the reason `other`, and says so: what nobody looked at
  never reads as satisfied.
- A risk for each accepted risk. It does not change the finding.
- An inventory item for each account that was listed, read or not, with its outcome.

Users are not named here: there can be a million. The back matter names the findings table that does, and the manifest
with its hash. Ids follow from the run's seal, so the same evidence gives the same bytes. Texts of others stand in
properties, which are plain text, and never in descriptions, which are Markdown.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scanner.checks import BoundCheck, title_check
from scanner.evidence import StoredRun
from scanner.evidence.store import write_file
from scanner.frameworks import Control, Framework, bind_checks
from scanner.model import AccountOutcome, Verdict
from scanner.records import encode
from scanner.reports.breakdown import Breakdown, Counts, count_findings
from scanner.reports.facts import describe_scope, list_check_figures
from scanner.reports.naming import claim, name_document
from scanner.reports.oscal_parts import (
    Ids,
    Object,
    draw_risk,
    list_properties,
    list_resources,
    name_control,
    tokenize,
)
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    OUTCOMES,
    TITLE,
    complete,
    conclude,
    count,
    describe_result,
    format_iso,
    list_notices,
)
from scanner.summary import AcceptanceTotals, CheckTotals

_VERSION = "1.2.1"
_SUBJECTS = 1_000
"""
How many accounts one observation names; the others are counted. The findings table has all.
"""

_STATES: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("satisfied", "pass"),
    Verdict.FAIL: ("not-satisfied", "fail"),
}
_CAVEAT = (
    "This is a test of configuration at the times shown. Whether the requirement is met is for the assessor to "
    "determine."
)


def render_oscal(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.oscal.json`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "oscal.json"))
    write_file(path, encode({"assessment-results": _Draft(run).draw()}))
    return [path]


class _Draft:
    """
    The document being drawn of one run.
    """

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._summary = run.summary
        self._found: Breakdown = count_findings(run)
        self._ids = Ids(run.manifest_sha256)
        self._bound = {bound.name: bound for bound in bind_checks(run.frameworks)}

    def draw(self) -> Object:
        """
        Return the document.
        """
        summary = self._summary
        return {
            "uuid": self._ids.make("document"),
            "metadata": {
                "title": TITLE,
                "last-modified": format_iso(summary.window.finished),
                "version": self._run.manifest_sha256,
                "oscal-version": _VERSION,
                "props": self._list_facts(),
            },
            "import-ap": {"href": f"#{self._ids.make('plan')}"},
            "results": [self._draw_result()],
            "back-matter": {"resources": list_resources(self._run, self._ids)},
        }

    def _list_facts(self) -> list[Object]:
        summary = self._summary
        return list_properties(
            {
                "run": summary.run_id,
                "period": summary.period,
                "organization": summary.organization_name,
                "organization-id": summary.organization_id,
                "seal": self._run.manifest_sha256,
                "prepared-by": summary.prepared_by,
                "tool-version": summary.tool_version,
                **{f"notice-{notice.kind}": notice.sentence for notice in list_notices(summary)},
            }
        )

    def _draw_result(self) -> Object:
        summary = self._summary
        notices = [f"{notice.label}: {notice.sentence}." for notice in list_notices(summary)]
        result = {
            "uuid": self._ids.make("result"),
            "title": TITLE,
            "description": " ".join((*notices, conclude(summary), complete(summary), _CAVEAT)),
            "start": format_iso(summary.window.started),
            "end": format_iso(summary.window.finished),
            "props": self._list_facts(),
            "local-definitions": {
                "components": [
                    {
                        "uuid": self._ids.make("tool"),
                        "type": "software",
                        "title": "orgproof",
                        "description": "The program that made these results. It is no assessor.",
                        "status": {"state": "operational"},
                    }
                ],
                "inventory-items": list(self._list_accounts()),
            },
            "reviewed-controls": {"control-selections": list(self._list_selections())},
            "observations": [self._observe(total) for total in summary.checks],
            "risks": [draw_risk(entry, self._ids) for entry in summary.acceptances],
            "findings": list(self._list_findings()),
        }
        # OSCAL refuses an empty list.
        return {name: value for name, value in result.items() if value != []}

    def _list_accounts(self) -> Iterator[Object]:
        names = ("account_id", "name", "ou_path", "outcome", "reason_code", "generated_time")
        for record in list_records(self._run.accounts()[list(names)]):
            outcome = AccountOutcome(str(record["outcome"]))
            yield {
                "uuid": self._ids.make("account", str(record["account_id"])),
                "description": f"AWS account, {OUTCOMES[outcome]}.",
                "props": list_properties(
                    {
                        "account-id": record["account_id"],
                        "account-name": record["name"],
                        "ou-path": record["ou_path"],
                        "outcome": outcome,
                        "reason-code": record["reason_code"],
                        "report-made": record["generated_time"],
                    }
                ),
            }

    def _list_selections(self) -> Iterator[Object]:
        for framework in self._run.frameworks:
            yield {
                "description": "The controls of one framework that are looked at, within its scope.",
                "props": list_properties(
                    {
                        "framework": framework.id,
                        "framework-name": f"{framework.name} {framework.version}",
                        **{
                            tokenize(label.lower()): value
                            for label, value in describe_scope(self._summary, framework.id)
                        },
                    }
                ),
                "include-controls": [
                    {"control-id": name_control(framework.id, control.id)}
                    for control in framework.controls
                ],
            }

    def _observe(self, total: CheckTotals) -> Object:
        """
        Return what one check found, and in which accounts.
        """
        bound = self._bound.get(total.check)
        accounts = self._found.get(total.check, {})
        more = len(accounts) - _SUBJECTS
        observation = {
            "uuid": self._ids.make("observation", total.check),
            "title": title_check(total.check),
            "description": _describe_check(bound, total),
            "props": list_properties(
                {
                    "check": total.check,
                    "severity": total.severity,
                    "about": total.subject,
                    **{tokenize(label): number for label, number in list_check_figures(total)},
                    "accepted": total.accepted,
                    "accounts-not-read": self._summary.accounts.not_collected,
                }
            ),
            "methods": ["TEST"],
            "types": ["finding"],
            "origins": [
                {"actors": [{"type": "tool", "actor-uuid": self._ids.make("tool")}]},
            ],
            "subjects": [
                self._name_subject(account, counts)
                for account, counts in list(accounts.items())[:_SUBJECTS]
            ],
            "relevant-evidence": [
                {
                    "href": f"#{self._ids.make('findings')}",
                    "description": "The findings of this check, one for each user or account.",
                }
            ],
            "collected": format_iso(self._summary.window.finished),
            "remarks": f"{count(more, 'more account')} with findings in the findings table."
            if more > 0
            else None,
        }
        return {name: value for name, value in observation.items() if value not in ([], None)}

    def _name_subject(self, account: str, counts: Counts) -> Object:
        return {
            "subject-uuid": self._ids.make("account", account),
            "type": "inventory-item",
            "props": list_properties(
                {
                    "account-id": account,
                    "exceptions": counts.failed,
                    "needs-review": counts.leads,
                    "unable-to-determine": counts.unknown,
                    "accepted": counts.accepted,
                }
            ),
        }

    def _list_findings(self) -> Iterator[Object]:
        frameworks = {framework.id: framework for framework in self._run.frameworks}
        controls = {
            (framework.id, control.id): control
            for framework in self._run.frameworks
            for control in framework.controls
        }
        for record in list_records(self._run.controls()):
            framework = frameworks[str(record["framework"])]
            control = controls[framework.id, str(record["control_id"])]
            yield self._find(framework, control, record)

    def _find(self, framework: Framework, control: Control, record: Mapping[str, Any]) -> Object:
        """
        Return what the evidence says of one control.
        """
        verdict = Verdict(str(record["verdict"]))
        state, reason = _STATES.get(verdict, ("not-satisfied", "other"))
        target = name_control(framework.id, control.id)
        related = [
            {"observation-uuid": self._ids.make("observation", name)}
            for name in dict.fromkeys(mapped.bound.name for mapped in control.checks)
        ]
        finding = {
            "uuid": self._ids.make("finding", framework.id, control.id),
            "title": f"Control {target}",
            "description": f"{_say_verdict(verdict)} {_CAVEAT}",
            "props": list_properties(
                {
                    "framework": framework.id,
                    "control": control.id,
                    "control-title": control.title,
                    "relation": record["relation"],
                    "verdict": verdict,
                    "result": describe_result(framework, record),
                    **{
                        name.replace("_", "-"): record[name]
                        for name in ("evaluated", "failed", "unknown", "not_tested", "accepted")
                    },
                }
            ),
            "target": {
                "type": "objective-id",
                "target-id": target,
                "status": {"state": state, "reason": reason, "remarks": _say_verdict(verdict)},
            },
            "related-observations": related,
            "related-risks": [
                {"risk-uuid": self._ids.make("risk", entry.id)}
                for entry in self._list_risks(control)
            ],
        }
        return {name: value for name, value in finding.items() if value != []}

    def _list_risks(self, control: Control) -> Iterator[AcceptanceTotals]:
        """
        Yield the accepted risks that bear on a control's checks, in force or not.
        """
        names = {mapped.bound.name for mapped in control.checks}
        names |= {mapped.bound.check.id for mapped in control.checks}
        return (entry for entry in self._summary.acceptances if entry.check in names)


def _describe_check(bound: BoundCheck | None, total: CheckTotals) -> str:
    figures = ", ".join(f"{label}: {number:,}" for label, number in list_check_figures(total))
    totals = f"{figures[:1].upper()}{figures[1:]}."
    if bound is None:
        return totals
    # What a check looks for is written in a catalog where it is no default: `*` in it is no emphasis.
    condition = re.sub(r"([\\`*_{}\[\]<>#!|~&])", r"\\\1", f"{bound.condition} {bound.reach}")
    return f"{condition} {totals}"


def _say_verdict(verdict: Verdict) -> str:
    return {
        Verdict.PASS: "No exception was noted by the direct checks in any account in scope.",
        Verdict.FAIL: "Exceptions were noted.",
        Verdict.UNKNOWN: "Unable to determine: the evidence is not whole, and this is no sign that the control holds.",
        Verdict.NEEDS_REVIEW: "Needs review: somebody has to look at what was noted.",
        Verdict.NOT_TESTED: "Not tested: nothing here decides about this control.",
        Verdict.NOT_APPLICABLE: "Not applicable to anything that was read.",
    }[verdict]
