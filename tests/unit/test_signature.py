import base64
import hashlib
import json
import re
import subprocess
import sys

import pytest
import rfc8785
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner
from signing_keys import KINDS, make_key, write_private, write_public

from scanner.errors import EvidenceError, SettingsError
from scanner.evidence import signature
from scanner.evidence.signature import (
    MAX_ENVELOPE_BYTES,
    attest,
    check_key,
    describe_key,
    identify_key,
    inspect_envelope,
    name_envelope,
    read_public_key,
    verify_envelope,
)

NAME = "manifest.json"
CONTENT = b'{"files":[]}'
FACTS = {"run_id": "20261124T101500Z", "organization_id": "o-a1b2c3d4e5", "period": "2026-Q4"}


def hold(key):
    """
    Return a private key as `attest` takes it.
    """
    return CryptoSigner(key, describe_key(check_key(key.public_key())))


@pytest.fixture(name="keys", scope="module")
def make_keys():
    return {kind: make_key(kind) for kind in KINDS}


@pytest.fixture(name="key", scope="module")
def take_key(keys):
    return keys["ed25519"]


@pytest.fixture(name="signed", scope="module")
def sign(key):
    return attest(hold(key), NAME, CONTENT, FACTS)


def rewrite(envelope, change):
    """
    Return an envelope with its JSON changed, in canonical form again.
    """
    value = json.loads(envelope)
    change(value)
    return rfc8785.dumps(value)


def forge(key, statement, kind=signature.PAYLOAD_TYPE):
    """
    Return an envelope over any payload, signed with the right key.
    """
    payload = statement if isinstance(statement, bytes) else rfc8785.dumps(statement)
    envelope = Envelope(payload, kind, {})
    envelope.sign(hold(key))
    return rfc8785.dumps(envelope.to_dict())


def state(**changes):
    """
    Return a right statement, with changes.
    """
    return {
        "_type": signature.STATEMENT_TYPE,
        "subject": [{"name": NAME, "digest": {"sha256": hashlib.sha256(CONTENT).hexdigest()}}],
        "predicateType": signature.PREDICATE_TYPE,
        "predicate": {},
        **changes,
    }


def test_the_statement_that_the_refusals_change_is_accepted(key):
    """
    Else they would be refused for another reason than the one they name.
    """
    assert verify_envelope(forge(key, state()), write_public(key), NAME, CONTENT)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_key_signed_is_verified_with_its_public_half(keys, kind):
    """
    Ed25519, ECDSA on both curves, and RSA: the id that comes back is the one the envelope names.
    """
    envelope = attest(hold(keys[kind]), NAME, CONTENT, FACTS)

    verified = verify_envelope(envelope, write_public(keys[kind]), NAME, CONTENT)

    assert verified == identify_key(keys[kind].public_key())
    assert verified == inspect_envelope(envelope, NAME, CONTENT)
    assert [entry["keyid"] for entry in json.loads(envelope)["signatures"]] == [verified]


@pytest.mark.parametrize("kind", KINDS)
def test_securesystemslib_verifies_it_too(keys, kind):
    """
    Another implementation of DSSE than the one that checks here agrees about the envelope.
    """
    envelope = Envelope.from_dict(json.loads(attest(hold(keys[kind]), NAME, CONTENT, FACTS)))

    assert envelope.verify([hold(keys[kind]).public_key], 1)


def test_the_statement_is_an_in_toto_statement_about_the_file(signed):
    """
    What tools for supply chains expect: type, subject with name and digest, predicate with the facts.
    """
    envelope = json.loads(signed)

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert json.loads(base64.b64decode(envelope["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": "manifest.json",
                "digest": {"sha256": hashlib.sha256(CONTENT).hexdigest()},
            }
        ],
        "predicateType": "https://orgproof.dev/manifest/v1",
        "predicate": FACTS,
    }


def test_equal_input_gives_equal_bytes(key, signed):
    """
    Neither the order of facts nor the moment is in the envelope.
    """
    assert attest(hold(key), NAME, CONTENT, dict(reversed(FACTS.items()))) == signed


def test_any_changed_byte_is_noticed(key, signed):
    """
    Every single byte of an envelope counts, layout and key id included.
    """
    public = write_public(key)
    for place in range(len(signed)):
        for flip in (1, 0x20):
            changed = bytearray(signed)
            changed[place] ^= flip
            with pytest.raises(EvidenceError, match=r"^manifest\.dsse\.json: "):
                verify_envelope(bytes(changed), public, NAME, CONTENT)


def test_a_cut_or_longer_envelope_is_noticed(key, signed):
    """
    Neither what is missing at the end nor a line break more is let pass.
    """
    for changed in (b"", signed[:-1], signed + b"\n", b" " + signed, signed + signed):
        with pytest.raises(EvidenceError, match=r"^manifest\.dsse\.json: "):
            verify_envelope(changed, write_public(key), NAME, CONTENT)


def test_another_file_is_refused(key, signed):
    """
    Neither other bytes under the name nor the same bytes under another one.
    """
    with pytest.raises(EvidenceError, match=r"manifest\.json is not the file that was signed"):
        verify_envelope(signed, write_public(key), NAME, CONTENT + b" ")
    with pytest.raises(
        EvidenceError, match=r"is about 'manifest\.json', not about documents\.json"
    ):
        verify_envelope(signed, write_public(key), "documents.json", CONTENT)


@pytest.mark.parametrize("kind", KINDS)
def test_another_key_is_refused(signed, kind):
    """
    The right statement signed by somebody else, whatever the kind of key, and also when it names the right id.
    """
    other = make_key(kind)
    with pytest.raises(EvidenceError, match="give the one of whoever signed"):
        verify_envelope(signed, write_public(other), NAME, CONTENT)

    def claim(envelope):
        envelope["signatures"][0]["keyid"] = identify_key(other.public_key())

    with pytest.raises(EvidenceError, match="the signature is not one of key"):
        verify_envelope(rewrite(signed, claim), write_public(other), NAME, CONTENT)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.pop("payload"), "is no DSSE envelope"),
        (lambda e: e.update(more=1), "is no DSSE envelope"),
        (lambda e: e.update(payload=1), "is no DSSE envelope"),
        (lambda e: e["signatures"][0].update(cert="x"), "is no DSSE envelope"),
        (lambda e: e["signatures"][0].pop("keyid"), "is no DSSE envelope"),
        (lambda e: e["signatures"].clear(), "holds 0 signatures"),
        (lambda e: e["signatures"].extend(e["signatures"] * 2), "holds 3 signatures"),
        (lambda e: e.update(payloadType="text/plain\x1b[31m"), "payloadType is 'text/plain\ufffd"),
        (lambda e: e["signatures"][0].update(keyid=""), "keyid is not a SHA-256"),
        (lambda e: e["signatures"][0].update(keyid="A" * 64), "keyid is not a SHA-256"),
        (lambda e: e.update(payload="@@@@"), "payload: is not base64"),
        (lambda e: e.update(payload=e["payload"] + "\n"), "payload: is not"),
        (lambda e: e.update(payload="e31="), "payload: is not plain base64"),
        (lambda e: e["signatures"][0].update(sig="\u00e4"), "sig: is not base64"),
        (lambda e: e["signatures"][0].update(sig=""), "the signature is not one of key"),
    ],
)
def test_an_envelope_of_another_make_is_refused(key, signed, change, said):
    """
    Missing, added and wrong members, other types, and base64 that can be spelt in more than one way.
    """
    with pytest.raises(EvidenceError, match=said):
        verify_envelope(rewrite(signed, change), write_public(key), NAME, CONTENT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "_type is"),
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "predicateType is"),
        ({"predicate": []}, "is no in-toto statement"),
        ({"more": 1}, "is no in-toto statement"),
        ({"subject": {}}, "is no in-toto statement"),
        ({"subject": []}, "is not about one file"),
        ({"subject": [{"name": NAME, "digest": {"sha1": "0" * 40}}]}, "is not about one file"),
        ({"subject": [{"name": NAME, "digest": {"sha256": 7}}]}, "is not about one file"),
        (
            {"subject": [{"name": NAME, "digest": {"sha256": "0" * 64}}]},
            "not the file that was signed",
        ),
    ],
)
def test_another_statement_is_refused_however_well_it_is_signed(key, changes, said):
    """
    The right key signs other things too. They are no seal.
    """
    with pytest.raises(EvidenceError, match=said):
        verify_envelope(forge(key, state(**changes)), write_public(key), NAME, CONTENT)


def test_a_statement_about_more_files_is_refused(key):
    """
    A second subject could be whatever it likes.
    """
    subjects = state()["subject"]
    with pytest.raises(EvidenceError, match="is not about one file"):
        verify_envelope(
            forge(key, state(subject=[*subjects, *subjects])), write_public(key), NAME, CONTENT
        )


def test_a_payload_of_another_type_is_refused_however_well_it_is_signed(key):
    """
    The type is part of what is signed.
    """
    with pytest.raises(EvidenceError, match="payloadType"):
        verify_envelope(forge(key, state(), "text/plain"), write_public(key), NAME, CONTENT)


def test_a_payload_that_two_readers_read_in_two_ways_is_refused(key):
    """
    A name that appears twice, blanks, and what is no JSON at all.
    """
    payload = rfc8785.dumps(state())
    twice = payload.replace(b'{"_type"', b'{"_type":"x","_type"', 1)
    for odd in (twice, payload + b" ", b"\xff", b"NaN", b"[]"):
        with pytest.raises(EvidenceError, match="payload"):
            verify_envelope(forge(key, odd), write_public(key), NAME, CONTENT)


@pytest.mark.parametrize("depth", [18, 900, 100_000])
def test_deep_nesting_is_refused(key, depth):
    """
    Deep JSON ends neither in a RecursionError nor in a crash.
    """
    nested = b"[" * depth + b"]" * depth
    for envelope in (nested, b'{"a":' + nested + b"}"):
        with pytest.raises(EvidenceError, match=r"nested too deep|is not JSON"):
            verify_envelope(envelope, write_public(key), NAME, CONTENT)


def test_a_huge_envelope_is_refused_unread(key):
    """
    Nothing that is larger than an envelope can be is parsed.
    """
    with pytest.raises(EvidenceError, match="larger than 256 KiB"):
        verify_envelope(b"[" * (MAX_ENVELOPE_BYTES + 1), write_public(key), NAME, CONTENT)


def test_a_private_key_is_no_public_one_and_is_not_repeated(key, signed):
    """
    Whoever mistakes the files is told so, and what they gave ends in no message.
    """
    private = write_private(key)
    with pytest.raises(
        SettingsError, match="this is a private key; give the public one"
    ) as refused:
        verify_envelope(signed, private, NAME, CONTENT)

    assert private.splitlines()[1].decode() not in str(refused.value)


@pytest.mark.parametrize("kind", ["p521", "koblitz", "small rsa"])
def test_keys_of_other_kinds_are_refused(kind):
    """
    Other curves, and RSA that is too short.
    """
    with pytest.raises(SettingsError, match="this is another"):
        read_public_key(write_public(make_key(kind)))


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (b"", "not one in PEM"),
        (b"sesame", "not one in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nc2VzYW1l\n-----END PUBLIC KEY-----\n", "not one in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nc2VzYW1l\n-----END CERTIFICATE-----\n", "a certificate"),
        (b"x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_what_is_no_public_key_is_refused_and_not_repeated(pem, said):
    """
    The message says what was expected, never what was given.
    """
    with pytest.raises(SettingsError, match=said) as refused:
        read_public_key(pem)

    assert "sesame" not in str(refused.value)
    assert "c2VzYW1l" not in str(refused.value)


def test_a_key_that_signs_something_else_is_noticed_at_once(keys):
    """
    A device that answers with nonsense seals no run.
    """

    class Astray:
        public_key = hold(keys["p256"]).public_key

        def sign(self, payload):
            return hold(keys["p256"]).sign(payload + b" ")

    with pytest.raises(EvidenceError, match="does not fit its public key"):
        attest(Astray(), NAME, CONTENT, FACTS)


@pytest.mark.parametrize("odd", [float("nan"), 2**60, "\ud800"])
def test_facts_that_are_no_canonical_json_are_refused(key, odd):
    """
    What another reader would read as something else is not signed.
    """
    with pytest.raises(EvidenceError, match="facts are no JSON"):
        attest(hold(key), NAME, CONTENT, {"odd": odd})


def test_without_the_extra_the_message_says_what_to_install(key, signed, monkeypatch):
    """
    A missing library is not a traceback. What needs no library goes on working.
    """
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    wanted = re.escape("pip install 'orgproof[sign]'")
    with pytest.raises(SettingsError, match=wanted):
        attest(hold(key), NAME, CONTENT, FACTS)
    with pytest.raises(SettingsError, match=wanted):
        verify_envelope(signed, write_public(key), NAME, CONTENT)
    assert inspect_envelope(signed, NAME, CONTENT) == identify_key(key.public_key())


def test_verifying_loads_no_aws_library(key, signed):
    """
    Whoever checks evidence needs none, and securesystemslib would bring boto3 along.
    """
    script = (
        "import sys; from scanner.evidence.signature import verify_envelope as v\n"
        f"v({signed!r}, {write_public(key)!r}, {NAME!r}, {CONTENT!r})\n"
        "print([n for n in ('boto3', 'botocore', 'securesystemslib') if n in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_an_envelope_stands_beside_its_file():
    """
    The names of the two envelopes of a run.
    """
    assert name_envelope("manifest.json") == "manifest.dsse.json"
    assert name_envelope("documents.json") == "documents.dsse.json"
