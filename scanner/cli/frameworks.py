"""
`orgproof frameworks`: the control catalogs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli.ending import foreseen
from scanner.cli.printing import print_lines, say

if TYPE_CHECKING:
    from scanner.frameworks import Framework


frameworks_app = typer.Typer(
    help="List, show and check control catalogs.",
    epilog="Example: orgproof frameworks list",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@frameworks_app.command("list", epilog="Example: orgproof frameworks list")
def list_frameworks() -> None:
    """
    List the frameworks that ship with orgproof.
    """
    from scanner.frameworks import find_frameworks, load_framework

    with foreseen():
        names = find_frameworks()
        width = max(len(name) for name in names)
        for name in names:
            framework = load_framework(name)
            count = _count_controls(framework)
            say(f"{name:{width}}  {framework.name} {framework.version}, {count}")


@frameworks_app.command("show", epilog="Example: orgproof frameworks show pci-dss-4.0.1")
def show_framework(
    name: Annotated[str, typer.Argument(help="A framework's id, such as pci-dss-4.0.1.")],
) -> None:
    """
    Show a framework's controls, and the checks that bear on each with their thresholds.
    """
    from scanner.frameworks import load_framework
    from scanner.transcript import describe_framework

    with foreseen():
        print_lines(describe_framework(load_framework(name)))


@frameworks_app.command("check", epilog="Example: orgproof frameworks check our-policy-2026.yaml")
def check_framework(
    file: Annotated[Path, typer.Argument(help="A catalog file (YAML).")],
) -> None:
    """
    Check a catalog file and list everything wrong with it at once.
    """
    from scanner.frameworks import load_framework_file

    with foreseen():
        framework = load_framework_file(file)
        say(f"{file}: {framework.id}, {_count_controls(framework)}, no problem found")


def _count_controls(framework: "Framework") -> str:
    number = len(framework.controls)
    return "1 control" if number == 1 else f"{number} controls"
