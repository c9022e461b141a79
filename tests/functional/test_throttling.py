"""
AWS grants fewer calls than a scan would make: accounts wait their turn, and none is lost.
"""

import time

import pytest
from conftest import Scanner

from scanner.simulator import Simulator, build_world

pytestmark = pytest.mark.functional


def test_a_quota_of_sts_costs_time_and_no_account(command, tmp_path):
    """
    Where 20 roles a second can be assumed, 300 accounts take about 15 seconds and hardly a call in vain.
    """
    world = build_world(accounts=300, users=2, seed=6)
    with Simulator(world, assume_rate=20.0, report_seconds=0.3) as simulator:
        began = time.monotonic()
        # Waiting for one's turn is not the account's own time, of which each has ten seconds here.
        done = Scanner(simulator, command, tmp_path / "runs").scan(deadline=10)
        took = time.monotonic() - began
        calls = simulator.requests["sts:AssumeRole"]

    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.collected == 300
    assert calls < 299 * 1.25
    # 30 are granted at once; the rest of the time is what a command takes to start and to seal.
    assert took < (299 - 30) / 20 * 1.2 + 12
