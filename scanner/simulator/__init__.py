"""
The embedded organization: a small AWS that `orgproof demo` and the tests scan over real HTTP.

STS, Organizations and IAM, as far as a scan reads them, for an unmodified AWS SDK. It stores nothing,
reaches nothing and listens on the loopback interface only. It stands in the commercial partition.
"""

from scanner.simulator.clock import SimulatedClock
from scanner.simulator.crowd import build_hostile, build_world
from scanner.simulator.demo import build_demo
from scanner.simulator.faults import NO_FAULTS, Fault, FaultPlan
from scanner.simulator.kinds import FaultKind
from scanner.simulator.sessions import Credentials
from scanner.simulator.simulation import Simulator, serve
from scanner.simulator.world import (
    ADMIN_ROLE,
    READER_ROLE,
    MemberAccount,
    Root,
    SinceReport,
    User,
    World,
)

__all__ = [
    "ADMIN_ROLE",
    "NO_FAULTS",
    "READER_ROLE",
    "Credentials",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "MemberAccount",
    "Root",
    "SimulatedClock",
    "Simulator",
    "SinceReport",
    "User",
    "World",
    "build_demo",
    "build_hostile",
    "build_world",
    "serve",
]
