"""
The findings as events of the Open Cybersecurity Schema Framework: class 2003, Compliance Finding, one on each line.

Every finding is an event, and so is every account that could not be read: its status is Unknown, never Pass. No event
says Pass at all, for rows without an exception are no findings. A finding that nobody accepted is New, which OCSF
takes to mean "yet to be reviewed"; one with an acceptance in force is Suppressed, and still a Fail. What the account
said when it was asked stands in `unmapped`, for it annotates a finding and closes none.

Values are exactly as stored; lines are plain ASCII, with everything else escaped. What is missing is left out, but for
`unmapped`. No default of the library's is written. See https://schema.ocsf.io/1.5.0/classes/compliance_finding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from py_ocsf_models.events.findings.activity_id import ActivityID
from py_ocsf_models.events.findings.category_uid import CategoryUID
from py_ocsf_models.events.findings.class_uid import ClassUID
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.compliance_finding_type_id import ComplianceFindingTypeID
from py_ocsf_models.events.findings.severity_id import SeverityID
from py_ocsf_models.events.findings.status_id import StatusID
from py_ocsf_models.objects.account import Account, TypeID
from py_ocsf_models.objects.analytic import Analytic
from py_ocsf_models.objects.check import Check
from py_ocsf_models.objects.cloud import Cloud
from py_ocsf_models.objects.compliance import Compliance
from py_ocsf_models.objects.compliance_status import StatusID as ComplianceStatus
from py_ocsf_models.objects.finding_info import FindingInformation
from py_ocsf_models.objects.metadata import Metadata
from py_ocsf_models.objects.organization import Organization
from py_ocsf_models.objects.product import Product
from py_ocsf_models.objects.resource_details import ResourceDetails

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.frameworks import bind_checks
from scanner.history import State
from scanner.model import ROOT_USER, Severity, Verdict, mend
from scanner.reports.naming import claim, name_document
from scanner.reports.tables import stream_findings
from scanner.reports.wording import VERDICTS, list_notices

_VERSION = "1.5.0"
_RULE = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES: Mapping[str, tuple[ComplianceStatus, str]] = {
    Verdict.FAIL: (ComplianceStatus.Fail, "Fail"),
    Verdict.UNKNOWN: (ComplianceStatus.Unknown, "Unknown"),
    Verdict.NEEDS_REVIEW: (ComplianceStatus.Other, "Needs review"),
}
_SEVERITIES: Mapping[str, tuple[SeverityID, str]] = {
    Severity.CRITICAL: (SeverityID.Critical, "Critical"),
    Severity.HIGH: (SeverityID.High, "High"),
    Severity.MEDIUM: (SeverityID.Medium, "Medium"),
    Severity.LOW: (SeverityID.Low, "Low"),
    Severity.INFO: (SeverityID.Informational, "Informational"),
}
_UNMAPPED = (
    "verdict",
    "confirmation",
    "confirmation_note",
    "acceptance",
    "acceptance_note",
    "owner",
    "state",
    "days_open",
)


class _Compliance(Compliance):
    """
    OCSF's object with a field that the library lacks: the caption of `status_id`.
    """

    status: str


class _Event(ComplianceFinding):
    """
    OCSF's class with the profile Cloud applied.
    """

    cloud: Cloud
    compliance: _Compliance


def render_ocsf(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.ocsf.jsonl`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "ocsf.jsonl"))
    with create_file(path) as file:
        for event in _list_events(run):
            line = event.model_dump_json(exclude_unset=True, exclude_none=True, ensure_ascii=True)
            file.write(line.encode() + b"\n")
    return [path]


@dataclass(frozen=True, slots=True)
class _Rule:
    """
    What is the same in every event of one check.
    """

    title: str
    condition: str
    analytic: Analytic


def _list_events(run: StoredRun) -> Iterator[_Event]:
    titles = {total.check: title_check(total.check) for total in run.summary.checks}
    bound = {check.name: check.condition for check in bind_checks(run.frameworks)}
    rules = {
        name: _Rule(
            title,
            bound.get(name, title),
            Analytic(name=title, uid=name, type="Rule", type_id=_RULE),
        )
        for name, title in titles.items()
    }
    maker = _Maker(run, rules)
    columns, rows = stream_findings(run)
    for row in rows:
        yield maker.make(dict(zip(columns, row, strict=True)))


class _Maker:
    """
    Makes a run's events. What is the same for many is made once.
    """

    def __init__(self, run: StoredRun, rules: Mapping[str, _Rule]) -> None:
        summary = run.summary
        self._rules = rules
        self._standards = {ref.id: f"{ref.name} {ref.version}" for ref in summary.frameworks}
        self._partition = summary.partition
        self._time = _count_milliseconds(summary.window.finished)
        self._time_dt = summary.window.finished
        self._organization = mend(summary.organization_name) or None, summary.organization_id
        self._run = {"run_id": summary.run_id, "manifest_sha256": run.manifest_sha256}
        self._metadata = Metadata(
            version=_VERSION,
            product=Product(
                name="orgproof", vendor_name="orgproof", version=mend(summary.tool_version)
            ),
            profiles=["cloud", "datetime"],
            correlation_uid=summary.run_id,
            tenant_uid=summary.organization_id,
            labels=[notice.label for notice in list_notices(summary)],
        )
        self._clouds: dict[tuple[Any, ...], Cloud] = {}
        self._compliances: dict[tuple[Any, ...], _Compliance] = {}

    def make(self, row: Mapping[str, Any]) -> _Event:
        """
        Return the event of one row of the findings table.
        """
        rule = self._rules[row["check"]]
        severity, caption = _SEVERITIES[row["severity"]]
        activity = ActivityID.Create if row["state"] == State.NEW else ActivityID.Update
        status = StatusID.New if row["acceptance"] is None else StatusID.Suppressed
        return _Event(
            activity_id=activity,
            activity_name=activity.name,
            category_name="Findings",
            category_uid=CategoryUID.Findings,
            class_name="Compliance Finding",
            class_uid=ClassUID.ComplianceFinding,
            cloud=self._place(row),
            compliance=self._hold(row, rule, severity, caption),
            finding_info=self._inform(row, rule),
            message=f"{rule.title}: {row['observation']}",
            metadata=self._metadata,
            resources=[self._name_resource(row)],
            severity=caption,
            severity_id=severity,
            status=status.name,
            status_detail=row["acceptance_note"],
            status_id=status,
            time=self._time,
            time_dt=self._time_dt,
            type_name=f"Compliance Finding: {activity.name}",
            type_uid=ComplianceFindingTypeID[activity.name],
            unmapped=self._run | {name: row[name] for name in _UNMAPPED},
        )

    def _place(self, row: Mapping[str, Any]) -> Cloud:
        key = (row["account_id"], row["account_name"], row["ou_path"])
        if key not in self._clouds:
            if len(self._clouds) > 1_000:  # rows come account by account
                self._clouds.clear()
            name, uid = self._organization
            self._clouds[key] = Cloud(
                provider="AWS",
                account=Account(
                    name=row["account_name"] or "",
                    uid=row["account_id"],
                    type="AWS Account",
                    type_id=TypeID.AWS_Account,
                ),
                org=Organization(name=name, uid=uid, ou_name=row["ou_path"]),
            )
        return self._clouds[key]

    def _hold(
        self, row: Mapping[str, Any], rule: _Rule, severity: SeverityID, caption: str
    ) -> _Compliance:
        """
        Return what a check found and which requirements it bears on, made once for each kind of finding.
        """
        key = (row["check"], row["verdict"], row["controls"], caption)
        if key not in self._compliances:
            status, word = _STATUSES[row["verdict"]]
            requirements = (row["controls"] or "").split("; ") if row["controls"] else []
            self._compliances[key] = _Compliance(
                status=word,
                status_id=status,
                control=row["check"],
                desc=rule.condition,
                requirements=requirements,
                standards=self._name_standards(requirements),
                checks=[
                    Check(
                        uid=row["check"],
                        name=rule.title,
                        desc=f"{rule.title}: {VERDICTS[Verdict(row['verdict'])]}",
                        severity=caption,
                        severity_id=severity,
                        status=word,
                        status_id=status,
                    )
                ],
            )
        return self._compliances[key]

    def _name_standards(self, requirements: Sequence[str]) -> list[str]:
        ids = dict.fromkeys(requirement.partition(":")[0] for requirement in requirements)
        return [mend(self._standards.get(name, name)) for name in ids]

    def _inform(self, row: Mapping[str, Any], rule: _Rule) -> FindingInformation:
        return FindingInformation(
            uid=row["finding_id"],
            title=rule.title,
            desc=row["observation"],
            types=[VERDICTS[Verdict(row["verdict"])]],
            analytic=rule.analytic,
            data_sources=["IAM credential report"],
            created_time=_count_milliseconds(row["first_seen"]),
            created_time_dt=row["first_seen"],
            first_seen_time=_count_milliseconds(row["first_seen"]),
            first_seen_time_dt=row["first_seen"],
            last_seen_time=_count_milliseconds(row["last_seen"]),
            last_seen_time_dt=row["last_seen"],
        )

    def _name_resource(self, row: Mapping[str, Any]) -> ResourceDetails:
        user = row["user"]
        is_user = user is not None and user != ROOT_USER
        return ResourceDetails(
            uid=row["arn"],
            name=row["account_name"] if user is None else user,
            type="AwsIamUser" if is_user else "AwsAccount",
            cloud_partition=self._partition,
        )


def _count_milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)
