from datetime import timedelta

import pytest

from scanner.examination import (
    MEANINGS,
    Cause,
    Examined,
    Trial,
    count_causes,
    diagnose,
    judge_clock,
)
from scanner.model import Account, AccountId, Caller, ReasonCode

ACCOUNT = Account(AccountId("222222222222"), "payments", "", "ACTIVE")
ROLE = "arn:aws:iam::222222222222:role/orgproof-reader"
CALLER = Caller(
    AccountId("111111111111"), "arn:aws:sts::111111111111:assumed-role/auditor/somebody"
)
ENTRY, GENERATE, PROFILE = (
    "sts:AssumeRole",
    "iam:GenerateCredentialReport",
    "iam:GetLoginProfile",
)


def refused(action, code, error="AccessDenied", *, is_needed=True):
    return Trial(action, is_needed, code, error, "no")


def look(*trials, role=ROLE):
    return diagnose(Examined(ACCOUNT, role, trials), CALLER)


def test_an_account_where_every_call_may_be_made_is_ready():
    """
    Nothing was refused: ready, and nothing to do.
    """
    found = look(Trial(ENTRY, is_needed=True), Trial(GENERATE, is_needed=True))

    assert (found.cause, found.fix) == (Cause.READY, "")
    assert found.cause.is_readable


@pytest.mark.parametrize(
    ("trial", "cause", "words"),
    [
        (refused(ENTRY, ReasonCode.ACCESS_DENIED), Cause.ROLE_NOT_ASSUMED, ROLE),
        (refused(ENTRY, ReasonCode.ACCESS_DENIED), Cause.ROLE_NOT_ASSUMED, "trust policy"),
        (refused(ENTRY, ReasonCode.ACCESS_DENIED), Cause.ROLE_NOT_ASSUMED, "--external-id"),
        (refused(ENTRY, ReasonCode.SCP_DENIED), Cause.SCP_DENIED, "sts:*"),
        (refused(GENERATE, ReasonCode.ACCESS_DENIED), Cause.ACTION_MISSING, f"allow {GENERATE}"),
        (refused(GENERATE, ReasonCode.SCP_DENIED), Cause.SCP_DENIED, "denies regions"),
        (refused(GENERATE, ReasonCode.CLOCK_SKEW), Cause.CLOCK_SKEW, "set-ntp"),
        (refused(ENTRY, ReasonCode.CALLER_EXPIRED), Cause.CALLER_EXPIRED, "sign in"),
        (
            refused(ENTRY, ReasonCode.ACCESS_DENIED, "RegionDisabledException"),
            Cause.REGION_DISABLED,
            "[aws]",
        ),
        (refused(GENERATE, ReasonCode.THROTTLED), Cause.UNDETERMINED, "--workers"),
        (refused(GENERATE, ReasonCode.NETWORK), Cause.UNDETERMINED, "proxy"),
        (refused(GENERATE, ReasonCode.SERVICE_ERROR), Cause.UNDETERMINED, "later"),
    ],
)
def test_what_is_refused_has_a_cause_and_a_next_step(trial, cause, words):
    """
    Each way in which a needed call can fail has its own cause, is not readable, and says what to do.
    """
    found = look(trial)

    assert cause is found.cause
    assert not found.cause.is_readable
    assert words in found.fix
    assert "\n" not in found.fix


@pytest.mark.parametrize("code", [ReasonCode.ACCESS_DENIED, ReasonCode.SCP_DENIED])
def test_a_question_that_may_not_be_asked_costs_no_report(code):
    """
    A call that only confirms is refused: the report can be read, and it is said what is missing.
    """
    found = look(Trial(GENERATE, is_needed=True), refused(PROFILE, code, is_needed=False))

    assert Cause.PARTLY_ALLOWED is found.cause
    assert found.cause.is_readable
    assert PROFILE in found.fix


def test_a_question_that_nobody_answered_is_not_known_to_be_allowed():
    """
    A call that only confirms was throttled: whether it is allowed is not known, and that is no all-clear.
    """
    found = look(
        Trial(GENERATE, is_needed=True), refused(PROFILE, ReasonCode.THROTTLED, is_needed=False)
    )

    assert Cause.UNDETERMINED is found.cause
    assert not found.cause.is_readable


def test_the_gravest_cause_is_named_and_the_actions_are_gathered():
    """
    Two needed calls and a confirming one are refused: one cause, both needed calls in one line.
    """
    found = look(
        refused(PROFILE, ReasonCode.ACCESS_DENIED, is_needed=False),
        refused(GENERATE, ReasonCode.ACCESS_DENIED),
        refused("iam:GetCredentialReport", ReasonCode.ACCESS_DENIED),
    )

    assert Cause.ACTION_MISSING is found.cause
    assert f"allow {GENERATE}, iam:GetCredentialReport in" in found.fix
    assert PROFILE not in found.fix


def test_the_callers_own_account_needs_no_role():
    """
    In the caller's own account the caller's rights are what is missing.
    """
    found = look(refused(GENERATE, ReasonCode.ACCESS_DENIED), role=None)

    assert CALLER.arn in found.fix


def test_a_trust_policy_is_to_name_a_role_and_not_one_session():
    """
    The ARN of a session would be good for that session only.
    """
    found = look(refused(ENTRY, ReasonCode.ACCESS_DENIED))

    assert "the role auditor of account 111111111111" in found.fix
    assert "somebody" not in found.fix


@pytest.mark.parametrize(
    ("seconds", "is_sound"),
    [(0, True), (299, True), (-299, True), (300, False), (-300, False), (86_400, False)],
)
def test_five_minutes_are_what_a_clock_may_be_off(seconds, is_sound):
    """
    Below five minutes a clock is right enough, in either direction; from there on it is not.
    """
    found = judge_clock(timedelta(seconds=seconds))

    assert is_sound is found.is_sound
    assert bool(found.fix) is not is_sound


def test_a_clock_that_cannot_be_compared_is_not_sound():
    """
    AWS's time is not known: nothing is known about the clock.
    """
    assert not judge_clock(None).is_sound


def test_every_cause_has_its_meaning_and_is_counted():
    """
    No cause is without words, and accounts are counted by cause with the gravest first.
    """
    assert set(MEANINGS) == set(Cause)

    counted = count_causes(
        [look(Trial(GENERATE, is_needed=True)), look(refused(GENERATE, ReasonCode.SCP_DENIED))]
    )

    assert list(counted) == [Cause.SCP_DENIED, Cause.READY]
