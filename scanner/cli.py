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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from scanner import __version__
from scanner.errors import CatalogError, DiscoveryError, OrgproofError, SettingsError
from scanner.interfaces import Progress
from scanner.model import Confirmation, Outcome, Summary, show

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
STOPPED = 5


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
        signal.signal(getattr(signal, name, signal.SIGTERM), _interrupt)
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
    with _foreseen():
        _scan(config, overrides, output, quiet=quiet, log_format=log_format, simulated=False)


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
) -> None:
    """
    Draw a run's documents again, from its stored evidence, without any network.
    """
    from scanner.pipeline import render_again
    from scanner.reports import FORMATS
    from scanner.wiring import SystemClock, choose_renderers

    with _foreseen(evidence_status=DOES_NOT_VERIFY):
        if not (run / "manifest.json").is_file():
            raise SettingsError(
                f"{run}: is not a finished run, for it has no manifest.json; give the folder that a scan "
                "printed"
            )
        renderers = choose_renderers(_split(formats) or list(FORMATS))
        again = render_again(run, renderers, SystemClock())
        if again.is_same is not None:
            word = "the same, byte for byte, as" if again.is_same else "NOT the same bytes as"
            print(f"the documents are {word} those listed in {run / 'documents.json'}")
        for path in again.documents:
            print(path)


@frameworks_app.command("list", epilog="Example: orgproof frameworks list")
def list_frameworks() -> None:
    """
    List the frameworks that ship with orgproof.
    """
    from scanner.frameworks import find_frameworks, load_framework

    with _foreseen():
        for name in find_frameworks():
            framework = load_framework(name)
            controls = f"{len(framework.controls)} controls"
            print(f"{name:24} {framework.name} {framework.version}, {controls}")


@frameworks_app.command("show", epilog="Example: orgproof frameworks show pci-dss-4.0.1")
def show_framework(
    name: Annotated[str, typer.Argument(help="A framework's id, such as pci-dss-4.0.1.")],
) -> None:
    """
    Show a framework's controls and the checks that bear on each.
    """
    from scanner.frameworks import load_framework

    with _foreseen():
        framework = load_framework(name)
        print(f"{framework.name} {framework.version} ({framework.id}), SHA-256 {framework.sha256}")
        print(f"{framework.status}")
        for control in framework.controls:
            print(f"\n{control.id}  {control.title}  [{control.relation}]")
            print(f"  {control.requirement}")
            for mapped in control.checks:
                print(f"  {mapped.relation}: {mapped.bound.name}: {mapped.because}")


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
        print(f"{file}: {framework.id}, {len(framework.controls)} controls, no problem found")


def _scan(
    config: Path | None,
    overrides: dict[str, dict[str, Any]],
    output: Path | None,
    *,
    quiet: bool,
    log_format: LogFormat | None,
    simulated: bool,
) -> NoReturn:
    # boto3 and pandas take a second to import, and `--help` needs neither.
    from scanner.console import choose_watcher
    from scanner.pipeline import scan as run_scan
    from scanner.settings import read_settings, read_settings_file
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
        watched = _Watched(watcher)
        job = prepare_scan(settings, inputs, watched, output=output, simulated=simulated)
        finished = run_scan(job)
    finally:
        watcher.close()
    if not quiet:
        _print_closing(finished.summary, finished.documents)
    print(finished.folder)
    raise typer.Exit(finished.summary.exit_status)


def _print_closing(summary: Summary, documents: tuple[Path, ...]) -> None:
    accounts, users = summary.accounts, summary.users
    print(
        f"organization {summary.organization_id}, period {summary.period}\n"
        f"accounts: {accounts.listed} listed = {accounts.collected} collected + "
        f"{accounts.not_collected} not collected + {accounts.excluded} excluded + "
        f"{accounts.not_active} not active\n"
        f"users: {users.users} read, {users.console} with a console password, "
        f"{users.console_without_mfa} of them without MFA"
    )
    fixed = summary.findings_by_confirmation.get(Confirmation.FIXED_SINCE_REPORT, 0)
    if fixed:
        print(f"       {fixed} got MFA since their account's report was made")
    for total in summary.checks:
        unknown = f", {total.unknown} unable to determine" if total.unknown else ""
        print(f"check {total.check}: {_count(total.failed, 'exception')} noted{unknown}")
    if summary.interrupted:
        print("INCOMPLETE: the scan was stopped; accounts that were not read say so")
    elif not accounts.collected:
        print("INCOMPLETE: no account was read, so nothing is shown about any user")
    elif not summary.is_complete:
        reasons = ", ".join(f"{count} {code}" for code, count in summary.reasons.items())
        print(
            f"INCOMPLETE: {_count(accounts.not_collected, 'account')} could not be read ({reasons})"
        )
    for path in documents:
        print(f"document: {path}")


def _split(formats: str | None) -> list[str] | None:
    """
    Return the names in a list such as `pdf, xlsx`, None where none was given. An empty name stays, and is refused.
    """
    return None if formats is None else [name.strip() for name in formats.split(",")]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
    except (SettingsError, CatalogError, DiscoveryError) as exc:
        _complain(exc, NOTHING_JUDGED)
    except OrgproofError as exc:
        _complain(exc, evidence_status)
    except KeyboardInterrupt:
        where = f" in {_STOP.folder}" if _STOP.folder else ""
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
                f"{f' in {_STOP.folder}' if _STOP.folder else ''}; please report the lines above"
            ),
            STOPPED,
        )


def _complain(error: OrgproofError, status: int) -> NoReturn:
    for line in str(error).splitlines():
        print(f"orgproof: {show(line)}", file=sys.stderr)
    raise typer.Exit(status)


@dataclass
class _Stop:
    """
    Whether the command was told to stop, and whether it can do so now.

    While tables are judged and sealed it cannot: a run half sealed would be of no use to anybody.
    """

    asked: bool = False
    is_held: bool = False
    is_due: bool = False
    folder: Path | None = None


_STOP = _Stop()


class _Watched:
    """
    Passes a scan's progress on, and minds when the scan can be stopped and where its evidence is.
    """

    def __init__(self, watcher: Progress) -> None:
        self._watcher = watcher

    def opened(self, folder: Path) -> None:
        """
        Remember the run folder. See `Progress`.
        """
        _STOP.folder = folder
        self._watcher.opened(folder)

    def listed(self, accounts: int, selected: int) -> None:
        """
        Pass it on. See `Progress`.
        """
        self._watcher.listed(accounts, selected)

    def collected(self, outcome: Outcome) -> None:
        """
        Pass it on. See `Progress`.
        """
        self._watcher.collected(outcome)

    def stage(self, name: str) -> None:
        """
        Hold signals back from judging to sealing. See `Progress`.
        """
        _STOP.is_held = name in {"judge", "seal"}
        self._watcher.stage(name)
        if _STOP.is_due and not _STOP.is_held:
            _STOP.is_due = False
            raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    if _STOP.asked:
        where = f"; what was collected is in {_STOP.folder}" if _STOP.folder else ""
        os.write(2, f"\norgproof: stopped at once{where}\n".encode())
        os._exit(STOPPED)
    _STOP.asked = True
    if _STOP.is_held:
        _STOP.is_due = True
    else:
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
