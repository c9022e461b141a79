import logging
import os
import sys
import traceback
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from signing_keys import KINDS, issue, make_key, save_private, write_private, write_public

from scanner.errors import SettingsError
from scanner.evidence.signature import verify_envelope
from scanner.reports.signed_pdf import Pkcs11, Pkcs12
from scanner.settings import Settings, read_settings
from scanner.signing import choose_pdf_signer, choose_signer, read_private_key

SECRET = "open sesame, 8.4.2"
KEY_ENV = {"ORGPROOF_KEY_PASSPHRASE": SECRET}
PDF_ENV = {"ORGPROOF_PDF_PASSPHRASE": SECRET}


class Clock:
    """
    The machine's clock. See `scanner.interfaces.Clock`.
    """

    def now(self) -> datetime:
        """
        Return the machine's own moment.
        """
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """
        Return that no time has passed.
        """
        return 0.0


def settings(**sign: object) -> Settings:
    return read_settings(None, "orgproof.toml", {"sign": sign})


def choose_pdf(environment=PDF_ENV, **pdf: object):
    return choose_pdf_signer(settings(pdf=pdf), environment, Clock())


@pytest.fixture(name="issued", scope="module")
def issue_one():
    return issue("auditor", by=issue("authority"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("environment", [{}, KEY_ENV], ids=["plain", "encrypted"])
def test_a_key_file_signs(tmp_path, kind, environment):
    """
    Each kind of key, in the clear and with its passphrase in the environment.
    """
    key = make_key(kind)
    path = save_private(
        tmp_path / "k.pem", write_private(key, environment.get("ORGPROOF_KEY_PASSPHRASE"))
    )

    signer = choose_signer(settings(key=str(path)), environment)

    assert signer is not None
    envelope = signer.attest("manifest.json", b"{}", {})
    assert verify_envelope(envelope, write_public(key), "manifest.json", b"{}") == signer.key_id


def test_without_settings_nothing_is_signed():
    """
    A key is never found by chance, wherever its passphrase may lie about.
    """
    assert choose_signer(settings(), KEY_ENV) is None
    assert choose_pdf_signer(settings(), PDF_ENV, Clock()) is None


def refuse_key(path, environment):
    """
    Return why a key is refused, once it is sure that nothing of it is told.
    """
    with pytest.raises(SettingsError) as refused:
        choose_signer(settings(key=str(path)), environment)
    told = "".join(traceback.format_exception(refused.value))
    assert SECRET not in told
    assert "wrong words" not in told
    if path.is_file():
        assert not any(
            line in told
            for line in path.read_text("latin-1").splitlines()
            if line and "-----" not in line
        )
    return str(refused.value)


def test_a_passphrase_that_is_missing_wrong_or_needless_is_said(tmp_path):
    """
    A key thought to be encrypted that is not is refused as well.
    """
    plain = save_private(tmp_path / "plain.pem", write_private(make_key("ed25519")))
    locked = save_private(tmp_path / "locked.pem", write_private(make_key("p256"), SECRET))

    assert "put its passphrase into ORGPROOF_KEY_PASSPHRASE" in refuse_key(locked, {})
    assert "put its passphrase into" in refuse_key(locked, {"ORGPROOF_KEY_PASSPHRASE": ""})
    assert "does not open it" in refuse_key(locked, {"ORGPROOF_KEY_PASSPHRASE": "wrong words"})
    assert "is not encrypted, although" in refuse_key(plain, KEY_ENV)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606, 0o660, 0o601])
def test_a_key_that_others_can_read_or_change_signs_nothing(tmp_path, mode):
    """
    Nobody could say who else signs with it. The message has the command that mends it.
    """
    path = save_private(tmp_path / "k.pem", write_private(make_key("ed25519")), mode)

    assert f"chmod 600 {path}" in refuse_key(path, {})


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
def test_a_group_may_read_a_key(tmp_path, mode):
    """
    That is how containers are handed secrets.
    """
    path = save_private(tmp_path / "k.pem", write_private(make_key("ed25519")), mode)

    assert read_private_key(path, {}).public_key.keytype == "ed25519"


def test_what_is_no_private_key_is_refused(tmp_path):
    """
    A public key, nonsense, a huge file, a folder, a pipe, and nothing at all.
    """
    path = tmp_path / "k.pem"
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo, 0o600)
    for content, said in (
        (write_public(make_key("ed25519")), "this is the public key"),
        (b"sesame", "is no private key in PEM"),
        (b"", "is no private key in PEM"),
        (
            b"-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n",
            "is no private key",
        ),
        (b"x" * 70_000, "larger than 64 KiB"),
    ):
        assert said in refuse_key(save_private(path, content), {})
    assert "cannot be read" in refuse_key(tmp_path, {}) + refuse_key(tmp_path / "none", {})
    assert "is not a file" in refuse_key(fifo, {})


@pytest.mark.parametrize("kind", ["p521", "koblitz", "small rsa"])
def test_keys_of_other_kinds_are_refused(tmp_path, kind):
    """
    What could not be verified later signs nothing.
    """
    path = save_private(tmp_path / "k.pem", write_private(make_key(kind)))

    assert "keys are Ed25519, ECDSA on P-256 or P-384, or RSA" in refuse_key(path, {})


def test_no_secret_is_in_a_log_or_in_what_is_shown(tmp_path, caplog, issued):
    """
    Neither the passphrase nor the key, however verbose the log, and whoever prints the objects.
    """
    caplog.set_level(logging.DEBUG)
    key = save_private(tmp_path / "k.pem", write_private(make_key("p256"), SECRET))
    certificate = save_private(tmp_path / "c.p12", issued.write(SECRET))

    signer = choose_signer(settings(key=str(key)), KEY_ENV)
    assert signer is not None
    signer.attest("manifest.json", b"{}", {})
    shown = [
        repr(signer),
        repr(choose_pdf(pkcs12=str(certificate))),
        repr(Pkcs12("certificate", certificate.read_bytes(), SECRET.encode())),
        repr(Pkcs11("module", "token", "certificate", SECRET)),
        *(record.getMessage() for record in caplog.records),
    ]

    assert not [text for text in shown if SECRET in text or "PRIVATE" in text]


def test_without_the_extra_the_message_says_what_to_install(tmp_path, monkeypatch):
    """
    A missing library is not a traceback.
    """
    path = save_private(tmp_path / "k.pem", write_private(make_key("ed25519")))
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)

    assert "pip install 'orgproof[sign]'" in refuse_key(path, {})


def test_a_certificate_is_tried_before_anything_is_scanned(tmp_path, issued):
    """
    A passphrase that is wrong or missing, a file of another kind, and one without a key.
    """
    path = save_private(tmp_path / "c.p12", issued.write(SECRET))
    assert choose_pdf(pkcs12=str(path)) is not None

    for environment in ({}, {"ORGPROOF_PDF_PASSPHRASE": "wrong words"}):
        with pytest.raises(
            SettingsError, match="ORGPROOF_PDF_PASSPHRASE does not open it"
        ) as refused:
            choose_pdf(environment, pkcs12=str(path))
        assert "wrong words" not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(SettingsError, match="is no PKCS #12 file"):
        choose_pdf(pkcs12=str(save_private(tmp_path / "x.p12", b"sesame")))
    with pytest.raises(SettingsError, match="chmod 600"):
        choose_pdf(pkcs12=str(save_private(tmp_path / "y.p12", issued.write(SECRET), 0o644)))


def test_a_file_whose_key_is_another_certificates_is_refused(tmp_path, issued, monkeypatch):
    """
    Or has no key at all: what it signed would never verify.
    """
    path = save_private(tmp_path / "c.p12", issued.write(SECRET))
    bare = pkcs12.serialize_key_and_certificates(
        b"signing", None, issued.certificate, None, BestAvailableEncryption(SECRET.encode())
    )

    with pytest.raises(SettingsError, match="no certificate together with its key"):
        choose_pdf(pkcs12=str(save_private(tmp_path / "bare.p12", bare)))
    # No library here writes such a file; other tools do.
    found: tuple[object, ...] = (make_key("p256"), issued.certificate, [])
    monkeypatch.setattr(pkcs12, "load_key_and_certificates", lambda *_: found)
    with pytest.raises(SettingsError, match="the key is not the certificate's"):
        choose_pdf(pkcs12=str(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"begins": -9, "ends": -1}, "name one that is in force today"),
        ({"begins": 1, "ends": 9}, "name one that is in force today"),
        (
            {"uses": ("key_encipherment",)},
            r"is not for signing \(its key usage is key_encipherment\)",
        ),
    ],
)
def test_a_certificate_that_is_not_in_force_or_not_for_signing_is_refused(tmp_path, changes, said):
    """
    Readers of the PDF would refuse its signature.
    """
    made = issue("auditor", by=issue("authority"), **changes)
    path = save_private(tmp_path / "c.p12", made.write(SECRET))

    with pytest.raises(SettingsError, match=said):
        choose_pdf(pkcs12=str(path))


def test_a_device_that_is_not_there_is_refused_without_its_pin():
    """
    No module, no token, no certificate: said before anything is scanned.
    """
    with pytest.raises(SettingsError, match="of PKCS #11 token vault: cannot be opened") as refused:
        choose_pdf(
            {"ORGPROOF_PKCS11_PIN": SECRET},
            pkcs11_module="/nowhere/module.so",
            pkcs11_token="vault",
            pkcs11_certificate="auditor",
        )

    assert SECRET not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[sign]\nkey = 'k.pem'\nkms_key = 'alias/orgproof'", "name key or kms_key"),
        ("[sign]\nkms_key = 'alias/org proof'", "sign.kms_key"),
        ("[sign]\nkms_key = 'arn:aws:s3:::bucket'", "sign.kms_key"),
        ("[sign]\npassphrase = 'open sesame, 8.4.2'", "sign.passphrase"),
        ("[sign.pdf]\n", "name pkcs12, or pkcs11_module"),
        ("[sign.pdf]\ntimestamp_url = 'https://tsa.example.com'", "name pkcs12, or pkcs11_module"),
        ("[sign.pdf]\npkcs11_module = 'm'\npkcs11_token = 't'", "one of the two, whole"),
        ("[sign.pdf]\npkcs12 = 'c'\npkcs11_token = 't'", "one of the two, whole"),
        ("[sign.pdf]\npkcs12 = 'c'\ntimestamp_url = 'ftp://tsa.example.com'", "timestamp_url"),
        ("[sign.pdf]\npkcs12 = 'c'\ntimestamp_url = 'file:///etc/passwd'", "timestamp_url"),
        (
            "[sign.pdf]\npkcs12 = 'c'\ntimestamp_url = 'https://me:open sesame, 8.4.2@tsa'",
            "timestamp_url",
        ),
        ("[sign.pdf]\npkcs12 = 'c'\npin = 'open sesame, 8.4.2'", "sign.pdf.pin"),
        ("sign = 'k.pem'", "sign"),
    ],
)
def test_settings_that_leave_the_key_open_are_refused(table, said):
    """
    Two keys, half a device, addresses of another kind, and secrets in the file, which are not repeated.
    """
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings(table.encode(), "orgproof.toml", {})

    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_files_are_looked_for_beside_the_settings():
    """
    As the other files that settings name; an option's file is looked for where the command runs.
    """
    table = "[sign]\nkey = 'k.pem'\n[sign.pdf]\npkcs11_module = '/usr/lib/m.so'\npkcs11_token = 't'\npkcs11_certificate = 'c'"
    beside = read_settings(table.encode(), "/etc/orgproof/settings.toml", {})
    given = read_settings(table.encode(), "/etc/orgproof/settings.toml", {"sign": {"key": "o.pem"}})

    assert (beside.sign.key, given.sign.key) == ("/etc/orgproof/k.pem", "o.pem")
    assert beside.sign.pdf is not None
    assert beside.sign.pdf.pkcs11_module == "/usr/lib/m.so"


def test_an_option_for_one_kind_of_key_overrides_the_other_kind():
    """
    `--sign-key` where the file names a KMS key, and the other way round.
    """
    read = read_settings(
        b"[sign]\nkms_key = 'alias/orgproof'\n[sign.pdf]\npkcs12 = 'c.p12'",
        "s.toml",
        {"sign": {"key": "k.pem"}},
    )
    other = read_settings(b"[sign]\nkey = 'k.pem'", "s.toml", {"sign": {"kms_key": "alias/x"}})

    assert (read.sign.key, read.sign.kms_key) == ("k.pem", None)
    assert read.sign.pdf is not None
    assert (other.sign.key, other.sign.kms_key) == (None, "alias/x")
    with pytest.raises(SettingsError, match="name key or kms_key"):
        read_settings(None, "s.toml", {"sign": {"key": "k.pem", "kms_key": "alias/x"}})
