"""
The totals that every document prints: a run's summary, and the parts it is made of.

All times are aware and in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scanner.model import AccountId, Moment, Selection, Severity


@dataclass(frozen=True, slots=True)
class AccountTotals:
    """
    The coverage ledger: `listed` is the sum of the other four.
    """

    listed: int
    collected: int
    not_collected: int
    excluded: int
    not_active: int


@dataclass(frozen=True, slots=True)
class UserTotals:
    """
    Rows read from the collected accounts' reports, root users counted apart.

    `console` has a password, `console_without_mfa` a password and no MFA device, `unknown` a value
    the report does not make clear for either, or a report that was too old: such a user is in no other
    figure but `users`. Users of accounts not read are unknown in number and in none of these.
    """

    users: int
    roots: int
    console: int
    console_with_mfa: int
    console_without_mfa: int
    unknown: int

    @property
    def may_sign_in(self) -> int:
        """
        The users who have a console password, or of whom the reports do not show that they have none.
        """
        return self.console_with_mfa + self.console_without_mfa + self.unknown


@dataclass(frozen=True, slots=True)
class CheckTotals:
    """
    One check over all rows read: `passed + failed + needs_review + not_applicable + unknown = rows`.

    `check` is the check's column name, parameters included, and `subject` whom it is about. Of a check about
    accounts the rows are the accounts listed. `accepted` counts exceptions and leads that an acceptance
    covers; they are in `failed` and `needs_review` all the same.
    """

    check: str
    title: str
    severity: Severity
    rows: int
    passed: int
    failed: int
    needs_review: int
    not_applicable: int
    unknown: int
    accepted: int = 0
    subject: str = "user"

    @property
    def evaluated(self) -> int:
        """
        The rows the check could decide about.
        """
        return self.passed + self.failed + self.needs_review


@dataclass(frozen=True, slots=True)
class Window:
    """
    When the scan ran, and between which moments the reports it read were made. UTC.

    `oldest_report` and `newest_report` are None when no account was read.
    """

    started: Moment
    finished: Moment
    oldest_report: Moment | None
    newest_report: Moment | None


@dataclass(frozen=True, slots=True)
class FrameworkRef:
    """
    Which control catalog was judged by: its id, edition and the SHA-256 of its file.
    """

    id: str
    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ScopeTotals:
    """
    For which accounts a framework speaks in this run, and how many of those were read.

    `accounts` counts active accounts within the scope and `not_tested` those of them that were not read,
    for whatever reason. `words` says what was declared, `source` and `sha256` name the settings file it
    stands in: None where nothing was declared, and then every account is taken to be in scope.
    """

    framework: str
    is_declared: bool
    words: str
    accounts: int
    not_tested: int
    source: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """
    The run that this one is compared with. `manifest_sha256` is its seal.
    """

    run_id: str
    period: str
    started: Moment
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """
    One stretch of time in which a run was collected. A run that was stopped and resumed has several.

    `finished` is None where it ended without notice: a crash, or a power cut.
    """

    started: Moment
    finished: Moment | None
    interrupted: bool
    caller_arn: str
    tool_version: str


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """
    One run's figures as later runs show them.

    `exceptions` counts the console users without MFA whom no acceptance covers. `not_collected` accounts were to
    be read and were not, `stale` ones had a report that was too old, and `read_sha256` is over the ids of the
    others: equal where two runs looked at the same accounts. Runs made before these were kept have None and "".
    """

    period: str
    run_id: str
    started: Moment
    listed: int
    collected: int
    users: int
    console: int
    without_mfa: int
    exceptions: int
    accepted: int
    not_collected: int | None = None
    stale: int = 0
    read_sha256: str = ""

    @property
    def due(self) -> int:
        """
        How many accounts were to be read; all that are listed where that was not kept.
        """
        return self.listed if self.not_collected is None else self.collected + self.not_collected

    @property
    def read(self) -> int:
        """
        How many accounts were read, by a report that was not too old: the figures are theirs.
        """
        return self.collected - self.stale

    @property
    def is_whole(self) -> bool:
        """
        Whether the figures speak for every account that was to be read.
        """
        return 0 < self.read == self.due


@dataclass(frozen=True, slots=True)
class Summary:
    """
    The totals that every document prints, and what the run was. Stored as `summary.json`.

    `reasons` counts the accounts not collected by reason code. `endpoint` is None unless an AWS
    endpoint was overridden on purpose. `simulated` is true for the embedded organization. `accepted` counts
    findings that an acceptance in force covers, `stale` accounts whose report was too old. `changes` counts
    the rows of the history table that changed since the previous run, by state, and `unclear_changes` those of
    them that are verdicts which could not be reached; `unclear_by_confirmation` counts such findings as
    `findings_by_confirmation` counts all; `trend` holds up to eight
    periods, this one last. `judged` is the day acceptances were held to. `parent` is the seal of the run
    whose evidence was judged again, else None. `sittings` holds one entry for each time that the run was
    collected at, and `continues` the sealed run whose evidence this one took over to complete it.
    """

    run_id: str
    period: str
    organization_id: str
    management_account_id: AccountId
    partition: str
    caller_arn: str
    role_name: str
    endpoint: str | None
    simulated: bool
    interrupted: bool
    tool_version: str
    prepared_by: str
    organization_name: str
    selection: Selection
    window: Window
    accounts: AccountTotals
    reasons: Mapping[str, int]
    users: UserTotals
    checks: tuple[CheckTotals, ...]
    findings: int
    findings_by_verdict: Mapping[str, int]
    findings_by_confirmation: Mapping[str, int]
    frameworks: tuple[FrameworkRef, ...]
    exit_status: int
    accepted: int = 0
    stale: int = 0
    max_report_age_hours: int = 24
    scopes: tuple[ScopeTotals, ...] = ()
    acceptances: "tuple[AcceptanceTotals, ...]" = ()
    acceptances_sha256: str | None = None
    previous: PreviousRun | None = None
    changes: Mapping[str, int] = field(default_factory=dict)
    unclear_changes: Mapping[str, int] = field(default_factory=dict)
    unclear_by_confirmation: Mapping[str, int] = field(default_factory=dict)
    trend: tuple[TrendPoint, ...] = ()
    warnings: tuple[str, ...] = ()
    judged: Moment | None = None
    parent: str | None = None
    sittings: tuple[Sitting, ...] = ()
    continues: PreviousRun | None = None
    schema: int = field(default=3)

    @property
    def is_complete(self) -> bool:
        """
        Whether every selected account was read, and at least one was.
        """
        return bool(
            self.accounts.collected and not self.accounts.not_collected and not self.interrupted
        )

    @property
    def due(self) -> int:
        """
        How many accounts were to be read.
        """
        return self.accounts.collected + self.accounts.not_collected

    @property
    def usable(self) -> int:
        """
        How many accounts were read, by a report that was not too old: the users' figures are theirs.
        """
        return self.accounts.collected - self.stale

    @property
    def unknown_verdicts(self) -> int:
        """
        How many verdicts could not be reached about rows that were read.
        """
        return sum(check.unknown for check in self.checks)


@dataclass(frozen=True, slots=True)
class AcceptanceTotals:
    """
    One accepted risk, what it says, and what it did in a run. `scanner.acceptances` makes them.

    `begins` and `until` are ISO dates, the latter the last day in force. `state` is `in-force`,
    `expired` or `not-yet`. `matched` counts the findings it is about, in whatever state; a finding that
    several acceptances are about counts for each. `warnings` says what its owner must look at.
    """

    id: str
    kind: str
    account: str
    user: str
    check: str
    reason: str
    owner: str
    approver: str
    ticket: str
    begins: str
    until: str
    state: str
    matched: int
    warnings: tuple[str, ...]
