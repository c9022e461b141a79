"""
Runs another script with limits on memory, CPU time, and what it writes. Runs as a program, never imported.

    python confinement.py MEMORY_BYTES CPU_SECONDS OUTPUT_BYTES MODULES SCRIPT [ARGUMENT ...]

What the script reads is its standard input. The modules, in a list with commas, are imported before there are
limits: how much address space a library takes for itself depends on the machine. It is started by
`scanner.evidence.quarantine`, and imports nothing of ours, so that it starts quickly.
"""

import importlib
import resource
import runpy
import sys
from pathlib import Path

_STATUS = Path("/proc/self/statm")


def main() -> None:
    """
    Set the limits for good, and run the script.
    """
    memory, seconds, output = (int(text) for text in sys.argv[1:4])
    for name in sys.argv[4].split(","):
        importlib.import_module(name)
    for limit, value in (
        (resource.RLIMIT_AS, measure_memory() + memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        given = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (given, given))
    sys.argv = sys.argv[5:]
    runpy.run_path(sys.argv[0], run_name="__main__")


def measure_memory() -> int:
    """
    Return the address space that this process has taken so far, in bytes; 4 GiB where nobody can tell.
    """
    try:
        pages = int(_STATUS.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 4 * 1024**3
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
