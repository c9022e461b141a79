"""
Keys and certificates for the tests of signatures. All of them are made up.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KINDS = ("ed25519", "p256", "p384", "rsa")


def make_key(kind: str) -> Any:
    """
    Make a private key of one of the `KINDS`, or of one that orgproof refuses.
    """
    match kind:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "small rsa":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
        case _:
            curves: dict[str, Any] = {
                "p256": ec.SECP256R1,
                "p384": ec.SECP384R1,
                "p521": ec.SECP521R1,
            }
            return ec.generate_private_key({**curves, "koblitz": ec.SECP256K1}[kind]())


def write_private(key: Any, passphrase: str | None = None) -> bytes:
    """
    Return a private key as a PEM file holds it.
    """
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    )


def write_public(key: Any) -> bytes:
    """
    Return a private key's public half as PEM.
    """
    return key.public_key().public_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def save_private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """
    Write a file with the rights that a key file has.
    """
    path.write_bytes(content)
    path.chmod(mode)
    return path


@dataclass(frozen=True)
class Issued:
    """
    A certificate with its key.
    """

    key: Any
    certificate: x509.Certificate

    def write(self, passphrase: str | None = None) -> bytes:
        """
        Return both as a PKCS #12 file.
        """
        return pkcs12.serialize_key_and_certificates(
            b"signing",
            self.key,
            self.certificate,
            None,
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption(),
        )


def issue(  # noqa: PLR0917 - what a certificate says
    name: str,
    by: Issued | None = None,
    kind: str = "p256",
    begins: int = -1,
    ends: int = 30,
    uses: tuple[str, ...] = ("digital_signature", "content_commitment"),
    stamps: bool = False,
) -> Issued:
    """
    Issue a certificate, in force from `begins` to `ends` in days from now. Without `by` it is an authority.
    """
    key = make_key(kind)
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    allowed = uses if by else ("key_cert_sign", "crl_sign")
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{use: use in allowed for use in names}), critical=True)
    )
    if stamps:
        made = made.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    signing = by.key if by else key
    return Issued(
        key,
        made.sign(
            signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        ),
    )
