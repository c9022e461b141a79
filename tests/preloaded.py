"""
The command, forked from a process that has imported what a scan imports: a process of its own without its start.

Functional tests start the command hundreds of times, and importing boto3, pandas, pyarrow and WeasyPrint takes more
than a second of CPU each time: most of what those tests cost. Nothing of the command runs before the fork. What a
start is like by itself is tested where a test starts `python -m scanner`, and with ORGPROOF_TESTS_START=alone (as
`make test-wheel` has it) every command is started so.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

IMPORTS = (
    "boto3",
    "coverage",
    "jinja2",
    "matplotlib.figure",
    "openpyxl",
    "pandas",
    "pyarrow.parquet",
    "scanner.cli",
    "scanner.aws",
    "scanner.pipeline",
    "scanner.reports",
    "scanner.wiring",
    "typer",
    "weasyprint",
)
READ_AT_START = ("LANG", "LC_", "LD_", "MALLOC_", "OPENBLAS_", "PYTHON", "TZ")
"""
How the names of the environment's variables begin that a process reads when it starts, and not again.
"""


@cache
def can_fork_for(environment: tuple[tuple[str, str], ...]) -> bool:
    """
    Return whether a fork of a process that started here is as one that starts with an environment.
    """
    alone = os.environ.get("ORGPROOF_TESTS_START") == "alone"
    return hasattr(os, "fork") and not alone and _read_at_start(dict(environment)) == _AT_START


def run_forked(
    folder: Path,
    program: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    timeout: float,
) -> "subprocess.CompletedProcess[str]":
    """
    Run a program (`-m MODULE` or `-c CODE`) as `subprocess.run` does, capturing text.

    Raises subprocess.TimeoutExpired when it takes longer than `timeout` seconds; it is killed then.
    """
    command = [sys.executable, *program, *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(_start_nursery() / "line"))
            wanted = {
                "folder": str(folder),
                "program": list(program),
                "arguments": list(arguments),
                "environment": dict(environment),
            }
            socket.send_fds(line, [b"!"], [out.fileno(), err.fileno()])
            line.sendall(json.dumps(wanted).encode() + b"\n")
            answers = line.makefile("r")
            born = int(answers.readline())
            line.settimeout(timeout)
            try:
                status = int(answers.readline())
            except TimeoutError:
                os.kill(born, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout) from None
        return subprocess.CompletedProcess(command, status, _read_text(out), _read_text(err))


def _read_text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


_AT_START = _read_at_start(os.environ)


@cache
def _start_nursery() -> Path:
    """
    Start the process that commands are forked from, and return the folder of its socket. It ends with this process.
    """
    folder = Path(tempfile.mkdtemp(prefix="orgproof-nursery-"))
    # Each command measures itself when asked to: what is measured before the fork would be counted for none.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    nursery = subprocess.Popen(
        [sys.executable, __file__, str(folder / "line")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdout.readline()
    kept = nursery.stdin

    def stop() -> None:
        kept.close()
        nursery.wait()
        shutil.rmtree(folder)

    atexit.register(stop)
    return folder


def _serve(address: str) -> None:
    """
    Fork a process for each request until standard input ends, which is when the tests have.
    """
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        os.write(1, b"ready\n")
        ended = os.dup(0)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        _answer(door, ended)


def _answer(door: socket.socket, ended: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the minders
    while True:
        readable, _, _ = select.select([door.fileno(), ended], [], [])
        if ended in readable:
            return
        line, _ = door.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            door.close()
            os.close(ended)
            _mind(line)
        line.close()


def _mind(line: socket.socket) -> None:
    """
    Run one command in a process of its own, and tell how it ended. Returns in that process only.
    """
    _, files, _, _ = socket.recv_fds(line, 1, 2)
    wanted = json.loads(line.makefile("r").readline())
    born = os.fork()
    if born:
        line.sendall(f"{born}\n".encode())
        _, ended = os.waitpid(born, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(ended)}\n".encode())
        os._exit(0)
    line.close()
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    for file in files:
        os.close(file)
    raise _Born(wanted)


class _Born(BaseException):
    """
    Leaves every frame of the nursery behind, in the process that is to become the command.
    """


def _become(wanted: Mapping[str, Any]) -> None:
    folder: str = wanted["folder"]
    how, what = wanted["program"]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        importlib.import_module("coverage").process_startup()
    sys.argv = ["-c", *wanted["arguments"]]
    if how == "-m":
        sys.path[0] = folder
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = ""
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - as `python -c` does


if __name__ == "__main__":
    try:
        _serve(sys.argv[1])
    except _Born as born:
        asked = born.args[0]
    else:
        sys.exit()
    _become(asked)
