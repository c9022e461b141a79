"""
What a look at the set-up found: can each account be entered, may a scan's calls be made there, and what to do if not.

Pure: `scanner.aws.examiner` asks, and this module says what the answers mean. AWS gives the same answer for a role
that does not exist, one that does not trust the caller and a wrong external id, so these are one cause with three
candidates for its fix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from scanner.model import Account, AccountId, Caller, ReasonCode

CLOCK_TOLERANCE = timedelta(minutes=5)
"""
How far a clock may be off before AWS refuses its signatures (AWS General Reference, Signature Version 4).
"""


class Cause(StrEnum):
    """
    Why a scan would not read an account, gravest for everybody first; the last two are no reason not to.
    """

    CLOCK_SKEW = "clock-skew"
    CALLER_EXPIRED = "caller-expired"
    REGION_DISABLED = "region-disabled"
    SCP_DENIED = "scp-denied"
    ROLE_NOT_ASSUMED = "role-not-assumed"
    ACTION_MISSING = "action-missing"
    UNDETERMINED = "not-determined"
    PARTLY_ALLOWED = "partly-allowed"
    READY = "ready"

    @property
    def is_readable(self) -> bool:
        """
        Whether a scan would have the account's report.
        """
        return self in {Cause.READY, Cause.PARTLY_ALLOWED}


MEANINGS: Mapping[Cause, str] = {
    Cause.CLOCK_SKEW: "this machine's clock is off",
    Cause.CALLER_EXPIRED: "your own credentials have expired",
    Cause.REGION_DISABLED: "the region asked for is not enabled",
    Cause.SCP_DENIED: "a policy of the organization denies a call",
    Cause.ROLE_NOT_ASSUMED: "the role cannot be assumed",
    Cause.ACTION_MISSING: "the role may not make a call that is needed",
    Cause.UNDETERMINED: "it could not be found out",
    Cause.PARTLY_ALLOWED: "the report can be read, and not every question after it asked",
    Cause.READY: "every call of a scan can be made",
}
"""
Each cause in words.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """
    One call that was tried. `code` is None where it may be made; `error` and `said` are AWS's code and words.
    """

    action: str
    is_needed: bool
    code: ReasonCode | None = None
    error: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """
    What trying showed of one account. `trials` begins with the way in. `role` is None for the caller's own account.
    """

    account: Account
    role: str | None
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """
    What stands between a scan and one account: the cause, what was seen, and the next step in one line.
    """

    account: Account
    cause: Cause
    seen: str
    fix: str


@dataclass(frozen=True, slots=True)
class Symptom:
    """
    One thing that is looked at for the whole organization. `fix` is empty where it is sound.
    """

    topic: str
    is_sound: bool
    seen: str
    fix: str = ""


_CAUSES: Mapping[ReasonCode, Cause] = {
    ReasonCode.CLOCK_SKEW: Cause.CLOCK_SKEW,
    ReasonCode.CALLER_EXPIRED: Cause.CALLER_EXPIRED,
    ReasonCode.SCP_DENIED: Cause.SCP_DENIED,
}
_SET_CLOCK = "set this machine's clock, for example with: timedatectl set-ntp true"
_ENTRY = "sts:AssumeRole"


def diagnose(examined: Examined, caller: Caller) -> Diagnosis:
    """
    Say what stands between a scan and an account: the gravest thing that trying showed, and its fix.
    """
    refused = [trial for trial in examined.trials if trial.code is not None]
    ranked = sorted(refused, key=lambda trial: list(Cause).index(_find_cause(trial)))
    if not ranked:
        words = MEANINGS[Cause.READY]
        return Diagnosis(examined.account, Cause.READY, words, "")
    worst = ranked[0]
    cause = _find_cause(worst)
    actions = [trial.action for trial in refused if _find_cause(trial) is cause]
    return Diagnosis(
        account=examined.account,
        cause=cause,
        seen=f"{', '.join(actions)}: {worst.error}{': ' if worst.said else ''}{worst.said}",
        fix=_suggest(cause, worst, actions, role=examined.role, caller=caller),
    )


def _find_cause(trial: Trial) -> Cause:
    if trial.code is None:
        return Cause.READY
    if trial.error == "RegionDisabledException":
        return Cause.REGION_DISABLED
    if trial.code in {ReasonCode.SCP_DENIED, ReasonCode.ACCESS_DENIED} and not trial.is_needed:
        return Cause.PARTLY_ALLOWED
    if trial.code is ReasonCode.ACCESS_DENIED:
        return Cause.ROLE_NOT_ASSUMED if trial.action == _ENTRY else Cause.ACTION_MISSING
    return _CAUSES.get(trial.code, Cause.UNDETERMINED)


def _suggest(
    cause: Cause, worst: Trial, actions: list[str], *, role: str | None, caller: Caller
) -> str:
    name = role or caller.arn
    if cause is Cause.UNDETERMINED:
        return _AGAIN.get(worst.code, "run doctor again later")
    return {
        Cause.CLOCK_SKEW: _SET_CLOCK,
        Cause.CALLER_EXPIRED: "sign in again, for example with: aws sso login",
        Cause.REGION_DISABLED: "set region under [aws] in the settings to one that is enabled",
        Cause.SCP_DENIED: (
            f"exempt {name} from the policy that AWS names, or {worst.action.partition(':')[0]}:* in it; one that "
            "denies regions must leave IAM out, which has one region only, whatever yours is"
        ),
        Cause.ROLE_NOT_ASSUMED: (
            f"create {name}, or let its trust policy name {_name_principal(caller)}, or give the right --role-name or "
            "--external-id: AWS does not tell which of them is wrong"
        ),
    }.get(cause, f"allow {', '.join(actions)} in the policies of {name}")


def _name_principal(caller: Caller) -> str:
    """
    Name the caller as a trust policy can: a session's ARN would be good for that one session.
    """
    kind, _, rest = caller.arn.split(":", 5)[5].partition("/")
    if kind != "assumed-role":
        return caller.arn
    return f"the role {rest.partition('/')[0]} of account {caller.account_id}"


_AGAIN: Mapping[ReasonCode | None, str] = {
    ReasonCode.THROTTLED: "run doctor again with fewer --workers",
    ReasonCode.NETWORK: "check network, proxy and name resolution, then run doctor again",
    ReasonCode.WRONG_ACCOUNT: "find out what answers in AWS's place, then run doctor again",
    ReasonCode.BAD_RESPONSE: "find out what answers in AWS's place (a proxy, an endpoint), then run doctor again",
}


def judge_clock(ahead: timedelta | None) -> Symptom:
    """
    Say whether this machine's clock is right enough. `ahead` is how far it is ahead of AWS's; None: not known.
    """
    if ahead is None:
        seen = "AWS's time could not be read"
        return Symptom("clock", is_sound=False, seen=seen, fix="check the network and run it again")
    seconds = round(ahead.total_seconds())
    word = "ahead of" if seconds > 0 else "behind"
    seen = f"{abs(seconds)} s {word} AWS's" if seconds else "equal to AWS's"
    if abs(ahead) < CLOCK_TOLERANCE:
        return Symptom("clock", is_sound=True, seen=seen)
    return Symptom(
        "clock", is_sound=False, seen=f"{seen}, and 5 minutes are allowed", fix=_SET_CLOCK
    )


def count_causes(diagnoses: Iterable[Diagnosis]) -> dict[Cause, list[AccountId]]:
    """
    Return the accounts of each cause that there is, gravest cause first.
    """
    found: dict[Cause, list[AccountId]] = {cause: [] for cause in Cause}
    for diagnosis in diagnoses:
        found[diagnosis.cause].append(diagnosis.account.id)
    return {cause: accounts for cause, accounts in found.items() if accounts}
