"""
The commands: parse, wire, print, exit. Alone in printing results and in ending the process.

Exit status: 0 no exception noted; 1 exceptions noted; 2 wrong command, settings or catalog, or the
account list could not be read; 3 an account could not be read or a verdict is unknown; 4 the evidence
does not verify; 5 stopped, with what was collected kept.
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scanner import __version__
from scanner.errors import SettingsError
from scanner.model import Strata, show
from scanner.stopping import (
    DOES_NOT_VERIFY,
    STOP,
    STOPPED,
    UNREADABLE,
    Watched,
    explain_end,
    interrupt,
    say_how_to_resume,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from scanner.delivery import Destination
    from scanner.frameworks import Framework
    from scanner.pipeline import Finished, Redrawn
    from scanner.reports.extras import Extras
    from scanner.transcript import Next

app = typer.Typer(
    name="orgproof",
    help="Evidence, account by account, of who can sign in to the AWS console without MFA.",
    epilog="Example: orgproof demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
frameworks_app = typer.Typer(
    help="List, show and check control catalogs.",
    epilog="Example: orgproof frameworks list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(frameworks_app, name="frameworks")


Overrides = dict[str, dict[str, Any]]
"""
The options that were given, by the table and name of the setting that each overrides.
"""

_MAY_CHANGE = frozenset({("aws", "profile"), ("aws", "external_id"), ("scan", "workers")})
"""
What a resumed run may be told anew, beside the key it is signed with: none of it bears on the result.
"""


class LogFormat(StrEnum):
    """
    How progress is written without a terminal.
    """

    TEXT = "text"
    JSON = "json"


# What more than one command takes.
_Run = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
_Accounts = Annotated[
    list[str] | None, typer.Option(help="Look only at this account id; repeatable.")
]
_Units = Annotated[
    list[str] | None, typer.Option(help="Look only at this OU and below; repeatable.")
]
_Profile = Annotated[str | None, typer.Option(help="AWS profile to call with.")]
_RoleName = Annotated[str | None, typer.Option(help="Role assumed in every account.")]
_ExternalId = Annotated[str | None, typer.Option(help="External id the roles ask for.")]
_Workers = Annotated[int | None, typer.Option(help="Threads, 1 to 256.")]
_Formats = Annotated[
    str | None,
    typer.Option(
        "--format",  # as in scanner.reports.FORMATS
        help="Documents to draw: pdf,xlsx,html,csv,json,jsonl,parquet,ocsf,oscal,junit,github.",
    ),
]
_Quiet = Annotated[bool, typer.Option("--quiet", help="Print the run folder only.")]
_Log = Annotated[LogFormat | None, typer.Option(help="Write progress as text or JSON lines.")]


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How much a command says, and in which form.
    """

    quiet: bool = False
    log_format: LogFormat | None = None

    @property
    def is_drawn(self) -> bool:
        """
        Whether results are drawn for somebody at a terminal, rather than written in plain lines.
        """
        from scanner.console import is_terminal

        return not self.quiet and self.log_format is None and is_terminal(sys.stdout)


def main() -> None:
    """
    Run the command line. The first signal stops the scan in good order, a second one at once.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a name shows its code instead; it is no reason to end.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name, signal.SIGTERM), interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    finally:
        _flush()


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        with _foreseen():
            _say(f"orgproof {__version__}")
            raise typer.Exit


@app.command(epilog="Example: orgproof scan --profile security-audit --period 2026-Q4")
def scan(
    config: _Config = None,
    output: Annotated[Path | None, typer.Option(help="Folder under which runs are kept.")] = None,
    period: Annotated[str | None, typer.Option(help="Period, such as 2026-Q4.")] = None,
    framework: Annotated[
        list[str] | None, typer.Option(help="Framework to judge by; repeatable.")
    ] = None,
    framework_file: Annotated[
        list[Path] | None, typer.Option(help="Catalog of your own to judge by as well; repeatable.")
    ] = None,
    acceptances: Annotated[Path | None, typer.Option(help="Accepted risks (YAML).")] = None,
    previous: Annotated[
        Path | None,
        typer.Option(help="Run to compare with; by default the newest under --output."),
    ] = None,
    account: _Accounts = None,
    ou: _Units = None,
    profile: _Profile = None,
    role_name: _RoleName = None,
    external_id: _ExternalId = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Another AWS endpoint; printed in every document.")
    ] = None,
    workers: _Workers = None,
    formats: _Formats = None,
    sign_key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) to sign the run with.", metavar="FILE")
    ] = None,
    sign_kms: Annotated[
        str | None, typer.Option(help="AWS KMS key to sign the run with.", metavar="KEY")
    ] = None,
    no_confirm: Annotated[
        bool, typer.Option("--no-confirm", help="Do not ask about users without MFA live.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with a run that was stopped.", metavar="RUN")
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="With --resume: try every unread account again."),
    ] = False,
    quiet: _Quiet = False,
    log_format: _Log = None,
) -> None:
    """
    Read every account of the organization and make the evidence.
    """
    overrides: Overrides = {
        "scan": {
            "period": period,
            "frameworks": framework,
            "framework_files": [str(path) for path in framework_file or []],
            "acceptances": str(acceptances) if acceptances else None,
            "workers": workers,
            "formats": _split(formats),
        },
        "aws": {
            "profile": profile,
            "role_name": role_name,
            "external_id": external_id,
            "endpoint_url": endpoint_url,
        },
        "accounts": {"accounts": account, "ous": ou},
        "confirm": {"enabled": False if no_confirm else None},
        "sign": {"key": str(sign_key) if sign_key else None, "kms_key": sign_kms},
    }
    manner = Manner(quiet, log_format)
    with _foreseen(manner=manner):
        if resume is not None:
            overrides["scan"] |= {"output": output, "previous": previous}
            _resume(resume, config, overrides, manner, retry_failed=retry_failed)
        if retry_failed:
            raise SettingsError("--retry-failed goes with --resume RUN")
    if previous is not None:
        _check_previous(previous, manner)
    with _foreseen(manner=manner):
        _scan(config, overrides, output, manner, previous=previous)


@app.command(epilog="Example: orgproof doctor --profile security-audit")
def doctor(
    config: _Config = None,
    account: _Accounts = None,
    ou: _Units = None,
    profile: _Profile = None,
    role_name: _RoleName = None,
    external_id: _ExternalId = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Another AWS endpoint.")] = None,
    workers: _Workers = None,
) -> None:
    """
    Find out which accounts a scan could read, and the fix for each that it could not.

    Every call of a scan is tried, and nothing is stored. Having a credential report made is one of them, and AWS
    then keeps that report for up to four hours. The exit status is 0 when a scan would read every account, else 3.
    """
    from scanner.doctor import examine
    from scanner.settings import read_settings, read_settings_file
    from scanner.transcript import describe_check_up
    from scanner.wiring import prepare_instruments, prepare_order

    overrides: Overrides = {
        "scan": {"workers": workers},
        "aws": {
            "profile": profile,
            "role_name": role_name,
            "external_id": external_id,
            "endpoint_url": endpoint_url,
        },
        "accounts": {"accounts": account, "ous": ou},
    }
    with _foreseen():
        source = read_settings_file(config) if config else None
        settings = read_settings(source, str(config or "settings"), _keep_given(overrides))
        terms = prepare_order(settings, {}).terms
        check_up = examine(terms, prepare_instruments(settings, terms))
        _print_lines(describe_check_up(check_up))
        raise typer.Exit(0 if check_up.is_ready else UNREADABLE)


@app.command(epilog="Example: orgproof demo --output outputs")
def demo(
    output: Annotated[Path, typer.Option(help="Folder under which runs are kept.")] = Path(
        "outputs"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Only serve the simulated organization.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes a free one.")] = 0,
    quiet: _Quiet = False,
    log_format: _Log = None,
) -> None:
    """
    Do the whole job on a simulated organization; no AWS account is needed.

    The simulated organization is incomplete on purpose (the role is missing in one account), so the exit
    status is 3.
    """
    from scanner.simulator import READER_ROLE, Simulator, build_demo
    from scanner.simulator import serve as serve_until_stopped

    manner = Manner(quiet, log_format)
    with _foreseen(manner=manner):
        simulator = Simulator(build_demo(), port=port, report_seconds=1.0)
        if serve:
            serve_until_stopped(simulator, _announce)
            return
        with simulator:
            _forget_aws_environment()
            os.environ.update(simulator.environment())
            overrides = {
                "scan": {
                    "organization_name": "Example Corporation (simulated)",
                    "prepared_by": "orgproof demo",
                },
                "aws": {"endpoint_url": simulator.url, "role_name": READER_ROLE},
            }
            _scan(None, overrides, output, manner, simulated=True)


@app.command(epilog="Example: orgproof render outputs/o-exampleorg/2026-Q4/20261124T101500Z")
def render(
    run: _Run,
    formats: _Formats = None,
    framework: Annotated[
        list[str] | None, typer.Option(help="Judge again by this framework; repeatable.")
    ] = None,
    framework_file: Annotated[
        list[Path] | None,
        typer.Option(help="Judge again by a catalog of your own; repeatable."),
    ] = None,
    acceptances: Annotated[
        Path | None, typer.Option(help="Judge again with these accepted risks (YAML).")
    ] = None,
    carry_notes: Annotated[
        Path | None,
        typer.Option(
            help="Older workbook whose status, assignee and note go into the new one.",
            metavar="OLD.xlsx",
        ),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a sample of this run, to be a sheet of the workbook.", metavar="DERIVED"
        ),
    ] = None,
) -> None:
    """
    Draw a run's documents again, from its stored evidence, without any network.

    With other frameworks or acceptances the same raw reports are judged again, into a folder of its own
    under derived/. The run itself stays as it was. Notes that people wrote in an older workbook are carried
    over by finding_id, and those whose finding is gone are listed.
    """
    from scanner.console import is_terminal
    from scanner.pipeline import judge_again, render_again
    from scanner.wiring import (
        SystemClock,
        choose_acceptances,
        choose_frameworks,
        choose_press,
        list_formats,
    )

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        extras = None
        if carry_notes is not None or sample is not None:
            extras = _read_extras(run, carry_notes, sample)
        names = _split(formats) or list_formats(run)
        files = [str(path) for path in framework_file or []]
        frameworks = choose_frameworks(framework or [], files) if framework or files else None
        accepted = choose_acceptances(str(acceptances) if acceptances else None)
        is_judged = frameworks is not None or accepted is not None
        if is_judged and sample is not None:
            raise SettingsError(
                "--sample: was drawn from the run as it was judged; leave out --framework and --acceptances"
            )
        with _watch(Manner(quiet=not is_terminal(sys.stderr))) as watched:
            press = choose_press(names, watched, extras=extras)
            watched.stage("render")
            if is_judged:
                drawn: Finished | Redrawn = judge_again(
                    run, frameworks, accepted, press, SystemClock()
                )
            else:
                drawn = render_again(run, press, SystemClock())
        _tell_drawn(drawn, run, extras.describe() if extras else ())


@app.command(epilog="Example: orgproof diff outputs/o-1/2026-Q4/20261124T101500Z OLDER_RUN")
def diff(
    run: _Run,
    older: Annotated[
        Path, typer.Argument(help="Folder of an earlier run of the same organization.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """
    Say what changed between two runs: new, still open, fixed, reopened, not scanned, joined, left.
    """
    from scanner.comparison import compare_runs, describe_changes, encode_changes
    from scanner.evidence import StoredRun

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        _check_finished(older)
        changes = compare_runs(StoredRun(run), StoredRun(older))
        if as_json:
            _say(encode_changes(changes).removesuffix("\n"))
            return
        _print_lines(describe_changes(changes))


@app.command(
    epilog="Example: orgproof sample outputs/o-exampleorg/2026-Q4/20261124T101500Z --seed 7"
)
def sample(
    run: _Run,
    size: Annotated[int, typer.Option(min=1, help="How many users and root users to draw.")] = 25,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Any whole number, best the auditor's; without it the run's seal gives one."
        ),
    ] = None,
    stratify: Annotated[
        Strata | None, typer.Option(help="Draw from each OU, account or verdict in proportion.")
    ] = None,
    check: Annotated[
        str, typer.Option(help="The check whose verdicts are to be tested.")
    ] = "console-no-mfa",
) -> None:
    """
    Draw a sample for an auditor, each item with its line in the raw report.

    The same seed draws the same sample again. It is kept, with seed and population, under derived/ in the
    run folder, and the last line printed is where.
    """
    from scanner.evidence import StoredRun
    from scanner.evidence.sample import SampleOrder, take_sample
    from scanner.reports.sample import describe_sample, keep_sample
    from scanner.wiring import SystemClock

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        stored = StoredRun(run)
        drawn = take_sample(stored, SampleOrder(size, check, seed, stratify), __version__)
        folder = keep_sample(stored, drawn, SystemClock().now())
        _print_lines(describe_sample(drawn))
        _say(str(folder))


@app.command(epilog="Example: orgproof deliver outputs/o-exampleorg/2026-Q4/20261124T101500Z")
def deliver(
    run: _Run,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file that says where to; by default the run's own."),
    ] = None,
) -> None:
    """
    Send a finished run where [[deliver]] says; what is there already is not sent twice.

    Nothing is ever overwritten, and what was sent is read back. A receipt is kept under derived/ in the run
    folder, and the last line printed is where.
    """
    from scanner.delivery import deliver_run, describe_delivery, name_repeat
    from scanner.settings import read_settings, read_settings_file, read_stored_settings
    from scanner.wiring import SystemClock, choose_destinations

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        if config is not None:
            settings = read_settings(read_settings_file(config), str(config), {})
        else:
            kept = run / "inputs" / "settings.toml"
            source = read_settings_file(kept) if kept.exists() else b""
            settings = read_stored_settings(source, str(kept), {})
        destinations = choose_destinations(settings)
        if not destinations:
            raise SettingsError(
                f"{config or run}: the settings name nowhere to deliver to; add [[deliver]] to a settings "
                "file and name it with --config"
            )
        STOP.folder, STOP.redeliver = run, name_repeat(run, config)
        delivered = deliver_run(run, destinations, SystemClock(), __version__, config=config)
        _print_lines(describe_delivery(delivered))
        _say(str(delivered.folder))


@app.command(epilog="Example: orgproof verify outputs/o-exampleorg/2026-Q4/20261124T101500Z")
def verify(
    run: _Run,
    public_key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) of whoever signed the run.")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(help="Folder of the run before, to check the chain against.")
    ] = None,
    redraw: Annotated[
        bool,
        typer.Option(
            "--redraw/--no-redraw",
            help="Draw the PDFs again and compare each byte, which takes most of the time. Without it their figures "
            "are read, and what their pages show is not compared.",
        ),
    ] = True,
) -> None:
    """
    Test whether evidence is whole, unchanged, and follows from its raw reports. Needs no network.

    Each step is printed with its result. The exit status is 0 when no step failed, and 4 otherwise.
    """
    from scanner.evidence.verify import conclude, verify_run
    from scanner.reports.readback import Readback
    from scanner.transcript import describe_step, describe_verification

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        for folder in (run, previous):
            if folder is not None and not folder.is_dir():
                raise SettingsError(f"{folder}: is no folder; give the folder that a scan printed")
        key = _read_key(public_key) if public_key is not None else None
        steps = []
        read_documents = partial(Readback, redraw=redraw)
        for step in verify_run(
            run, public_key=key, previous=previous, read_documents=read_documents
        ):
            steps.append(step)
            _print_lines(describe_step(step))
            _flush()
        _print_lines(describe_verification(steps))
        if not conclude(steps):
            raise typer.Exit(DOES_NOT_VERIFY)


def _read_key(file: Path) -> bytes:
    from scanner.errors import EvidenceError
    from scanner.evidence.signature import MAX_KEY_BYTES
    from scanner.evidence.survey import open_regular

    try:
        with open_regular(file.resolve()) as source:
            return source.read(MAX_KEY_BYTES + 1)
    except EvidenceError as exc:
        raise SettingsError(f"the public key: {exc}") from exc


@frameworks_app.command("list", epilog="Example: orgproof frameworks list")
def list_frameworks() -> None:
    """
    List the frameworks that ship with orgproof.
    """
    from scanner.frameworks import find_frameworks, load_framework

    with _foreseen():
        names = find_frameworks()
        width = max(len(name) for name in names)
        for name in names:
            framework = load_framework(name)
            count = _count_controls(framework)
            _say(f"{name:{width}}  {framework.name} {framework.version}, {count}")


@frameworks_app.command("show", epilog="Example: orgproof frameworks show pci-dss-4.0.1")
def show_framework(
    name: Annotated[str, typer.Argument(help="A framework's id, such as pci-dss-4.0.1.")],
) -> None:
    """
    Show a framework's controls, and the checks that bear on each with their thresholds.
    """
    from scanner.frameworks import load_framework
    from scanner.transcript import describe_framework

    with _foreseen():
        _print_lines(describe_framework(load_framework(name)))


@frameworks_app.command("check", epilog="Example: orgproof frameworks check our-policy-2026.yaml")
def check_framework(
    file: Annotated[Path, typer.Argument(help="A catalog file (YAML).")],
) -> None:
    """
    Check a catalog file and list everything wrong with it at once.
    """
    from scanner.frameworks import load_framework_file

    with _foreseen():
        framework = load_framework_file(file)
        _say(f"{file}: {framework.id}, {_count_controls(framework)}, no problem found")


def _scan(
    config: Path | None,
    overrides: Overrides,
    output: Path | None,
    manner: Manner,
    *,
    previous: Path | None = None,
    simulated: bool = False,
) -> NoReturn:
    # boto3 and pandas take a second to import, and `--help` needs neither.
    from scanner.pipeline import scan as run_scan
    from scanner.settings import read_settings, read_settings_file
    from scanner.wiring import choose_destinations, prepare_means, prepare_order

    source = read_settings_file(config) if config else None
    settings = read_settings(source, str(config or "settings"), _keep_given(overrides))
    inputs = {"settings.toml": source} if source is not None else {}
    order = prepare_order(settings, inputs, output=output, previous=previous, simulated=simulated)
    destinations = choose_destinations(settings)
    with _watch(manner) as watched:
        finished = run_scan(order, prepare_means(settings, order.terms, watched))
    steps = _choose_next(finished, overrides, previous=previous)
    _finish(finished, destinations, config, steps, manner)


def _resume(
    run: Path,
    config: Path | None,
    overrides: Overrides,
    manner: Manner,
    *,
    retry_failed: bool,
) -> NoReturn:
    """
    Go on with a run. What it is to do stands in its folder; only how it is reached may be said again.
    """
    from scanner.evidence.resumption import read_terms
    from scanner.pipeline import resume
    from scanner.settings import read_settings, read_settings_file, read_stored_settings
    from scanner.wiring import choose_destinations, prepare_means

    given = _keep_given(overrides)
    fixed = sorted(
        f"{table}.{name}"
        for table, values in given.items()
        for name in values
        if table != "sign" and (table, name) not in _MAY_CHANGE
    )
    if fixed:
        raise SettingsError(
            f"--resume goes on with the run's own settings, so {', '.join(fixed)} cannot be given again"
        )
    if not run.is_dir():
        raise SettingsError(f"{run}: is no folder; give the folder of the run to go on with")
    run = run.absolute()  # a new run goes beside it, also beside "."
    terms = read_terms(run)
    stored = run / "inputs" / "settings.toml"
    if config is None and stored.exists():
        settings = read_stored_settings(read_settings_file(stored), str(stored), given)
    else:
        source = read_settings_file(config) if config else None
        settings = read_settings(source, str(config or "settings"), given)
    destinations = choose_destinations(settings)
    with _watch(manner) as watched:
        means = prepare_means(settings, terms, watched)
        finished = resume(run, means, retry_failed=retry_failed)
    steps = _choose_next(finished, overrides, config=config)
    _finish(finished, destinations, config, steps, manner)


def _keep_given(overrides: Overrides) -> Overrides:
    """
    Leave out the options that were not given.
    """
    given = {
        table: {key: value for key, value in values.items() if value is not None and value != []}
        for table, values in overrides.items()
    }
    if given.get("sign"):
        # One key or the other: an option puts the settings file's key of either kind out of force.
        given["sign"] = overrides["sign"]
    return given


@contextmanager
def _watch(manner: Manner) -> Iterator[Watched]:
    from scanner.console import choose_watcher

    watcher = choose_watcher(quiet=manner.quiet, log_format=manner.log_format)
    try:
        yield Watched(watcher)
    finally:
        watcher.close()


def _choose_next(
    finished: "Finished",
    overrides: Overrides,
    *,
    config: Path | None = None,
    previous: Path | None = None,
) -> "Sequence[Next]":
    """
    Return what to do next. `config` is the settings file of a resumed run, which the run does not keep.
    """
    from scanner.evidence.previous import locate_previous
    from scanner.transcript import choose_next

    sign = overrides.get("sign", {})
    again = {
        "--config": config,
        "--profile": overrides["aws"].get("profile"),
        "--sign-key": sign.get("key"),
        "--sign-kms": sign.get("kms_key"),
    }
    return choose_next(
        finished.summary,
        finished.folder,
        older=locate_previous(finished.folder, finished.summary, previous),
        access=[str(word) for option, value in again.items() if value for word in (option, value)],
    )


def _finish(
    finished: "Finished",
    destinations: "tuple[Destination, ...]",
    config: Path | None,
    steps: "Sequence[Next]",
    manner: Manner,
) -> NoReturn:
    """
    Say what was found, deliver it, and end with the run's status.
    """
    from scanner.delivery import deliver_run, describe_delivery, name_repeat
    from scanner.wiring import SystemClock

    is_stopped = finished.summary.interrupted
    delivered = None
    try:
        # Before anything is printed: nobody may be reading any more.
        if destinations and not is_stopped:
            STOP.redeliver = name_repeat(finished.folder, config)
            delivered = deliver_run(
                finished.folder, destinations, SystemClock(), __version__, config=config
            )
    finally:
        # Whatever becomes of the delivery: the run is whole, and its folder is what scripts wait for.
        if not manner.quiet:
            _tell_run(finished, manner)
            _print_lines(describe_delivery(delivered) if delivered else ())
        elif is_stopped:
            # A script that is quiet reads one line, the folder.
            _warn([say_how_to_resume(finished.folder)], manner)
        if is_stopped and destinations:
            _warn(["not delivered, for the scan was stopped"], manner)
        if not manner.quiet:
            _tell_next(steps, manner)
        _say(str(finished.folder))
    raise typer.Exit(finished.summary.exit_status)


def _tell_run(finished: "Finished", manner: Manner) -> None:
    """
    Say what a run found: as a table to somebody at a terminal, else in plain lines.
    """
    from scanner.transcript import describe_run, draw_run

    if not manner.is_drawn:
        _print_lines(describe_run(finished.summary, finished.documents))
        return
    documents = [
        (str(path.relative_to(finished.folder)), path.stat().st_size) for path in finished.documents
    ]
    console = _open_terminal()
    _draw(console, draw_run(finished.summary, documents, console.width))


def _tell_next(steps: "Sequence[Next]", manner: Manner) -> None:
    from scanner.transcript import describe_next, draw_next

    if manner.is_drawn:
        _draw(_open_terminal(), *draw_next(steps), soft_wrap=True)
    else:
        _print_lines(describe_next(steps))


def _tell_drawn(drawn: "Finished | Redrawn", run: Path, extras: Iterable[str]) -> None:
    """
    Say what `render` made: a judgement of its own, or documents beside those that the run lists.

    `extras` says what the workbook holds besides.
    """
    from scanner.pipeline import Finished
    from scanner.transcript import describe_comparison

    if isinstance(drawn, Finished):
        _tell_run(drawn, Manner())
        _print_lines(extras)
        _say(str(drawn.folder))
        return
    _print_lines(extras)
    if drawn.comparison is not None:
        _print_lines(describe_comparison(drawn.comparison, run / "documents.json"))
    for path in drawn.documents:
        _say(str(path))


def _open_terminal() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _draw(console: "Console", *parts: "RenderableType", soft_wrap: bool = False) -> None:
    """
    Draw on the terminal. `soft_wrap` leaves long lines to it, so that they can be copied whole.
    """
    try:
        for part in parts:
            console.print(part, soft_wrap=soft_wrap)
    except OSError as exc:
        _leave(sys.stdout, exc)


def _say(line: str) -> None:
    """
    Print a line, to whoever still reads.
    """
    _write(line, sys.stdout)


def _write(line: str, stream: IO[str] | None) -> None:
    if stream is None:  # it was closed before the command began
        return
    try:
        print(line, file=stream)
    except OSError as exc:
        _leave(stream, exc)


def _leave(stream: IO[str], exc: OSError) -> None:
    """
    Go on in silence when nobody reads a stream any more: what was done keeps its own exit status.
    """
    # Whatever is still in the stream's buffer is written once more when the process ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if exc.errno not in {errno.EPIPE, errno.EIO}:
        exc.filename = exc.filename or "standard output"
        raise exc


def _flush() -> None:
    """
    Write out what was printed. A full disk is an error, a reader who has left is none.
    """
    try:
        for stream in (sys.stderr, sys.stdout):
            if stream is None:
                continue
            try:
                stream.flush()
            except OSError as exc:
                _leave(stream, exc)
    except OSError as exc:
        _write(f"orgproof: {exc.filename}: {exc.strerror}", sys.stderr)
        sys.exit(STOPPED)


def _count_controls(framework: "Framework") -> str:
    number = len(framework.controls)
    return "1 control" if number == 1 else f"{number} controls"


def _print_lines(lines: Iterable[str]) -> None:
    """
    Print lines of which parts come from AWS: nothing in them can steer a terminal.
    """
    for line in lines:
        _say(show(line))


def _check_previous(run: Path, manner: Manner) -> None:
    """
    Refuse a run to compare with before anything is asked of AWS.
    """
    from scanner.evidence.previous import take_previous

    with _foreseen(evidence_status=DOES_NOT_VERIFY, manner=manner):
        _check_finished(run)
        take_previous(run)


def _check_finished(run: Path) -> None:
    if not (run / "manifest.json").is_file():
        raise SettingsError(
            f"{run}: is not a finished run, for it has no manifest.json; give the folder that a scan printed"
        )


def _read_extras(run: Path, notes: Path | None, sample: Path | None) -> "Extras":
    """
    Read what goes into a workbook besides its run. It brings a library along that other renderings do without.
    """
    from scanner.evidence import StoredRun
    from scanner.reports.extras import read_extras

    return read_extras(StoredRun(run), notes, sample)


def _split(formats: str | None) -> list[str] | None:
    """
    Return the names in a list such as `pdf, xlsx`, None where none was given. An empty name stays, and is refused.
    """
    return None if formats is None else [name.strip() for name in formats.split(",")]


def _announce(simulator: Any) -> None:  # noqa: ANN401 - imported lazily
    _say(f"serving {simulator.world.organization_id} on {simulator.url}; stop with Ctrl-C")
    _say("# in another shell:")
    for name, value in simulator.environment().items():
        _say(f"export {name}={value}")
    _say(f"orgproof scan --endpoint-url {simulator.url}")
    _flush()


def _forget_aws_environment() -> None:
    """
    Keep a person's own AWS profile and files out of the demo.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@contextmanager
def _foreseen(evidence_status: int = STOPPED, manner: Manner | None = None) -> Iterator[None]:
    """
    Turn what goes wrong into a message and an exit status.
    """
    try:
        yield
    except typer.Exit:
        raise
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the last door
        end = explain_end(exc, evidence_status)
        _warn(end.lines, manner or Manner())
        raise typer.Exit(end.status) from None


def _warn(lines: Iterable[str], manner: Manner) -> None:
    """
    Write to standard error, in the form that whoever reads the log expects.
    """
    for line in map(show, lines):
        if manner.log_format is LogFormat.JSON:
            _write(json.dumps({"event": "message", "message": line}), sys.stderr)
        else:
            _write(f"orgproof: {line}", sys.stderr)


if __name__ == "__main__":
    main()
