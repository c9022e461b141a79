import json

import pytest

from scanner.errors import SettingsError
from scanner.model import ReasonCode
from scanner.simulator import Fault, FaultKind, FaultPlan, build_world
from scanner.simulator.draws import DRAWS
from scanner.simulator.faults import FaultDesk
from scanner.simulator.kinds import FACTS, GET, Stage
from scanner.simulator.quotas import TokenBucket
from scanner.simulator.shaping import find_slow_reports, shape_world

ONE, TWO = "111122223333", "444455556666"


def due(desk: FaultDesk, account: str = ONE, operation: str = GET, page: int | None = None):
    return [str(fault.kind) for fault in desk.due(Stage.REFUSAL, account, operation, page)]


def test_every_kind_has_its_facts():
    """
    No kind of fault was forgotten in the table of facts.
    """
    assert set(FaultKind) == set(FACTS)


def test_a_plan_survives_json():
    """
    What a plan writes is what it reads.
    """
    plan = FaultPlan(
        (
            Fault(FaultKind.THROTTLE, ONE, GET, times=3),
            Fault(FaultKind.REPORT_SLOW, TWO, seconds=1.5),
            Fault(FaultKind.EXPIRED_TOKEN, after=2),
            Fault(FaultKind.SERVER_ERROR, operation="organizations:ListAccounts", page=3),
            Fault(FaultKind.FIXED_SINCE_REPORT, ONE, user="anna"),
        )
    )

    assert plan == FaultPlan.parse(plan.serialise())


def test_a_fault_has_its_kinds_operation():
    """
    Where a plan names no operation, the kind's own is meant.
    """
    plan = FaultPlan.parse(json.dumps({"faults": [{"account": ONE, "fault": "limit-exceeded"}]}))

    assert (Fault(FaultKind.LIMIT_EXCEEDED, ONE, "iam:GenerateCredentialReport"),) == plan.faults


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "fault plan is JSON"),
        ("[]", "fault plan is JSON"),
        ('{"faults": {}}', "must be a list"),
        ('{"faults": ["throttle"]}', "fault 1: must be an object"),
        ('{"faults": [{"fault": "throttled"}]}', "fault 1: no fault is called 'throttled'"),
        ('{"faults": [{"fault": "throttle", "time": 1}]}', "fault 1: cannot use time"),
        ('{"faults": [{"fault": "throttle", "times": "3"}]}', "fault 1: cannot use times"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(text, words):
    """
    The message says which fault it is and what is wrong with it.
    """
    with pytest.raises(SettingsError, match=words):
        FaultPlan.parse(text)


def test_a_fault_ends_after_so_many_times_in_each_account():
    """
    `times` counts for each account alone, `after` lets calls pass first.
    """
    desk = FaultDesk(FaultPlan((Fault(FaultKind.THROTTLE, operation=GET, times=1, after=1),)))

    assert [due(desk), due(desk), due(desk)] == [[], ["throttle"], []]
    assert [due(desk, TWO), due(desk, TWO), due(desk, TWO)] == [[], ["throttle"], []]


def test_a_fault_strikes_its_account_and_operation_only():
    """
    Neither another account nor another operation meets it.
    """
    desk = FaultDesk(FaultPlan((Fault(FaultKind.THROTTLE, ONE, GET),)))

    assert due(desk) == ["throttle"]
    assert due(desk, TWO) == []
    assert due(desk, ONE, "iam:ListUsers") == []


def test_a_fault_may_strike_one_page():
    """
    A listing can fail on a later page than the first.
    """
    fault = Fault(FaultKind.THROTTLE, ONE, "organizations:ListAccounts", page=2)
    desk = FaultDesk(FaultPlan((fault,)))

    assert due(desk, ONE, "organizations:ListAccounts", 1) == []
    assert due(desk, ONE, "organizations:ListAccounts", 2) == ["throttle"]


def test_a_drawn_plan_says_what_to_expect():
    """
    Different faults on different member accounts, each with its expected reason, the same for a seed.
    """
    world = build_world(60, 3)

    plan = FaultPlan.of_kinds(world, 40, seed=3)

    assert plan == FaultPlan.of_kinds(world, 40, seed=3)
    assert 40 == len({fault.account for fault in plan.faults}) == len(plan.expected)
    assert len({(f.kind, f.operation, f.times, f.after) for f in plan.faults}) == 40
    assert world.management_id not in plan.expected
    assert {None, ReasonCode.ACCESS_DENIED} < set(plan.expected.values())


def test_every_fault_can_be_drawn_at_once():
    """
    There are accounts enough for every fault there is, and no two draws are alike.
    """
    plan = FaultPlan.of_kinds(build_world(len(DRAWS) + 1, 2), len(DRAWS), seed=1)

    described = {(f.kind, f.operation, f.times, f.after, f.seconds) for f in plan.faults}
    assert len(DRAWS) == len(described)


def test_more_faults_than_accounts_cannot_be_drawn():
    """
    A plan never doubles up on an account without saying so.
    """
    with pytest.raises(ValueError, match="5 faults asked for"):
        FaultPlan.of_kinds(build_world(5, 3), 5, seed=1)


def test_a_plan_for_an_unknown_account_is_refused():
    """
    A fault that could never strike is a mistake in the plan.
    """
    with pytest.raises(SettingsError, match="no account of the organization is 000000000000"):
        shape_world(build_world(3, 3), FaultPlan((Fault(FaultKind.RESET, "000000000000"),)))


def test_a_fault_for_all_spares_the_management_account():
    """
    `*` means every member account where the fault is a fact about the organization.
    """
    world = build_world(4, 3)

    shaped = shape_world(world, FaultPlan((Fault(FaultKind.SUSPENDED),)))

    assert world.management == shaped.management
    assert {"SUSPENDED"} == {a.state for a in shaped.accounts if a.id != world.management_id}


def test_a_report_that_is_never_ready_takes_for_ever():
    """
    A slow report takes the seconds that the plan says, one that never comes takes for ever.
    """
    first, second = list(build_world(3, 3).by_id)[1:]
    faults = (
        Fault(FaultKind.REPORT_NEVER_READY, first),
        Fault(FaultKind.REPORT_SLOW, second, seconds=2.0),
    )

    slow = find_slow_reports(build_world(3, 3), FaultPlan(faults))

    assert {first: float("inf"), second: 2.0} == slow


def test_a_bucket_lets_a_burst_through_and_then_its_rate():
    """
    Half as many again as the rate at once, then one for each part of a second.
    """
    moments = iter([0.0] * 14 + [0.125, 0.125])
    bucket = TokenBucket(8.0, lambda: next(moments))

    assert [bucket.take() for _ in range(15)] == [True] * 12 + [False, True, False]
