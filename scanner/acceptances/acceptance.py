"""
What an acceptance is, and what it says on a day.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

EVERY_ACCOUNT = "*"

_WILD = frozenset("*?")


class Kind(StrEnum):
    """
    Why a risk is borne: another control covers it, the user is for emergencies, is a machine, or goes soon.
    """

    COMPENSATING_CONTROL = "compensating-control"
    BREAK_GLASS = "break-glass"
    SERVICE_ACCOUNT = "service-account"
    PLANNED_REMOVAL = "planned-removal"


class State(StrEnum):
    """
    Whether an acceptance counts on a day. Where several are about one finding, the first of these speaks.
    """

    IN_FORCE = "in-force"
    EXPIRED = "expired"
    NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """
    One accepted risk: about whom and what, on whose word, and from when until when.

    `account` is twelve digits or `*`. `user` is a name, `<root_account>`, or a pattern in which `*`
    stands for any characters and `?` for one. Names are compared without regard to case, as IAM
    compares them to keep them unique. A pattern is about IAM users alone: root is accepted by its own
    name or not at all. `check` is a check's id, which covers it with all parameters, or the name of a
    verdict column with parameters, such as `access-key-age:days=45`.

    `begins` and `until` are days in UTC, and both are in force. More than `at_most` findings at one time
    are more than the author meant: they are accepted, with a warning.
    """

    id: str
    kind: Kind
    account: str
    user: str
    check: str
    reason: str
    owner: str
    approver: str
    ticket: str
    begins: date
    until: date
    at_most: int

    @property
    def is_for_every_account(self) -> bool:
        """
        Whether the user is looked for in all accounts.
        """
        return self.account == EVERY_ACCOUNT

    @property
    def is_pattern(self) -> bool:
        """
        Whether `user` is a pattern rather than a name.
        """
        return is_pattern(self.user)

    def state_on(self, today: date) -> State:
        """
        Tell whether the acceptance counts on a day.
        """
        if today > self.until:
            return State.EXPIRED
        return State.IN_FORCE if today >= self.begins else State.NOT_YET

    def note_on(self, today: date) -> str:
        """
        Return what is said on a day beside a finding that the acceptance is about.
        """
        match self.state_on(today):
            case State.IN_FORCE:
                return (
                    f"accepted until {self.until} by {self.approver} ({self.kind}, {self.ticket})"
                )
            case State.EXPIRED:
                return f"acceptance {self.id} expired on {self.until}: open again"
            case State.NOT_YET:
                return f"acceptance {self.id} begins on {self.begins}"


def is_pattern(user: str) -> bool:
    """
    Tell whether a user's name is a pattern: `*` and `?` are in no name that IAM knows.
    """
    return not _WILD.isdisjoint(user)


def is_everybody(user: str) -> bool:
    """
    Tell whether a pattern is nothing but wildcards, so that it names nobody in particular.
    """
    return bool(user) and _WILD.issuperset(user)
