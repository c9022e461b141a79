"""
Before a scan: what would stand in its way, for the organization and in every account, and the next step for each.

Nothing is stored and nothing is judged. It goes the way a scan goes: list the accounts, then work on many of them at
once.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from scanner.errors import DiscoveryError, SettingsError
from scanner.evidence.resumption import list_selected
from scanner.examination import Diagnosis, Symptom, diagnose, judge_clock
from scanner.interfaces import Directory, Examiner, Executor
from scanner.model import Caller, Organization, Terms
from scanner.organization import (
    ACCOUNTS_FILE,
    UNITS_FILE,
    check_selection,
    list_without_state,
    read_answers,
)
from scanner.records import decode_object


@dataclass(frozen=True, slots=True)
class Instruments:
    """
    What the set-up is examined with. `measure_clock` says how far this machine's clock is ahead of AWS's.
    """

    directory: Directory
    examiner_for: Callable[[Caller], Examiner]
    executor: Executor
    measure_clock: Callable[[], timedelta | None]


@dataclass(frozen=True, slots=True)
class CheckUp:
    """
    What was found: symptoms of the whole, and a diagnosis for each account that a scan would read, by account id.

    `listed` is how many accounts the organization lists, None where the list could not be read.
    """

    symptoms: tuple[Symptom, ...]
    diagnoses: tuple[Diagnosis, ...] = ()
    listed: int | None = None

    @property
    def is_ready(self) -> bool:
        """
        Whether a scan would read every account that it is to read, and there is one.
        """
        return (
            bool(self.diagnoses)
            and all(symptom.is_sound for symptom in self.symptoms)
            and all(diagnosis.cause.is_readable for diagnosis in self.diagnoses)
        )


def examine(terms: Terms, instruments: Instruments) -> CheckUp:
    """
    Examine the set-up of a scan with these terms. What is wrong is a result; nothing is raised for it.
    """
    symptoms = [judge_clock(instruments.measure_clock())]
    try:
        answers = instruments.directory.ask(
            with_tags=any(rule.tags for rule in terms.scopes),
        )
        organization = read_answers(answers)
    except DiscoveryError as exc:
        words, _, step = str(exc).rpartition("; ")
        symptoms.append(Symptom("account list", is_sound=False, seen=words or step, fix=step))
        return CheckUp(tuple(symptoms))
    symptoms += _look_at_list(organization, answers)
    try:
        check_selection(organization, terms.selection, terms.roles)
    except SettingsError as exc:
        fix = "correct the settings or the options"
        symptoms.append(Symptom("selection", is_sound=False, seen=str(exc), fix=fix))
        return CheckUp(tuple(symptoms), listed=len(organization.accounts))
    examiner = instruments.examiner_for(organization.caller)
    steps = (examiner.examine(account) for account in list_selected(organization, terms))
    with closing(instruments.executor.run(steps)) as examined:
        diagnoses = [diagnose(one, organization.caller) for one in examined]
    if not diagnoses:
        seen = "no account is left to read"
        fix = "select other accounts, or exclude fewer"
        symptoms.append(Symptom("selection", is_sound=False, seen=seen, fix=fix))
    ordered = tuple(sorted(diagnoses, key=lambda diagnosis: diagnosis.account.id))
    return CheckUp(tuple(symptoms), ordered, len(organization.accounts))


def _look_at_list(organization: Organization, answers: Mapping[str, bytes]) -> Iterator[Symptom]:
    caller = organization.caller
    yield Symptom("caller", is_sound=True, seen=caller.arn)
    accounts = decode_object(answers[ACCOUNTS_FILE], ACCOUNTS_FILE)
    lacking = list_without_state(accounts)
    seen = f"{len(organization.accounts):,} accounts of {organization.id}"
    if lacking:
        # Sound all the same: the older field says it, while AWS still sends that.
        seen += f"; {len(lacking):,} of them with Status alone and no State, which is about to end"
    yield Symptom("account list", is_sound=True, seen=seen)
    units = decode_object(answers[UNITS_FILE], UNITS_FILE)
    if units.get("errors"):
        yield Symptom(
            "OU names",
            is_sound=True,
            seen="could not be read; ids stand in for them",
            fix="allow organizations:ListRoots and organizations:ListOrganizationalUnitsForParent",
        )
