"""
Whatever is done to a single file of a run is found, and named.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verified_run import Key, failed, take, write_full

KINDS = (
    "raw/accounts.json",
    "raw/012345678901/credential-report.csv",
    "raw/012345678901/outcome-1.json",
    "raw/012345678901/account-summary.json",
    "raw/012345678901/users.json",
    "raw/sittings/1-ended.json",
    "inputs/settings.json",
    "inputs/settings.toml",
    "inputs/notes.json",
    "inputs/acceptances.yaml",
    "inputs/frameworks/house-1.0.yaml",
    "inputs/previous/manifest.json",
    "inputs/previous/history.parquet",
    "tables/accounts.parquet",
    "tables/users.parquet",
    "tables/findings.parquet",
    "tables/controls.parquet",
    "tables/history.parquet",
    "summary.json",
    "manifest.json",
    "SHA256SUMS",
    "manifest.dsse.json",
    "documents.json",
    "documents.dsse.json",
    "reports/findings.csv",
    "reports/orgproof-2026-Q4.json",
    "reports/orgproof-2026-Q4.xlsx",
    "reports/orgproof-2026-Q4.pdf",
)
"""
A file of each kind that a signed run holds.
"""


@dataclass(frozen=True)
class Sealed:
    """
    A signed run that verifies, and the key.
    """

    folder: Path
    key: Key
    paths: tuple[str, ...]


@pytest.fixture(name="sealed", scope="module")
def make_sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """
    Make a run with a file of every kind. Its PDF is made up: only its bytes matter here.
    """
    key = Key()
    folder = write_full(tmp_path_factory.mktemp("sealed"), key)
    found = (path for path in folder.rglob("*") if path.is_file())
    paths = tuple(sorted(path.relative_to(folder).as_posix() for path in found))
    assert set(KINDS) <= set(paths)
    return Sealed(folder, key, paths)


def copy(sealed: Sealed) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(sealed.folder, Path(place) / sealed.folder.name))


def find_faults(sealed: Sealed, folder: Path, *touched: str) -> str:
    """
    Return the faults that the first three steps name. A key is used only where a signature was touched.
    """
    key = sealed.key.public if any(".dsse." in path for path in touched) else None
    return "\n".join(failed(take(folder, 3, public_key=key)).values())


def put_back(sealed: Sealed, folder: Path, *paths: str) -> None:
    for path in paths:
        shutil.copy2(sealed.folder / path, folder / path)


FAST = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(name="folder", scope="module")
def make_copy(sealed: Sealed) -> Iterator[Path]:
    """
    Copy the run, to be altered and put back by each example.
    """
    yield from copy(sealed)


def test_the_run_itself_verifies(sealed):
    """
    What the other tests here alter is whole, with the key and without.
    """
    assert failed(take(sealed.folder, 8)) == {}
    assert failed(take(sealed.folder, 3, public_key=sealed.key.public)) == {}


@pytest.mark.parametrize("path", KINDS)
def test_every_kind_of_file_is_covered(sealed, folder, path):
    """
    The first, the middle and the last byte of a file of each kind: a change to any is found and named.
    """
    content = (sealed.folder / path).read_bytes()
    for place in {0, len(content) // 2, len(content) - 1}:
        altered = bytearray(content)
        altered[place] ^= 1
        (folder / path).write_bytes(altered)

        assert path in find_faults(sealed, folder, path)
    put_back(sealed, folder, path)


@FAST
@given(data=st.data())
def test_a_changed_byte_is_found_and_named(sealed, folder, data):
    """
    Any byte of any file, changed to any other.
    """
    path = data.draw(st.sampled_from(sealed.paths))
    content = bytearray((sealed.folder / path).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / path).write_bytes(content)

    faults = find_faults(sealed, folder, path)

    put_back(sealed, folder, path)
    assert path in faults


@FAST
@given(data=st.data())
def test_a_file_that_grew_or_shrank_is_found_and_named(sealed, folder, data):
    """
    Bytes added to the end of any file, or cut off it.
    """
    path = data.draw(st.sampled_from(sealed.paths))
    content = (sealed.folder / path).read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    altered = data.draw(
        st.one_of(st.just(content[:kept]), st.binary(min_size=1, max_size=9).map(content.__add__))
    )
    (folder / path).write_bytes(altered)

    faults = find_faults(sealed, folder, path)

    put_back(sealed, folder, path)
    assert path in faults


@FAST
@given(data=st.data())
def test_a_removed_or_renamed_file_is_found_and_named(sealed, folder, data):
    """
    Any file, gone or under another name in the same folder or another. The new name is named too.
    """
    path = data.draw(st.sampled_from(sealed.paths))
    ending = data.draw(st.sampled_from([".bak", "2", ".JSON", ".partial", " "]))
    folders = sorted({os.path.dirname(name) for name in sealed.paths})  # noqa: PTH120 - names, not files
    where = data.draw(st.sampled_from(folders))
    new = data.draw(st.sampled_from([None, f"{path}{ending}", f"{where}/moved".lstrip("/")]))
    (folder / path).rename(folder / new) if new else (folder / path).unlink()

    faults = find_faults(sealed, folder, path)

    if new:
        (folder / new).unlink()
    put_back(sealed, folder, path)
    assert path in faults
    # Without a manifest nobody can say what belongs there.
    assert not new or path == "manifest.json" or f"{new}: is" in faults


@FAST
@given(data=st.data())
def test_what_was_added_is_found_and_named(sealed, folder, data):
    """
    A file, an empty folder or a link, anywhere but in derived/.
    """
    folders = sorted({os.path.dirname(name) for name in sealed.paths})  # noqa: PTH120 - names, not files
    name = data.draw(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
            min_size=1,
            max_size=20,
        ).filter(lambda text: text not in {".", "..", "derived"})
    )
    path = f"{data.draw(st.sampled_from(folders))}/{name}".lstrip("/")
    target = folder / path
    if target.exists():
        return
    match data.draw(st.sampled_from(["file", "folder", "link"])):
        case "file":
            target.write_bytes(data.draw(st.binary(max_size=9)))
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to(folder / "summary.json")

    faults = find_faults(sealed, folder, path)

    target.rmdir() if target.is_dir() and not target.is_symlink() else target.unlink()
    assert f"{path}: is" in faults


@FAST
@given(data=st.data())
def test_two_files_that_changed_places_are_found_and_named(sealed, folder, data):
    """
    Any two files whose contents differ, each under the other's name.
    """
    first, second = data.draw(
        st.lists(st.sampled_from(sealed.paths), min_size=2, max_size=2, unique=True)
    )
    one, two = ((sealed.folder / path).read_bytes() for path in (first, second))
    if one == two:
        return
    (folder / first).write_bytes(two)
    (folder / second).write_bytes(one)

    faults = find_faults(sealed, folder, first, second)

    put_back(sealed, folder, first, second)
    # Where the manifest is no manifest, nothing says what the other file should be.
    named = [path for path in (first, second) if path in faults]
    assert named == [first, second] or ("manifest.json" in {first, second} and named)


@FAST
@given(data=st.data())
def test_lines_of_the_checksums_cannot_change_places(sealed, folder, data):
    """
    Any two lines of SHA256SUMS: `sha256sum --check` would not mind.
    """
    lines = (sealed.folder / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    one, two = data.draw(
        st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)
    )
    lines[one], lines[two] = lines[two], lines[one]
    (folder / "SHA256SUMS").write_bytes(b"".join(lines))

    faults = find_faults(sealed, folder, "SHA256SUMS")

    put_back(sealed, folder, "SHA256SUMS")
    assert f"SHA256SUMS: line {min(one, two) + 1} is not" in faults


@FAST
@given(data=st.data())
def test_entries_of_the_manifest_cannot_change_places(sealed, folder, data):
    """
    Any two entries, in canonical JSON, with checksums that fit.
    """
    manifest = json.loads((sealed.folder / "manifest.json").read_bytes())
    files = manifest["files"]
    one, two = data.draw(
        st.lists(st.integers(0, len(files) - 1), min_size=2, max_size=2, unique=True)
    )
    files[one], files[two] = files[two], files[one]
    (folder / "manifest.json").write_bytes(rfc8785.dumps(manifest))

    faults = find_faults(sealed, folder, "manifest.json")

    put_back(sealed, folder, "manifest.json")
    assert "manifest.json: lists" in faults
    assert "out of order" in faults
