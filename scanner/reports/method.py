"""
How the evidence came about and what it cannot show, in words: the same in the PDF and the workbook.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner.checks import BoundCheck, Subject, title_check
from scanner.evidence import StoredRun
from scanner.evidence.run import SETTINGS_JSON
from scanner.evidence.store import read_file
from scanner.frameworks import bind_checks
from scanner.model import Terms
from scanner.records import decode

POPULATION = (
    "The population is every account that AWS Organizations listed when the run began, and in each "
    "account that was read, the root user and every IAM user of its credential report. Nothing is "
    "sampled and nothing is filtered: an account that could not be read stays in the ledger with its "
    "reason, and a value that could not be interpreted gives the verdict 'unable to determine'. A "
    "framework speaks for the accounts in its scope, and its results count those alone; findings are "
    "listed for every account, whatever the scopes."
)

STEPS: Sequence[tuple[str, str]] = (
    (
        "Discover",
        (
            "List every account of the organization with its state and place in the OU tree. A list that "
            "could not be read to its end stops the run."
        ),
    ),
    (
        "Collect",
        (
            "In each selected account ask IAM for the credential report and keep the bytes as they came, "
            "before anything reads them."
        ),
    ),
    (
        "Judge",
        (
            "Apply each check to each row. A check first decides whether it applies to the row, and only "
            "then whether its condition holds."
        ),
    ),
    (
        "Accept",
        (
            "Hold each exception and each lead against the file of accepted risks, as of the day of the "
            "judgement. An acceptance in force stands beside the finding, and so does one that expired. The "
            "verdict stays; an unknown verdict and an account that was not read cannot be accepted."
        ),
    ),
    (
        "Compare",
        (
            "Hold the findings against the newest earlier run of a full selection. A finding that is gone is "
            "fixed only where its account was read and its check was made this time; else it is not scanned."
        ),
    ),
    (
        "Confirm",
        (
            "Ask the account itself about each user shown with a password and without a device. The answer "
            "annotates the finding and never removes it."
        ),
    ),
    (
        "Seal",
        (
            "List every file with its size and SHA-256 in manifest.json. The hash of that file is the seal "
            "printed on each page."
        ),
    ),
)

TIMING = (
    "AWS serves the same credential report for up to four hours. A change made after the time at which a "
    "report was made is not in it, so each account's own time is printed and not only the run's. The "
    "reports of different accounts were made at different times; the run covers the range printed."
)

_CALLS: Sequence[tuple[str, str]] = (
    ("sts:GetCallerIdentity", "who runs the scan"),
    ("organizations:DescribeOrganization", "the organization and its management account"),
    ("organizations:ListAccounts", "every account, with its state"),
    (
        "organizations:ListRoots, ListOrganizationalUnitsForParent, ListAccountsForParent",
        "the OU tree and its names",
    ),
    ("iam:ListOrganizationsFeatures", "whether root access is managed centrally"),
    ("sts:AssumeRole", "a session in each account, cut down to the reads below"),
    ("iam:GenerateCredentialReport", "have the report made"),
    ("iam:GetCredentialReport", "fetch the report"),
    (
        "iam:GetAccountSummary",
        "IAM's own count of users, as a cross-check, and whether root has a password",
    ),
    ("iam:ListUsers", "who is missing, where the two counts differ"),
    ("iam:ListMFADevices, iam:GetLoginProfile", "the live state of a user shown without MFA"),
    ("iam:ListUserTags", "who owns such a user"),
)
_TAGS_CALL = (
    "organizations:ListTagsForResource",
    "the tags of every account, because a framework's scope names accounts by tag",
)
_TAGS_PLACE = 4  # after the other questions about the organization

PERMISSIONS: Sequence[tuple[str, str]] = (
    (
        "Whoever runs the scan",
        (
            "sts:AssumeRole on the role in each account; organizations:DescribeOrganization, "
            "organizations:ListAccounts; for the names of OUs organizations:ListRoots, "
            "organizations:ListOrganizationalUnitsForParent, organizations:ListAccountsForParent; where a scope "
            "names tags organizations:ListTagsForResource; iam:ListOrganizationsFeatures; and in its own account "
            "the actions of the next line"
        ),
    ),
    (
        "The role in each account",
        (
            "iam:GenerateCredentialReport, iam:GetCredentialReport, iam:GetAccountSummary, iam:ListUsers, "
            "iam:ListMFADevices, iam:GetLoginProfile, iam:ListUserTags"
        ),
    ),
)

CLOCKS: Sequence[tuple[str, str]] = (
    (
        "By the clock of AWS",
        (
            "when a report was made, when a user, password, key or certificate was made, changed or last used, "
            "and when a device was enabled"
        ),
    ),
    (
        "By the clock of the scan",
        (
            "when the collection began and ended, when an account was asked and a report fetched, and with that "
            "a report's age. AWS refuses requests from a clock that is more than some minutes off; an account "
            "that was not read for that reason says clock-skew"
        ),
    ),
    (
        "By the day of the judgement",
        "whether an acceptance is in force. Ages in a check are whole days up to the report's own time",
    ),
)

LIMITS: Sequence[str] = (
    (
        "This is a technical test of configuration at the times shown. Whether a requirement is met is for "
        "the assessor, auditor or certification body to determine."
    ),
    (
        "Which accounts lie in the scope of a framework (a cardholder data environment, the scope of a "
        "management system) is the operator's to declare. It cannot be derived from AWS."
    ),
    (
        "Only root users and IAM users are covered. People who come through IAM Identity Center or through "
        "SAML or OIDC federation are not in a credential report, and neither are roles and workloads. As of "
        "November 2026 AWS has no public API for the MFA devices of Identity Center's users. For them, use "
        "the evidence of the identity provider."
    ),
    (
        "A device counts when one is registered: the console then asks for it at each sign-in. The report "
        "shows neither its kind, nor whether it resists phishing or replay, nor who holds it. Calls made "
        "with access keys do not ask for it unless a policy says so."
    ),
    (
        "In PCI DSS, signing in to the AWS Management Console is non-console access, since it runs over a "
        "network."
    ),
    "Access keys beyond two for a user, credentials for single services and SSH keys are not in the report.",
    "The report holds no permissions. An IAM user in it may be an administrator or may have no rights at all.",
    (
        "Last-used times are approximate and are not an audit log. They note the first use in an interval "
        "of 5 or 15 minutes and arrive late. They begin on 20 October 2014 for passwords and on 22 April "
        "2015 for access keys, and leave out passwords used from 3 to 23 May 2018."
    ),
    (
        "AWS serves the same report for up to four hours, and a change made after a report's own time is not "
        "in it. The accounts' reports were made at different times: the run covers the range printed."
    ),
    (
        "An account that is listed and was not collected is not tested. That no finding names it means "
        "nothing."
    ),
    (
        "Thresholds are those printed with each check. Where a standard leaves the period to the "
        "organization, as ISO/IEC 27001 and PCI DSS 8.6.3 do, the value used is an assumption until the "
        "organization's own is put in its place."
    ),
    (
        "Disuse, names that look shared, first passwords and keys made with the user are signs and not "
        "proof: they show whom to ask about."
    ),
    (
        "Exemptions that a standard grants are not visible in the report. PCI DSS, for one, exempts accounts "
        "of automated systems, point-of-sale users with one card number at a time, and accounts that use "
        "phishing-resistant factors only."
    ),
    (
        "The mappings to controls are in our own words, cite the standards' ids and are an aid. The text of "
        "the standards decides."
    ),
    (
        "These documents name accounts, users and their weaknesses. Keep them where few can read them, and "
        "encrypt them when they are sent."
    ),
)

VERIFY: Sequence[tuple[str, str]] = (
    (
        "sha256sum manifest.json",
        "in the run folder; it must print the seal that stands in full above",
    ),
    (
        "sha256sum --check SHA256SUMS",
        "in the run folder; it must say OK for each file, and needs nothing of ours",
    ),
    (
        "orgproof verify RUN",
        "checks all of this, derives every table again from the raw reports, and needs no network",
    ),
    (
        "orgproof render RUN",
        "draws these documents again from the evidence; the same version gives the same bytes",
    ),
)

CONTAINER: Mapping[str, str] = {
    "a": (
        "The document is in the form PDF/A-3a (ISO 19005-3, level A), made to be read unchanged for decades: every "
        "font is inside it, and its structure is marked."
    ),
    "b": (
        "The document is in the form PDF/A-3b (ISO 19005-3, level B), made to be read unchanged for decades: every "
        "font is inside it, and its structure is marked. It is not level A, for a name in it has signs that "
        "cannot be told as text."
    ),
}
"""
What the PDF says of its own form, by level.
"""

GLOSSARY: Sequence[tuple[str, str]] = (
    ("Console user", "an IAM user with a password for the AWS Management Console"),
    ("Root user", "the identity that an account was opened with; it holds every right in it"),
    ("MFA", "a second factor beside the password, asked for at each sign-in"),
    ("OU", "an organizational unit: a folder of accounts in AWS Organizations"),
    ("Credential report", "IAM's list of an account's users and the state of their credentials"),
    (
        "Exception",
        "a row for which a check's condition holds; no judgement of what follows from it",
    ),
    (
        "Lead",
        "a row to ask about, which needs review; it is no exception, for the report cannot tell",
    ),
    (
        "Accepted risk",
        "an exception or lead that somebody answers for, on whose word and until when; it stays one",
    ),
    (
        "Scope",
        "the accounts that a framework speaks for, as the settings declare them; without a declaration, all",
    ),
    ("Direct", "the check is what the control asks about, as far as the report can show it"),
    ("Supporting", "the check lends weight and is a lead; it decides nothing about the control"),
    (
        "Finding",
        "a user, root user or account, and one check that gave an exception, a lead or no verdict",
    ),
    ("Unable to determine", "the verdict where the report, or its absence, leaves the answer open"),
    (
        "Not collected",
        "an active account that was to be read and could not be; the reason is printed",
    ),
    (
        "Period",
        "the quarter or other span that a run is named for; the run itself is a moment in it",
    ),
    (
        "Confirmation",
        "what the account said of a user shown without MFA, when it was asked during the run",
    ),
    ("Selection", "the accounts that a run looks at; a partial one is marked on every page"),
    ("Passkey", "a FIDO credential, on a key or in a device, that resists phishing"),
    ("Seal", "the SHA-256 of manifest.json, which lists the hash of every file of the evidence"),
)


SEVERITY = (
    "A severity says how soon somebody should look, in this tool's own grading and in no standard's, and decides "
    "nothing about a control. It is the check's own for each of its findings, unless the check says that it depends "
    "on who is affected: then each finding prints the one it was given, and a verdict that could not be reached "
    "carries the check's own."
)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    What one check tests, as an auditor needs it to test the same by hand.

    `grading` says on what the severity of a finding depends, as a sentence; empty where it is the check's own.
    """

    name: str
    title: str
    subject: str
    notes: str
    severity: str
    grading: str
    condition: str
    reach: str
    parameters: str


def list_conditions(run: StoredRun) -> list[Condition]:
    """
    Return each check in use with its exact condition, and the parameters it ran with.
    """
    return [
        Condition(
            name=bound.name,
            title=title_check(bound.name),
            subject=f"about each {bound.check.subject}",
            notes=_say_notes(bound),
            severity=str(bound.check.severity),
            grading=f"Severity: {bound.check.graded}." if bound.check.graded else "",
            condition=bound.condition,
            reach=bound.reach,
            parameters=describe_parameters(bound),
        )
        for bound in bind_checks(run.frameworks)
    ]


def describe_parameters(bound: BoundCheck) -> str:
    """
    Return every parameter of a check with its value, those with their default included.
    """
    values = bound.parameters.model_dump()
    return "; ".join(f"{key} = {_write(value)}" for key, value in values.items()) or "none"


def _write(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _say_notes(bound: BoundCheck) -> str:
    if bound.check.subject is Subject.ACCOUNT:
        return "unable to determine where its condition holds"
    return "a lead, which needs review" if bound.check.is_lead else "an exception"


def list_calls(run: StoredRun) -> list[tuple[str, str]]:
    """
    Return the calls that were made to AWS and what for. Accounts' tags are asked for only by a scope.

    Raises `EvidenceError` when the run's settings cannot be read.
    """
    path = run.folder / "inputs" / SETTINGS_JSON
    terms = decode(Terms, read_file(path), f"inputs/{SETTINGS_JSON}")
    calls = list(_CALLS)
    if any(rule.tags for rule in terms.scopes):
        calls.insert(_TAGS_PLACE, _TAGS_CALL)
    return calls
