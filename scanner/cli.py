"""
The commands: parse, wire, print, exit. Alone in printing results and in ending the process.

Exit status: 0 no exception noted; 1 exceptions noted; 2 wrong command, settings or catalog, or the
account list could not be read; 3 an account could not be read or a verdict is unknown; 4 the evidence
does not verify; 5 stopped, with what was collected kept.
"""

import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scanner import __version__
from scanner.errors import (
    AcceptanceError,
    CatalogError,
    DiscoveryError,
    OrgproofError,
    SettingsError,
)
from scanner.model import Strata, show
from scanner.stopping import STOP, STOPPED, Watched, interrupt

if TYPE_CHECKING:
    from scanner.frameworks import Framework

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

NOTHING_JUDGED = 2
DOES_NOT_VERIFY = 4


class LogFormat(StrEnum):
    """
    How progress is written without a terminal.
    """

    TEXT = "text"
    JSON = "json"


def main() -> None:
    """
    Run the command line. The first signal stops the scan in good order, a second one at once.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name, signal.SIGTERM), interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(STOPPED)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"orgproof {__version__}")
        raise typer.Exit


@app.command(epilog="Example: orgproof scan --profile security-audit --period 2026-Q4")
def scan(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
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
    account: Annotated[
        list[str] | None, typer.Option(help="Look only at this account id; repeatable.")
    ] = None,
    ou: Annotated[
        list[str] | None, typer.Option(help="Look only at this OU and below; repeatable.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile to call with.")] = None,
    role_name: Annotated[str | None, typer.Option(help="Role assumed in every account.")] = None,
    external_id: Annotated[str | None, typer.Option(help="External id the roles ask for.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Another AWS endpoint; printed in every document.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads, 1 to 256.")] = None,
    formats: Annotated[
        str | None, typer.Option("--format", help="Documents to draw: pdf,xlsx,csv,json.")
    ] = None,
    no_confirm: Annotated[
        bool, typer.Option("--no-confirm", help="Do not ask about users without MFA live.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the run folder only.")] = False,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="Write progress as text or JSON lines.")
    ] = None,
) -> None:
    """
    Read every account of the organization and make the evidence.
    """
    overrides: dict[str, dict[str, Any]] = {
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
    }
    if previous is not None:
        _check_previous(previous)
    with _foreseen():
        _scan(
            config,
            overrides,
            output,
            previous=previous,
            quiet=quiet,
            log_format=log_format,
            simulated=False,
        )


@app.command(epilog="Example: orgproof demo --output outputs")
def demo(
    output: Annotated[Path, typer.Option(help="Folder under which runs are kept.")] = Path(
        "outputs"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Only serve the simulated organization.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes a free one.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the run folder only.")] = False,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="Write progress as text or JSON lines.")
    ] = None,
) -> None:
    """
    Do the whole job on a simulated organization; no AWS account is needed.

    The simulated organization is incomplete on purpose (the role is missing in one account), so the exit
    status is 3.
    """
    from scanner.simulator import READER_ROLE, Simulator, build_demo
    from scanner.simulator import serve as serve_until_stopped

    with _foreseen():
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
            _scan(None, overrides, output, quiet=quiet, log_format=log_format, simulated=True)


@app.command(epilog="Example: orgproof render outputs/o-exampleorg/2026-Q4/20261124T101500Z")
def render(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    formats: Annotated[
        str | None, typer.Option("--format", help="Documents to draw: pdf,xlsx,csv,json.")
    ] = None,
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
) -> None:
    """
    Draw a run's documents again, from its stored evidence, without any network.

    With other frameworks or acceptances the same raw reports are judged again, into a folder of its own
    under derived/. The run itself stays as it was.
    """
    from scanner.pipeline import judge_again, render_again
    from scanner.reports import FORMATS
    from scanner.transcript import describe_run
    from scanner.wiring import (
        SystemClock,
        choose_acceptances,
        choose_frameworks,
        choose_renderers,
    )

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        renderers = choose_renderers(_split(formats) or list(FORMATS))
        files = [str(path) for path in framework_file or []]
        frameworks = choose_frameworks(framework or [], files) if framework or files else None
        accepted = choose_acceptances(str(acceptances) if acceptances else None)
        if frameworks is not None or accepted is not None:
            judged = judge_again(run, frameworks, accepted, renderers, SystemClock())
            _print_lines(describe_run(judged.summary, judged.documents))
            print(judged.folder)
            return
        again = render_again(run, renderers, SystemClock())
        if again.is_same is not None:
            word = "the same, byte for byte, as" if again.is_same else "NOT the same bytes as"
            print(f"the documents are {word} those listed in {run / 'documents.json'}")
        for path in again.documents:
            print(path)


@app.command(epilog="Example: orgproof diff outputs/o-1/2026-Q4/20261124T101500Z OLDER_RUN")
def diff(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
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
            print(encode_changes(changes), end="")
            return
        _print_lines(describe_changes(changes))


@app.command(
    epilog="Example: orgproof sample outputs/o-exampleorg/2026-Q4/20261124T101500Z --seed 7"
)
def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
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
        print(folder)


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
            print(f"{name:{width}}  {framework.name} {framework.version}, {count}")


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
        print(f"{file}: {framework.id}, {_count_controls(framework)}, no problem found")


def _scan(
    config: Path | None,
    overrides: dict[str, dict[str, Any]],
    output: Path | None,
    *,
    previous: Path | None = None,
    quiet: bool,
    log_format: LogFormat | None,
    simulated: bool,
) -> NoReturn:
    # boto3 and pandas take a second to import, and `--help` needs neither.
    from scanner.console import choose_watcher
    from scanner.pipeline import scan as run_scan
    from scanner.settings import read_settings, read_settings_file
    from scanner.transcript import describe_run
    from scanner.wiring import prepare_scan

    given = {
        table: {key: value for key, value in values.items() if value is not None and value != []}
        for table, values in overrides.items()
    }
    source = read_settings_file(config) if config else None
    settings = read_settings(source, str(config or "settings"), given)
    inputs = {"settings.toml": source} if source is not None else {}
    watcher = choose_watcher(quiet=quiet, log_format=log_format)
    try:
        watched = Watched(watcher)
        job = prepare_scan(
            settings, inputs, watched, output=output, previous=previous, simulated=simulated
        )
        finished = run_scan(job)
    finally:
        watcher.close()
    if not quiet:
        _print_lines(describe_run(finished.summary, finished.documents))
    print(finished.folder)
    raise typer.Exit(finished.summary.exit_status)


def _count_controls(framework: "Framework") -> str:
    number = len(framework.controls)
    return "1 control" if number == 1 else f"{number} controls"


def _print_lines(lines: Iterable[str]) -> None:
    """
    Print lines of which parts come from AWS: nothing in them can steer a terminal.
    """
    for line in lines:
        print(show(line))


def _check_previous(run: Path) -> None:
    """
    Refuse a run to compare with before anything is asked of AWS.
    """
    from scanner.evidence.previous import take_previous

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        _check_finished(run)
        take_previous(run)


def _check_finished(run: Path) -> None:
    if not (run / "manifest.json").is_file():
        raise SettingsError(
            f"{run}: is not a finished run, for it has no manifest.json; give the folder that a scan printed"
        )


def _split(formats: str | None) -> list[str] | None:
    """
    Return the names in a list such as `pdf, xlsx`, None where none was given. An empty name stays, and is refused.
    """
    return None if formats is None else [name.strip() for name in formats.split(",")]


def _announce(simulator: Any) -> None:  # noqa: ANN401 - imported lazily
    print(f"serving {simulator.world.organization_id} on {simulator.url}; stop with Ctrl-C")
    print("# in another shell:")
    for name, value in simulator.environment().items():
        print(f"export {name}={value}")
    print(f"orgproof scan --endpoint-url {simulator.url}", flush=True)


def _forget_aws_environment() -> None:
    """
    Keep a person's own AWS profile and files out of the demo.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@contextmanager
def _foreseen(evidence_status: int = STOPPED) -> Iterator[None]:
    """
    Turn what orgproof foresees going wrong into a message and an exit status.
    """
    try:
        yield
    except (SettingsError, CatalogError, AcceptanceError, DiscoveryError) as exc:
        _complain(exc, NOTHING_JUDGED)
    except OrgproofError as exc:
        _complain(exc, evidence_status)
    except KeyboardInterrupt:
        where = f" in {STOP.folder}" if STOP.folder else ""
        _complain(OrgproofError(f"stopped; what was collected is kept{where}"), STOPPED)
    except OSError as exc:
        _complain(OrgproofError(f"{exc.filename or 'system'}: {exc.strerror or exc}"), STOPPED)
    except typer.Exit:
        raise
    except Exception as exc:  # noqa: BLE001 - the last door: what nobody foresaw
        # The message of an unforeseen error may quote an answer that holds a key; where it happened may not.
        frames = "".join(traceback.format_tb(exc.__traceback__))
        print(frames, file=sys.stderr)
        _complain(
            OrgproofError(
                f"an error nobody foresaw ({type(exc).__name__}); what was collected is kept"
                f"{f' in {STOP.folder}' if STOP.folder else ''}; please report the lines above"
            ),
            STOPPED,
        )


def _complain(error: OrgproofError, status: int) -> NoReturn:
    for line in str(error).splitlines():
        print(f"orgproof: {show(line)}", file=sys.stderr)
    raise typer.Exit(status)


if __name__ == "__main__":
    main()
