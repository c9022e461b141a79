"""
What a person or a log sees while a scan runs: bars on a terminal, plain lines or JSON lines without.

Everything here goes to standard error. Names from AWS pass through `show` before they are written, and
nothing in them is read as markup.
"""

import os
import sys
from typing import IO

from scanner.console.lines import JsonLines, Lines, Quiet


def choose_watcher(*, quiet: bool, log_format: str | None) -> Quiet:
    """
    Return who watches a scan: nobody, JSON lines, bars on a terminal, or plain lines.
    """
    if quiet:
        return Quiet()
    if log_format == "json":
        return JsonLines()
    if log_format is None and is_terminal(sys.stderr):
        # rich costs a tenth of a second to import, and a log needs none of it.
        from scanner.console.bars import make_bars  # noqa: PLC0415

        return make_bars(sys.stderr)
    return Lines()


def is_terminal(stream: IO[str] | None) -> bool:
    """
    Say whether somebody looks at a stream through a terminal that understands more than plain lines.

    Variables such as FORCE_COLOR make no terminal of a log: what is drawn there would be noise.
    """
    if stream is None or os.environ.get("TERM", "").lower() in {"dumb", "unknown"}:
        return False
    return stream.isatty()


__all__ = ["JsonLines", "Lines", "Quiet", "choose_watcher", "is_terminal"]
