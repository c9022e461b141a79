"""
How the evidence came about and what it cannot show, in words: the same in the PDF and the workbook.
"""

from collections.abc import Sequence

from scanner.evidence import StoredRun
from scanner.frameworks import bind_checks

POPULATION = (
    "The population is every account that AWS Organizations listed when the run began, and in each "
    "account that was read, the root user and every IAM user of its credential report. Nothing is "
    "sampled and nothing is filtered: an account that could not be read stays in the ledger with its "
    "reason, and a value that could not be interpreted gives the verdict 'unable to determine'."
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

CALLS: Sequence[tuple[str, str]] = (
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
    ("iam:GetAccountSummary", "IAM's own count of users, as a cross-check"),
    ("iam:ListUsers", "who is missing, where the two counts differ"),
    ("iam:ListMFADevices, iam:GetLoginProfile", "the live state of a user shown without MFA"),
    ("iam:ListUserTags", "who owns such a user"),
)

LIMITS: Sequence[str] = (
    (
        "This is a technical test of configuration at the times shown. Whether a requirement is met is for "
        "the assessor, auditor or certification body to determine."
    ),
    (
        "Which accounts lie in the scope of a framework is the operator's to declare. It cannot be derived "
        "from AWS."
    ),
    (
        "Only root users and IAM users are covered. People who come through IAM Identity Center or through "
        "SAML or OIDC federation are not in a credential report, and neither are roles and workloads. For "
        "them, use the evidence of the identity provider."
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
        "Last-used times are approximate: they arrive late, note only the first use in an interval of some "
        "minutes, and begin in 2014 for passwords and 2015 for keys. They are not an audit log."
    ),
    "An account that is listed and was not collected is not tested. That no finding names it means nothing.",
    "Exemptions that a standard grants, such as for automated accounts, are not visible in the report.",
    "The mappings to controls are in our own words and are an aid. The text of the standards decides.",
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
        "orgproof render RUN",
        "draws these documents again from the evidence; the same version gives the same bytes",
    ),
)

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
    ("Direct", "the check is what the control asks about, as far as the report can show it"),
    ("Supporting", "the check lends weight and is a lead; it decides nothing about the control"),
    ("Seal", "the SHA-256 of manifest.json, which lists the hash of every file of the evidence"),
)


def list_conditions(run: StoredRun) -> list[tuple[str, str, str]]:
    """
    Return each check in use with its parameters and the exact condition of an exception, in words.
    """
    return [
        (
            bound.name,
            bound.check.condition,
            ", ".join(f"{key} = {value}" for key, value in bound.parameters.model_dump().items())
            or "none",
        )
        for bound in bind_checks(run.frameworks)
    ]
