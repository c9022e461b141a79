"""
What the README and the design page say is what the code does.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest

from scanner.aws.policy import READS
from scanner.evidence.tables import ACCOUNTS, CONTROLS, FINDINGS, HISTORY
from scanner.model import ReasonCode

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="readme", scope="module")
def read_readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(name="design", scope="module")
def read_design() -> str:
    return (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def rows_under(text: str, heading: str) -> list[list[str]]:
    """
    Return the cells of the first table under a heading, without its header.
    """
    section = re.split(
        r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def words_in_code(text: str) -> list[str]:
    return [word for span in re.findall(r"`([^`]+)`", text) for word in span.split()]


def test_the_role_in_the_readme_allows_exactly_the_calls_that_are_made(readme):
    """
    The first policy in the README is the one that our sessions are narrowed to.
    """
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", readme, re.DOTALL)]

    allowed = policies[0]["Statement"][0]["Action"]

    assert list(READS) == allowed


def test_every_reason_code_is_explained(design):
    """
    The design page explains each reason code once, with a next step, and none that does not exist.
    """
    rows = rows_under(design, "Why an account was not read")

    explained = [words_in_code(code)[0] for code, _, _ in rows]

    assert sorted(ReasonCode) == sorted(explained)
    assert all(meaning and step for _, meaning, step in rows)


def test_the_layers_are_those_that_are_enforced(design):
    """
    The design page lists the layers of the import contract, in its order.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    enforced = next(contract["layers"] for contract in contracts if contract["type"] == "layers")

    listed = [word for row in rows_under(design, "Layers") for word in words_in_code(row[0])]

    assert enforced == listed


def test_both_pages_give_the_same_exit_statuses(readme, design):
    """
    README and design page agree on what each exit status means, and there are six.
    """
    in_readme = rows_under(readme, "Exit status")

    assert [row[0] for row in in_readme] == ["0", "1", "2", "3", "4", "5"]
    assert in_readme == rows_under(design, "Exit status")


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        ("accounts", ACCOUNTS),
        ("findings", FINDINGS),
        ("controls", CONTROLS),
        ("history", HISTORY),
    ],
)
def test_the_tables_have_the_columns_that_are_documented(design, table, schema):
    """
    The design page names every column of a table, and no other.
    """
    documented = dict(rows_under(design, "The tables"))[table]

    assert sorted(schema.names) == sorted(words_in_code(documented))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/design.md"])
def test_links_lead_somewhere(page):
    """
    Every relative link of a page leads to a file of the repository.
    """
    folder = (ROOT / page).parent
    text = (ROOT / page).read_text(encoding="utf-8")

    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]

    assert [link for link in links if not (folder / link).exists()] == []


def test_help_names_every_option_of_the_readme(command, readme):
    """
    The README's list of options of `scan` and the program's own are the same.
    """
    block = readme.split("```\n--config", 1)[1].split("```", 1)[0]
    promised = set(re.findall(r"^(--[a-z-]+)", "--config" + block, re.MULTILINE))

    offered = set(re.findall(r"(?<!\S)(--[a-z-]+)", command("scan", "--help").stdout))

    assert promised == offered - {"--help"}
