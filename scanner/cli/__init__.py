"""
The commands: parse, wire, print, exit. Alone in printing results and in ending the process.

One module is one command; `commands` lists them. What a command needs to run is imported when it runs, so
that `--help` is quick.

Exit status: 0 no exception noted; 1 exceptions noted; 2 wrong command, settings or catalog, or the
account list could not be read; 3 an account could not be read or a verdict is unknown; 4 the evidence
does not verify; 5 stopped, with what was collected kept.
"""

from scanner.cli.commands import app, main

__all__ = ["app", "main"]
