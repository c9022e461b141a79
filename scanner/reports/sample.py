"""
A sample as CSV, as a workbook and as JSON, in a sealed folder of its own beside the run's documents.

The three files depend on the evidence and the order alone: drawn again, they are the same bytes. When they
were drawn stands in the folder's manifest.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote

from openpyxl import Workbook

from scanner.checks import title_check
from scanner.errors import SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.derived import seal_derived, stage_derived
from scanner.evidence.sample import Sample, SampleOrder, take_sample
from scanner.evidence.store import create_file, read_file
from scanner.model import Strata, show
from scanner.records import decode, encode
from scanner.reports.archive import open_workbook, save_workbook
from scanner.reports.covers import Page
from scanner.reports.csv_files import write_csv
from scanner.reports.properties import describe_document, describe_page
from scanner.reports.sheet_rows import batch_rows
from scanner.reports.sheets import Book, Print, TableLayout, write_table
from scanner.reports.tables import Row
from scanner.reports.widths import WIDTHS
from scanner.reports.wording import count, format_iso, list_notices

TITLE = "A sample for testing again by hand"

# What a person who tests by hand needs stands first, what proves the draw last.
_BEFORE = ("item", "account_id", "account_name", "user", "check", "verdict")
_AFTER = (
    "raw_file",
    "line",
    "report_sha256",
    "arn",
    "ou_path",
    "stratum",
    "rank",
    "generated_time",
)
_WIDTHS = WIDTHS | {
    "check": 22.0,
    "item": 8.0,
    "line": 8.0,
    "rank": 20.0,
    "raw_file": 42.0,
    "report_sha256": 68.0,
    "stratum": 24.0,
    "user": 24.0,
    "verdict": 15.0,
}
_DIVISIONS = {Strata.OU: "by OU", Strata.ACCOUNT: "by account", Strata.VERDICT: "by verdict"}
_SHOWN = 20
_METHOD_WIDTHS = (56.0, 110.0)


def keep_sample(run: StoredRun, sample: Sample, moment: datetime) -> Path:
    """
    Write a sample into `derived/<moment>/` of its run, seal that folder and return it.

    It holds `sample.csv`, `sample.xlsx`, `sample.json`, `manifest.json` and `SHA256SUMS`. Raises
    `EvidenceError` when the disk refuses.
    """
    facts = {
        "kind": sample.kind,
        "made": format_iso(moment),
        "tool": {"name": "orgproof", "version": sample.tool_version},
    }
    with stage_derived(run.folder, moment) as store:
        store.write("sample.json", encode(sample))
        write_csv(store.folder / "sample.csv", _list_columns(sample), list_sample_rows(sample))
        _write_workbook(run, sample, store.folder / "sample.xlsx")
        seal_derived(store.folder, run.folder, facts)
    return store.folder


def read_sample(run: StoredRun, folder: Path) -> Sample:
    """
    Read the sample that `keep_sample` wrote into a folder, and draw it again to see that it is this run's.

    Raises `SettingsError` when it is not, and `EvidenceError` when the run is not what was sealed.
    """
    path = folder / "sample.json"
    if not path.is_file():
        raise SettingsError(
            f"--sample {show(str(folder))}: holds no sample.json; give a folder that `orgproof sample` printed"
        )
    content = read_file(path)
    kept = decode(Sample, content, str(path))
    if kept.manifest_sha256 != run.manifest_sha256:
        raise SettingsError(
            f"--sample {show(str(folder))}: was drawn from another run, whose seal is "
            f"{show(kept.manifest_sha256)}; draw one from this run with `orgproof sample`"
        )
    seed = kept.seed if kept.seed_source == "given" else None
    order = SampleOrder(kept.size_asked, kept.check.name, seed, kept.stratified_by)
    if encode(take_sample(run, order, kept.tool_version)) != content:
        raise SettingsError(
            f"--sample {show(str(folder))}: is not what its seed draws from this run; draw it again with "
            "`orgproof sample`"
        )
    return kept


def describe_sample(sample: Sample) -> list[str]:
    """
    Say in a few lines what was drawn, for the command that drew it. Names of strata are untrusted text.
    """
    lines = [
        f"sample for {sample.check.name}: {_describe_size(sample)}",
        f"population: every IAM user and root user of {_describe_coverage(sample)}",
        f"seed: {_describe_seed(sample)}",
    ]
    strata = () if sample.stratified_by is None else sample.strata
    lines += [f"stratum {part.name}: {part.drawn} of {part.rows}" for part in strata[:_SHOWN]]
    if len(strata) > _SHOWN:
        lines.append(f"and {len(strata) - _SHOWN:,} more strata, which sample.json lists")
    return lines


def lay_out_sample(sample: Sample) -> TableLayout:
    """
    Return how the table of a sample looks.
    """
    marked = frozenset({"verdict"})
    return TableLayout(
        "Sample", _list_columns(sample), "Nothing was drawn", _WIDTHS, marked, frozen=3
    )


def _list_columns(sample: Sample) -> list[str]:
    return [*_BEFORE, *sample.check.columns, *_AFTER]


def list_sample_rows(sample: Sample) -> Iterator[Row]:
    """
    Yield the items of a sample as rows.
    """
    for item in sample.items:
        yield (
            item.item,
            item.account_id,
            item.account_name,
            item.user,
            sample.check.name,
            item.verdict,
            *(item.values[column] for column in sample.check.columns),
            item.raw_file,
            item.line,
            item.report_sha256,
            item.arn,
            item.ou_path,
            item.stratum,
            item.rank,
            item.generated_time,
        )


def _write_workbook(run: StoredRun, sample: Sample, path: Path) -> None:
    properties = describe_document(run.summary)
    properties.title = f"{TITLE}: {sample.organization_id}, {sample.period}"
    page = describe_page(run)
    with open_workbook(properties) as workbook:
        _write_method(workbook, run, sample, page)
        book, layout = Book(workbook, page), lay_out_sample(sample)
        write_table(book, layout, batch_rows(layout.columns, list_sample_rows(sample)))
        if sample.stratified_by is not None:
            strata = TableLayout("Strata", ("stratum", "rows", "drawn"), "", _WIDTHS)
            parts = ((part.name, part.rows, part.drawn) for part in sample.strata)
            write_table(book, strata, batch_rows(strata.columns, parts))
        with create_file(path) as file:
            save_workbook(workbook, file, run.summary.window.finished)


def _write_method(workbook: Workbook, run: StoredRun, sample: Sample, page: Print) -> None:
    sheet = Page(workbook, "Method", _METHOD_WIDTHS, page)
    sheet.title(TITLE)
    for notice in list_notices(run.summary):
        sheet.banner(f"{notice.label}: {notice.sentence}")
    for heading, pairs in (
        ("What was drawn", _list_facts(sample)),
        ("How it was drawn", _number("Step", sample.method)),
        ("What was tested", _describe_test(sample)),
        ("How to test one item again", _describe_test_by_hand(sample)),
        ("How to check the draw", _describe_check_of_draw(sample)),
    ):
        sheet.heading(heading)
        for pair in pairs:
            sheet.paragraph(*pair)


def _number(word: str, sentences: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"{word} {number}", sentence) for number, sentence in enumerate(sentences, 1)]


def _describe_seed(sample: Sample) -> str:
    """
    Say which seed was used and who chose it.
    """
    if sample.seed_source == "seal":
        return f"{sample.seed}, the first eight hex digits of the run's seal as a number, for none was given"
    return f"{sample.seed}, given by whoever drew the sample"


def _describe_size(sample: Sample) -> str:
    """
    Say how many items were drawn, and why they are fewer than was asked for.
    """
    drawn = f"{count(sample.size_drawn, 'item')} of {count(sample.population, 'row')}"
    if sample.size_asked > sample.population:
        return f"{drawn}, which is the whole population: {sample.size_asked:,} were asked for"
    return drawn


def _describe_coverage(sample: Sample) -> str:
    """
    Say which accounts the population covers, and that it says nothing of the others.
    """
    accounts = sample.accounts
    read = f"the {count(accounts.collected, 'account')} read, of {accounts.listed:,} listed"
    if accounts.not_collected:
        missed = count(accounts.not_collected, "account")
        return f"{read}; {missed} could not be read, and nobody there could be drawn"
    return read


def _list_facts(sample: Sample) -> list[tuple[str, str]]:
    divided = "no" if sample.stratified_by is None else _DIVISIONS[sample.stratified_by]
    return [
        ("Items", _describe_size(sample)),
        ("Population", f"every IAM user and root user of {_describe_coverage(sample)}"),
        ("Seed", _describe_seed(sample)),
        ("Stratified", divided),
        ("Run", sample.run_id),
        ("Organization id", sample.organization_id),
        ("Period", sample.period),
        ("Seal (SHA-256 of manifest.json)", sample.manifest_sha256),
        ("Drawn with", f"orgproof {sample.tool_version}"),
    ]


def _describe_test(sample: Sample) -> list[tuple[str, str]]:
    check = sample.check
    return [
        ("Check", f"{check.name}: {title_check(check.name)}"),
        ("An exception is noted for", check.condition),
        ("Columns of the report it reads", ", ".join(check.columns) or "see the condition"),
    ]


def _describe_test_by_hand(sample: Sample) -> list[tuple[str, str]]:
    """
    Give the steps as commands for the first item. Paths hold account ids only, so they are safe to type.
    """
    first = sample.items[0]
    return [
        ("Where", "in the run folder, the one that holds raw and manifest.json; for item 1:"),
        (
            f"sha256sum {first.raw_file}",
            f"must print the item's report_sha256, {first.report_sha256}; it is in SHA256SUMS too",
        ),
        (
            f"head -n 1 {first.raw_file}",
            "prints the names of the report's columns",
        ),
        (
            f"sed -n {first.line}p {first.raw_file}",
            "prints the item's line as AWS wrote it. A line ends at a line feed, the header is line 1",
        ),
        (
            "Then",
            (
                "hold the values against the condition above, and what you conclude against the item's "
                "verdict. A row that the check is not about, or does not apply to, is not-applicable. A value "
                "that AWS does not document, or a report too old when it was fetched, leaves it unknown"
            ),
        ),
    ]


def _describe_check_of_draw(sample: Sample) -> list[tuple[str, str]]:
    command = f"orgproof sample RUN --size {sample.size_asked} --check {quote(sample.check.name)}"
    if sample.seed_source == "given":
        command += f" --seed {sample.seed}"
    if sample.stratified_by is not None:
        command += f" --stratify {sample.stratified_by}"
    return [
        ("Draw it again", f"{command}: the same version gives the same three files, byte for byte"),
        (
            "One rank by hand",
            (
                f"printf '%s\\n%s' '{sample.seed}' 'ARN' | sha256sum. Names in this workbook show hidden "
                "characters as their code; sample.json holds the exact ones"
            ),
        ),
        (
            "All ranks by hand",
            "rank every ARN of the users table so, sort by rank, and take the lowest as said above",
        ),
        (
            "The population",
            "sha256sum --check SHA256SUMS in the run folder shows that no table changed since the seal",
        ),
    ]
