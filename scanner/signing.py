"""
Settings in, signers out: the keys that vouch for a run, found and tried before anything else is done.

Keys and certificates are named in the settings, by file, KMS key or device. What opens them comes from the
environment alone: a command line is seen by every user of a machine, and a settings file is copied into
the evidence.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanner.aws.kms import connect_key
from scanner.errors import SettingsError
from scanner.evidence.signature import (
    MAX_KEY_BYTES,
    SigningKey,
    attest,
    check_key,
    describe_key,
    with_extra,
)
from scanner.interfaces import Clock, PdfSigner, Signer
from scanner.reports.signed_pdf import (
    Certificate,
    Pkcs11,
    Pkcs12,
    check_certificate,
    make_pdf_signer,
)
from scanner.settings import PdfSignTable, Settings

KEY_PASSPHRASE = "ORGPROOF_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
PDF_PASSPHRASE = "ORGPROOF_PDF_PASSPHRASE"  # noqa: S105
PKCS11_PIN = "ORGPROOF_PKCS11_PIN"


@dataclass(frozen=True, slots=True)
class KeySigner:
    """
    Signs with one key. See `Signer`.
    """

    key: SigningKey = field(repr=False)

    @property
    def key_id(self) -> str:
        """
        Return the key's id. See `Signer.key_id`.
        """
        return self.key.public_key.keyid

    def attest(self, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
        """
        Return the envelope of a signed statement about a file. See `Signer.attest`.
        """
        return attest(self.key, name, content, facts)


def choose_signer(settings: Settings, environment: Mapping[str, str]) -> Signer | None:
    """
    Return what signs the run's seal, None where no key is named. Asks KMS when the key is there.

    Raises `SettingsError` for a key that cannot be used.
    """
    if settings.sign.key is not None:
        return KeySigner(read_private_key(Path(settings.sign.key), environment))
    if settings.sign.kms_key is not None:
        key = connect_key(
            settings.sign.kms_key,
            profile=settings.aws.profile,
            region=settings.aws.region,
            endpoint=settings.aws.endpoint_url,
        )
        return KeySigner(key)
    return None


def choose_pdf_signer(
    settings: Settings, environment: Mapping[str, str], clock: Clock
) -> PdfSigner | None:
    """
    Return what signs the run's PDF, None where no certificate is named.

    Raises `SettingsError` for a certificate that cannot be opened or is not in force.
    """
    table = settings.sign.pdf
    if table is None:
        return None
    certificate = _choose_certificate(table, environment)
    check_certificate(certificate, clock.now())
    return make_pdf_signer(certificate, table.timestamp_url)


def read_private_key(path: Path, environment: Mapping[str, str]) -> SigningKey:
    """
    Return the private key in a PEM file, or raise `SettingsError`, which never repeats what is in it.
    """
    with with_extra():
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 - an extra, and slow

    content = _read_secret_file(path)
    if b"PUBLIC KEY" in content:
        raise SettingsError(
            f"key {path}: this is the public key; name the private one, which signs"
        )
    passphrase = _find_secret(KEY_PASSPHRASE, environment)
    try:
        private = load_pem_private_key(content, passphrase)
    except TypeError:
        # The two ways in which key and passphrase do not go together.
        raise SettingsError(
            f"key {path}: is encrypted; put its passphrase into {KEY_PASSPHRASE}"
            if passphrase is None
            else f"key {path}: is not encrypted, although {KEY_PASSPHRASE} is set; "
            "encrypt it (openssl pkcs8 -topk8) or unset the variable"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(
            f"key {path}: is no private key in PEM (BEGIN PRIVATE KEY)"
            + (f", or {KEY_PASSPHRASE} does not open it" if passphrase else "")
        ) from None
    try:
        public = check_key(private.public_key())
    except SettingsError as exc:
        raise SettingsError(f"key {path}: {exc}") from exc
    return CryptoSigner(private, describe_key(public))


def _choose_certificate(table: PdfSignTable, environment: Mapping[str, str]) -> Certificate:
    if table.pkcs12 is not None:
        path = Path(table.pkcs12)
        passphrase = _find_secret(PDF_PASSPHRASE, environment)
        return Pkcs12(f"certificate {path}", _read_secret_file(path), passphrase)
    # The settings were checked: without a file all three are named.
    return Pkcs11(
        module=table.pkcs11_module or "",
        token=table.pkcs11_token or "",
        certificate=table.pkcs11_certificate or "",
        pin=environment.get(PKCS11_PIN) or None,
    )


def _find_secret(name: str, environment: Mapping[str, str]) -> bytes | None:
    # An empty variable is how some schedulers unset one.
    return os.fsencode(environment.get(name, "")) or None


def _read_secret_file(path: Path) -> bytes:
    """
    Read a file that holds a key, or raise `SettingsError` when others could read or change it.

    The owner's group may read it, since that is how containers are handed secrets; a file open to
    everybody signs nothing, for nobody could say who else signs with it.
    """
    try:
        # A pipe would keep a blocking open waiting for somebody to write.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise SettingsError(f"key {path}: is not a file")
            if about.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise SettingsError(
                    f"key {path}: can be read or changed by others than its owner; run: chmod 600 {path}"
                )
            content = file.read(MAX_KEY_BYTES + 1)
    except OSError as exc:
        raise SettingsError(f"key {path}: cannot be read: {exc.strerror}") from exc
    if len(content) > MAX_KEY_BYTES:
        raise SettingsError(f"key {path}: is larger than 64 KiB; this is not a key")
    return content
