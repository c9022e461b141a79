"""
The README says how to check a run without orgproof; these tests do it, with the commands that it prints.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from run_folder import Folder
from signing_keys import issue

from scanner.evidence import Store, StoredRun
from scanner.evidence.documents import list_documents, write_documents
from scanner.evidence.seal import seal
from scanner.records import encode
from scanner.reports.csv_files import render_csv
from scanner.reports.json_file import render_json
from scanner.reports.pdf import render_pdf
from scanner.reports.signed_pdf import Pkcs12, make_pdf_signer
from scanner.signing import KeySigner, read_private_key

pytestmark = pytest.mark.functional

README = Path(__file__).resolve().parents[2] / "README.md"
MAKE_KEY = "openssl genpkey -algorithm ed25519 -out orgproof.key"
KEYS = {
    "ed25519": MAKE_KEY,
    "ecdsa": MAKE_KEY.replace("ed25519", "EC -pkeyopt ec_paramgen_curve:P-256"),
}


@pytest.fixture(name="blocks", scope="module")
def read_blocks() -> list[str]:
    """
    Return the shell commands of the README's section, block by block.
    """
    text = README.read_text(encoding="utf-8")
    section = text.split("\n## Check the evidence without orgproof\n", 1)[1].split("\n## ", 1)[0]
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    return blocks


@pytest.fixture(name="find")
def make_finder(blocks):
    def find(word: str) -> str:
        """
        Return the one block of commands with this word.
        """
        found: list[str] = [block for block in blocks if word in block]
        assert len(found) == 1
        return found[0]

    return find


def run_shell(block: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """
    Run commands as a person types them into a POSIX shell, and stop at the first that fails.
    """
    return subprocess.run(
        ["sh", "-eu", "-c", block], cwd=folder, capture_output=True, text=True, check=False
    )


def passes(block: str, folder: Path) -> bool:
    return run_shell(block, folder).returncode == 0


@pytest.fixture(name="drawn", scope="module")
def draw_run(tmp_path_factory):
    """
    Make a run with its documents, the PDF signed with a certificate; its seal is signed by nobody yet.
    """
    parent = tmp_path_factory.mktemp("drawn")
    filled = Folder(parent).fill()
    summary = filled.derive()
    store = Store(filled.path)
    store.write("summary.json", encode(summary))
    seal(store, summary)
    run, reports = StoredRun(filled.path), filled.path / "reports"
    reports.mkdir()
    certificate = Pkcs12("certificate", issue("auditor", by=issue("authority")).write(), None)
    documents = [
        *render_pdf(run, reports, make_pdf_signer(certificate, None)),
        *render_csv(run, reports),
        *render_json(run, reports),
    ]
    write_documents(filled.path, list_documents(filled.path, documents, {"orgproof": "0.1.0"}))
    return filled.path


@pytest.fixture(name="keys", scope="module")
def make_keys(blocks, tmp_path_factory):
    """
    Make each kind of key as the README says.
    """
    (block,) = [block for block in blocks if MAKE_KEY in block]
    folders = {}
    for kind, command in KEYS.items():
        folders[kind] = tmp_path_factory.mktemp(kind)
        assert passes(block.replace(MAKE_KEY, command), folders[kind])
    return folders


@pytest.fixture(name="signed", params=sorted(KEYS))
def sign_run(request, drawn, keys, tmp_path):
    """
    Sign a copy of the run, with the public key beside its folder.
    """
    folder = tmp_path / drawn.name
    shutil.copytree(drawn, folder)
    sign(folder, keys[request.param])
    shutil.copy(keys[request.param] / "orgproof.pub", tmp_path)
    return folder


def sign(folder: Path, keys: Path) -> None:
    signer = KeySigner(read_private_key(keys / "orgproof.key", {}))
    for name in ("manifest", "documents"):
        content = (folder / f"{name}.json").read_bytes()
        envelope = signer.attest(f"{name}.json", content, {"run_id": folder.name})
        (folder / f"{name}.dsse.json").write_bytes(envelope)


def test_every_check_of_the_readme_finds_an_honest_run_whole(signed, blocks):
    """
    All commands but cosign's, in the order in which they stand there. They leave nothing in the run folder.
    """
    before = sorted(signed.rglob("*"))

    checks = [block for block in blocks if "genpkey" not in block and "cosign" not in block]
    for block in checks:
        folder = signed.parent if block.startswith("openssl pkey ") else signed
        done = run_shell(block, folder)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"

    assert len(checks) == 7
    assert sorted(signed.rglob("*")) == before


def test_the_key_has_the_id_that_documents_print(signed, find):
    """
    Two tools that everybody has give the id that the envelope names.
    """
    printed = run_shell(find("-outform DER | sha256sum"), signed.parent).stdout.split()[0]

    assert StoredRun(signed).signed_by == printed


def test_changed_added_and_missing_files_are_found(signed, find):
    """
    A byte of a report, a file that is not listed, and one that is gone.
    """
    block = find("SHA256SUMS")
    report = next(signed.glob("raw/*/credential-report.csv"))
    content = report.read_bytes()

    report.write_bytes(content.replace(b"true", b"TRUE", 1))
    assert "FAILED" in run_shell(block, signed).stdout
    assert not passes(block, signed)
    sums = (signed / "SHA256SUMS").read_text()
    old, new = (hashlib.sha256(each).hexdigest() for each in (content, report.read_bytes()))
    (signed / "SHA256SUMS").write_text(sums.replace(old, new))
    # The signed manifest still says otherwise.
    assert passes(find("check_signature"), signed)
    assert not passes(block, signed)
    (signed / "SHA256SUMS").write_text(sums)
    report.write_bytes(content)
    assert passes(block, signed)

    (signed / "raw" / "more.json").write_bytes(b"{}")
    assert "raw/more.json" in run_shell(block, signed).stdout
    assert not passes(block, signed)
    (signed / "raw" / "more.json").unlink()

    report.unlink()
    assert not passes(block, signed)


def test_changed_and_swapped_documents_are_found(signed, find):
    """
    A document that is not the one listed, and a list that names another manifest.
    """
    block = find(".documents[]")
    listed = json.loads((signed / "documents.json").read_bytes())
    document = signed / listed["documents"][0]["path"]
    content = document.read_bytes()

    document.write_bytes(content + b" ")
    assert not passes(block, signed)
    document.write_bytes(content)
    assert passes(block, signed)

    listed["manifest_sha256"] = "0" * 64
    (signed / "documents.json").write_text(json.dumps(listed))
    assert not passes(block, signed)


def rewrite_hashes(folder: Path) -> None:
    """
    Do what a careful forger does: change a report, and every hash of it.
    """
    report = next(folder.glob("raw/*/credential-report.csv"))
    report.write_bytes(report.read_bytes().replace(b"false", b"true", 1))
    old = (folder / "manifest.json").read_bytes()
    listed = json.loads(old)
    for entry in listed["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    new = json.dumps(listed, sort_keys=True).encode()
    (folder / "manifest.json").write_bytes(new)
    lines = [f"{entry['sha256']}  {entry['path']}\n" for entry in listed["files"]]
    lines.append(f"{hashlib.sha256(new).hexdigest()}  manifest.json\n")
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_a_forger_who_mends_every_hash_is_found_by_the_signature_alone(signed, find):
    """
    The hashes fit, as the guide says. The signature does not.
    """
    rewrite_hashes(signed)

    assert passes(find("SHA256SUMS"), signed)
    assert not passes(find("check_signature"), signed)


def test_the_forgers_own_signature_is_not_taken_for_ours(signed, find, keys, tmp_path):
    """
    Signed again with another key, of either kind; and our own two signatures exchanged.
    """
    block = find("check_signature")
    envelopes = [signed / f"{name}.dsse.json" for name in ("manifest", "documents")]
    right = [path.read_bytes() for path in envelopes]
    ours = (tmp_path / "orgproof.pub").read_bytes()
    other = next(
        folder for folder in keys.values() if (folder / "orgproof.pub").read_bytes() != ours
    )

    sign(signed, other)
    assert not passes(block, signed)

    for path, content in zip(envelopes, reversed(right), strict=True):
        path.write_bytes(content)
    assert not passes(block, signed)

    for path, content in zip(envelopes, right, strict=True):
        path.write_bytes(content)
    assert passes(block, signed)


def test_a_changed_envelope_is_found(signed, find):
    """
    A statement about another file under the old signature.
    """
    path = signed / "manifest.dsse.json"
    envelope = json.loads(path.read_bytes())
    payload = base64.b64decode(envelope["payload"]).replace(b"manifest.json", b"Manifest.json")
    path.write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}))

    assert not passes(find("check_signature"), signed)


def test_a_pdf_of_another_run_or_one_that_was_changed_is_found(signed, find):
    """
    The manifest inside is not the folder's; a byte of the document is another; the signature was cut off.
    """
    attached, signature = find("pdfdetach"), find("pdfsig")
    pdf = next((signed / "reports").glob("*.pdf"))
    content = pdf.read_bytes()

    manifest = (signed / "manifest.json").read_bytes()
    (signed / "manifest.json").write_bytes(manifest.replace(b"2026-Q4", b"2026-Q3"))
    assert not passes(attached, signed)

    place = content.index(b"/StructTreeRoot") + 2
    pdf.write_bytes(content[:place] + b"T" + content[place + 1 :])
    assert not passes(signature, signed)

    pdf.write_bytes(content[: content.index(b"%%EOF") + 6])
    assert not passes(signature, signed)


def test_the_envelope_is_what_cosign_reads(signed, find):
    """
    By cosign's source: the payload's type, one statement whose subject has the blob's SHA-256, the type asked for.

    The bundle wraps the same envelope, and names a key without saying which.
    """
    command = find("verify-blob-attestation")
    asked = re.search(r"--type (\S+)", command)
    envelope = json.loads((signed / "manifest.dsse.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
    blob = (signed / "manifest.json").read_bytes()

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert asked is not None
    assert statement["predicateType"] == asked[1]
    assert statement["subject"][0]["digest"] == {"sha256": hashlib.sha256(blob).hexdigest()}
    assert all(base64.b64decode(entry["sig"], validate=True) for entry in envelope["signatures"])

    assert passes(find("sigstore.bundle"), signed)
    assert json.loads((signed.parent / "manifest.sigstore.json").read_bytes()) == {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": ""}},
        "dsseEnvelope": envelope,
    }
