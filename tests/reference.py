"""
What each check says of one line of a credential report, judged by hand: the text of the line, if and else.

Written from the description of the checks and from nothing in `scanner`, so that both can be wrong only
together. One row at a time, no tables: an auditor who knows the report can read it from top to bottom.

An answer is True, False, or None for "the report does not say".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Protocol

Answer = bool | None

DAY = timedelta(hours=24)
NO_VALUE = "N/A"
NEVER_SEEN = "no_information"
OLD_ROOT_REPORT = "not_supported"
KEYS = (1, 2)


class Facts(Protocol):
    """
    What is known of an account from other sources than its report.
    """

    @property
    def password_present(self) -> Answer: ...  # noqa: D102

    @property
    def is_management(self) -> bool: ...  # noqa: D102

    @property
    def is_stale(self) -> bool: ...  # noqa: D102


USER, ROOT, ROW = "user", "root", "row"

SUBJECTS = {
    "console-no-mfa": USER,
    "user-inactive": USER,
    "password-unused": USER,
    "access-key-unused": USER,
    "access-key-age": USER,
    "single-factor-password-age": USER,
    "setup-key-never-used": USER,
    "two-active-keys": USER,
    "initial-password-unchanged": USER,
    "password-rotation-overdue": USER,
    "signing-cert-active": USER,
    "console-and-active-key": USER,
    "programmatic-no-mfa": USER,
    "generic-username": USER,
    "no-visible-credentials": USER,
    "extra-credentials": ROW,
    "root-console-no-mfa": ROOT,
    "root-access-key-active": ROOT,
    "root-signing-cert-active": ROOT,
    "root-recent-use": ROOT,
    "root-credentials-present": ROOT,
}
"""
Every check of a report's rows, and whom it is about.
"""

LEADS = {
    "initial-password-unchanged",
    "console-and-active-key",
    "programmatic-no-mfa",
    "generic-username",
    "no-visible-credentials",
    "extra-credentials",
    "root-credentials-present",
}
"""
The checks whose exceptions are something to look at, and not yet a failure.
"""

DEFAULTS: dict[str, dict[str, Any]] = {
    "user-inactive": {"days": 90, "operator": "more-than"},
    "password-unused": {"days": 45, "operator": "at-least"},
    "access-key-unused": {"days": 45, "operator": "at-least"},
    "access-key-age": {"days": 90, "operator": "more-than"},
    "single-factor-password-age": {"days": 90, "operator": "more-than"},
    "setup-key-never-used": {"within_minutes": None},
    "two-active-keys": {"grace_days": 0},
    "initial-password-unchanged": {"minutes": 5},
    "root-recent-use": {"days": 90},
}
"""
The parameters a check runs with when nobody says otherwise. The patterns of names are not among them.
"""


def judge_row(
    check_id: str,
    parameters: Mapping[str, Any],
    row: Mapping[str, str],
    generated: datetime,
    facts: Facts,
) -> str:
    """
    Return the verdict of one check on one line of a report that was made at `generated`.
    """
    is_root = row["user"] == "<root_account>"
    subject = SUBJECTS[check_id]
    if (is_root and subject == USER) or (not is_root and subject == ROOT):
        return "not-applicable"
    if facts.is_stale:
        return "unknown"
    values = {**DEFAULTS.get(check_id, {}), **parameters}
    applies, violated = RULES[check_id](Line(row, generated, facts), values)
    return conclude(applies, violated, "needs-review" if check_id in LEADS else "fail")


def conclude(applies: Answer, violated: Answer, exception: str) -> str:
    """
    Return the verdict: a pass only where the check is known to apply and known not to be violated.
    """
    if applies is None:
        return "unknown"
    if not applies:
        return "not-applicable"
    if violated is None:
        return "unknown"
    return exception if violated else "pass"


def any_of(*answers: Answer) -> Answer:
    """
    Say whether one of them is true: one that is decides, and else all must be known.
    """
    if True in answers:
        return True
    if None in answers:
        return None
    return False


def all_of(*answers: Answer) -> Answer:
    """
    Say whether all of them are true: one that is not decides, and else all must be known.
    """
    if False in answers:
        return False
    if None in answers:
        return None
    return True


def negate(answer: Answer) -> Answer:
    """
    Return the opposite; the opposite of not knowing is not knowing.
    """
    return None if answer is None else not answer


def exceeds(age: int | None, days: int, operator: str) -> Answer:
    """
    Compare an age in whole days with a threshold.
    """
    if age is None:
        return None
    if operator == "at-least":
        return age >= days
    if operator == "more-than":
        return age > days
    raise ValueError(operator)


def read_boolean(text: str) -> Answer:
    """
    Read true or false, in letters of any case. Nothing else means either.
    """
    if re.fullmatch("true", text, re.ASCII | re.IGNORECASE):
        return True
    if re.fullmatch("false", text, re.ASCII | re.IGNORECASE):
        return False
    return None


def read_time(text: str) -> datetime | None:
    """
    Read a moment in UTC as AWS writes it, to the second. A day that no calendar has is none.
    """
    form = r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(Z|\+00:00)"
    match = re.fullmatch(form, text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if hour > 23:  # midnight belongs to the next day, and AWS never wrote it otherwise
        return None
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class Line:
    """
    One line of a report: its text, when the report was made, and what is known of the account.
    """

    row: Mapping[str, str]
    generated: datetime
    facts: Facts

    def yes(self, column: str) -> Answer:
        """
        Return what a yes-or-no column says.
        """
        return read_boolean(self.row[column])

    def time(self, column: str) -> datetime | None:
        """
        Return the moment in a column; one that lies more than 24 hours ahead of the report is no moment.
        """
        moment = read_time(self.row[column])
        if moment is not None and moment - self.generated > DAY:
            return None
        return moment

    def age(self, column: str) -> int | None:
        """
        Return how many whole days before the report the moment in a column was.
        """
        moment = self.time(column)
        return None if moment is None else (self.generated - moment) // DAY

    def key_active(self, slot: int) -> Answer:
        """
        Say whether the access key in a slot is active.
        """
        return self.yes(f"access_key_{slot}_active")

    def any_key_active(self) -> Answer:
        """
        Say whether an access key is active.
        """
        return any_of(self.key_active(1), self.key_active(2))

    def any_cert_active(self) -> Answer:
        """
        Say whether a signing certificate is active.
        """
        return any_of(self.yes("cert_1_active"), self.yes("cert_2_active"))

    def password_was_used(self) -> Answer:
        """
        Say whether the password was ever used. N/A is AWS's word for "no password" and contradicts one.
        """
        text = self.row["password_last_used"]
        if text == NEVER_SEEN:
            return False
        if text == NO_VALUE:
            return False if self.yes("password_enabled") is False else None
        return None if self.time("password_last_used") is None else True

    def key_was_used(self, slot: int) -> Answer:
        """
        Say whether the access key in a slot was ever used.
        """
        column = f"access_key_{slot}_last_used_date"
        if self.row[column] == NO_VALUE:
            return False
        return None if self.time(column) is None else True

    def last_uses(self) -> Sequence[tuple[Answer, int | None]]:
        """
        Return of the password and each key whether it was ever used, and how many days ago.
        """
        return [
            (self.password_was_used(), self.age("password_last_used")),
            (self.key_was_used(1), self.age("access_key_1_last_used_date")),
            (self.key_was_used(2), self.age("access_key_2_last_used_date")),
        ]

    def root_password(self) -> Answer:
        """
        Say whether root has a password. Older reports cannot tell: one is assumed unless IAM denies it.
        """
        if self.row["password_enabled"] == OLD_ROOT_REPORT:
            return self.facts.password_present is not False
        return self.yes("password_enabled")


Judged = tuple[Answer, Answer]
"""
Whether a check applies to a line, and whether the line violates it.
"""


def console_no_mfa(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a password and no MFA device.
    """
    return line.yes("password_enabled"), negate(line.yes("mfa_active"))


def user_inactive(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for a user who used no credential in the period, or, if none was ever used, was issued none in it.
    """
    applies = any_of(line.yes("password_enabled"), line.any_key_active())

    known, unclear = [], False
    for used, age in line.last_uses():
        if used is None:
            unclear = True
        elif used:
            known.append(age)

    if known:
        # The newest use is the one that is the fewest days ago. What is unclear may be newer still.
        newest = min(age for age in known if age is not None)
        too_old = exceeds(newest, values["days"], values["operator"])
        return applies, None if too_old and unclear else too_old
    if unclear:
        return applies, None

    # Never used: one enabled credential that was issued in the period is enough.
    issued_lately = [
        all_of(
            line.yes(enabled), negate(exceeds(line.age(issued), values["days"], values["operator"]))
        )
        for enabled, issued in (
            ("password_enabled", "password_last_changed"),
            ("access_key_1_active", "access_key_1_last_rotated"),
            ("access_key_2_active", "access_key_2_last_rotated"),
        )
    ]
    return applies, negate(any_of(*issued_lately))


def password_unused(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for a password that was not used in the period. One never used counts from its last change.
    """
    applies = line.yes("password_enabled")
    if line.row["password_last_used"] == NEVER_SEEN:
        age = line.age("password_last_changed")
    else:
        age = line.age("password_last_used")  # N/A has no age, so it is unknown
    return applies, exceeds(age, values["days"], values["operator"])


def access_key_unused(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look in either slot for an active key not used in the period. One never used counts from its issue.
    """
    slots = []
    for slot in KEYS:
        if line.row[f"access_key_{slot}_last_used_date"] == NO_VALUE:
            age = line.age(f"access_key_{slot}_last_rotated")
        else:
            age = line.age(f"access_key_{slot}_last_used_date")
        unused = exceeds(age, values["days"], values["operator"])
        slots.append(all_of(line.key_active(slot), unused))
    return line.any_key_active(), any_of(*slots)


def access_key_age(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look in either slot for an active key that was issued before the period.
    """
    slots = []
    for slot in KEYS:
        age = line.age(f"access_key_{slot}_last_rotated")
        old = exceeds(age, values["days"], values["operator"])
        slots.append(all_of(line.key_active(slot), old))
    return line.any_key_active(), any_of(*slots)


def single_factor_password_age(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for a password that is the only factor, and was last changed before the period.
    """
    applies = all_of(line.yes("password_enabled"), negate(line.yes("mfa_active")))
    age = line.age("password_last_changed")
    return applies, exceeds(age, values["days"], values["operator"])


def setup_key_never_used(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look in either slot for a console user's active key that was never used; with a limit, made with the user.
    """
    applies = all_of(line.yes("password_enabled"), line.any_key_active())
    created = line.time("user_creation_time")
    slots = []
    for slot in KEYS:
        at_setup: Answer = True
        if values["within_minutes"] is not None:
            issued = line.time(f"access_key_{slot}_last_rotated")
            if issued is None or created is None:
                at_setup = None
            else:
                at_setup = issued - created <= timedelta(minutes=values["within_minutes"])
        slots.append(all_of(line.key_active(slot), negate(line.key_was_used(slot)), at_setup))
    return applies, any_of(*slots)


def two_active_keys(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for two active keys, the newer one older than the days of grace for replacing the other.
    """
    both = all_of(line.key_active(1), line.key_active(2))
    if values["grace_days"] > 0:
        # The newer key is too old when both are.
        older = [
            exceeds(line.age(f"access_key_{slot}_last_rotated"), values["grace_days"], "more-than")
            for slot in KEYS
        ]
        both = all_of(both, *older)
    return line.any_key_active(), both


def initial_password_unchanged(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for a password in use that was last changed when the user was made.
    """
    changed, created = line.time("password_last_changed"), line.time("user_creation_time")
    initial: Answer = None
    if changed is not None and created is not None:
        initial = abs(changed - created) <= timedelta(minutes=values["minutes"])
    return line.yes("password_enabled"), all_of(line.password_was_used(), initial)


def password_rotation_overdue(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a password that had to be changed before the report was made. The date may lie far ahead.
    """
    text = line.row["password_next_rotation"]
    if text == NO_VALUE:
        return False, None
    due = read_time(text)
    if due is None:
        return None, None
    return True, due < line.generated


def signing_cert_active(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for an active signing certificate.
    """
    return True, line.any_cert_active()


def console_and_active_key(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a password and an active key.
    """
    return line.yes("password_enabled"), line.any_key_active()


def programmatic_no_mfa(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for an active key without a password, and no MFA device.
    """
    applies = all_of(negate(line.yes("password_enabled")), line.any_key_active())
    return applies, negate(line.yes("mfa_active"))


def generic_username(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for a name that fits one of the patterns of names that are no person's.
    """
    name = line.row["user"].lower()
    return True, any(fnmatchcase(name, pattern.lower()) for pattern in values["patterns"])


def no_visible_credentials(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a user with neither a password nor an active key nor an active certificate.
    """
    some = any_of(line.yes("password_enabled"), line.any_key_active(), line.any_cert_active())
    return True, negate(some)


def extra_credentials(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a report that itself says there is more than it shows. Most do not have the column.
    """
    text = line.row.get("additional_credentials_info")
    if text is None:
        return False, None
    return True, text not in ("", NO_VALUE)


def root_console_no_mfa(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for a root password and no MFA device. In AWS GovCloud (US) root cannot sign in to the console.
    """
    if line.row["arn"].split(":")[1] == "aws-us-gov":
        return False, None
    return line.root_password(), negate(line.yes("mfa_active"))


def root_access_key_active(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for an active root key.
    """
    return True, line.any_key_active()


def root_signing_cert_active(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for an active root certificate.
    """
    return True, line.any_cert_active()


def root_recent_use(line: Line, values: Mapping[str, Any]) -> Judged:
    """
    Look for any use of root's password or keys in the period.
    """
    recent = [
        all_of(used, negate(exceeds(age, values["days"], "more-than")))
        for used, age in line.last_uses()
    ]
    return True, any_of(*recent)


def root_credentials_present(line: Line, _values: Mapping[str, Any]) -> Judged:
    """
    Look for any credential of a member account's root user. The management account's is no case.
    """
    if line.facts.is_management:
        return False, None
    some = any_of(line.root_password(), line.any_key_active(), line.any_cert_active())
    return True, some


RULES: dict[str, Callable[[Line, Mapping[str, Any]], Judged]] = {
    "console-no-mfa": console_no_mfa,
    "user-inactive": user_inactive,
    "password-unused": password_unused,
    "access-key-unused": access_key_unused,
    "access-key-age": access_key_age,
    "single-factor-password-age": single_factor_password_age,
    "setup-key-never-used": setup_key_never_used,
    "two-active-keys": two_active_keys,
    "initial-password-unchanged": initial_password_unchanged,
    "password-rotation-overdue": password_rotation_overdue,
    "signing-cert-active": signing_cert_active,
    "console-and-active-key": console_and_active_key,
    "programmatic-no-mfa": programmatic_no_mfa,
    "generic-username": generic_username,
    "no-visible-credentials": no_visible_credentials,
    "extra-credentials": extra_credentials,
    "root-console-no-mfa": root_console_no_mfa,
    "root-access-key-active": root_access_key_active,
    "root-signing-cert-active": root_signing_cert_active,
    "root-recent-use": root_recent_use,
    "root-credentials-present": root_credentials_present,
}
