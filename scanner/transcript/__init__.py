"""
What the commands print: plain lines, and what a terminal shows at the end of a run. Pure: printing is the commands' own.
"""

from scanner.transcript.lines import (
    describe_check_up,
    describe_comparison,
    describe_framework,
    describe_run,
    describe_step,
    describe_verification,
)
from scanner.transcript.steps import Next, choose_next, describe_next
from scanner.transcript.table import draw_next, draw_run

__all__ = [
    "Next",
    "choose_next",
    "describe_check_up",
    "describe_comparison",
    "describe_framework",
    "describe_next",
    "describe_run",
    "describe_step",
    "describe_verification",
    "draw_next",
    "draw_run",
]
