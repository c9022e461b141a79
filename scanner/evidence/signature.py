"""
Signatures: an in-toto statement about one file of a run, signed in a DSSE envelope.

The statement names the file and its SHA-256, so whoever checks it needs the file and the public key, and no
orgproof. securesystemslib makes the envelope; checking one needs nothing but `cryptography`, since
securesystemslib loads boto3 wherever it finds it, and checking evidence has no use for AWS. What is
checked is hostile input. An envelope is taken only as the very bytes that `attest` writes, with one
signature, so that no byte of it can change unseen.

Both libraries come with the extra `orgproof[sign]` and are imported when a signature is asked for.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from scanner.errors import EvidenceError, SettingsError
from scanner.model import show
from scanner.records import decode_json, encode_canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from securesystemslib.signer import Signature, SSlibKey

    PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://orgproof.dev/manifest/v1"

MAX_ENVELOPE_BYTES = 256 * 1024
MAX_KEY_BYTES = 64 * 1024
_MAX_DEPTH = 16
_MIN_RSA_BITS = 2048

_KEY_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


class SigningKey(Protocol):
    """
    A private key, wherever it is kept. securesystemslib's signers are such keys.
    """

    @property
    def public_key(self) -> "SSlibKey":
        """
        Return the public half.
        """
        ...

    def sign(self, payload: bytes) -> "Signature":
        """
        Sign bytes, or raise `EvidenceError`.
        """
        ...


@contextmanager
def with_extra() -> Iterator[None]:
    """
    Turn a library that is not installed into a `SettingsError` that says how to install it.
    """
    try:
        yield
    except ImportError as exc:
        raise SettingsError(
            f"signatures need libraries that are not installed ({exc.name}); "
            "run: pip install 'orgproof[sign]'"
        ) from exc


def name_envelope(name: str) -> str:
    """
    Return the name of the envelope that stands beside a file, such as `manifest.dsse.json`.
    """
    return f"{name.removesuffix('.json')}.dsse.json"


def attest(key: SigningKey, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
    """
    Return the envelope of a signed statement that the file `name` holds `content`.

    `facts` are JSON values that the statement carries along. Equal input and an Ed25519 or RSA key give
    equal bytes; ECDSA is random. Raises `EvidenceError` when the key does not sign, or what it signs does
    not hold.
    """
    with with_extra():
        from securesystemslib.dsse import Envelope  # noqa: PLC0415 - an extra, and slow
        from securesystemslib.exceptions import VerificationError  # noqa: PLC0415

    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(facts),
    }
    try:
        envelope = Envelope(encode_canonical(statement), PAYLOAD_TYPE, {})
    except ValueError as exc:
        raise EvidenceError(f"{name}: cannot be signed, for its facts are no JSON: {exc}") from exc
    signature = key.sign(envelope.pae())
    envelope.signatures[signature.keyid] = signature
    try:
        # A key that is kept elsewhere can answer anything, and years may pass before somebody looks.
        envelope.verify([key.public_key], 1)
    except VerificationError as exc:
        raise EvidenceError(
            f"{name}: what the key signed does not fit its public key; look into where the key is kept"
        ) from exc
    return encode_canonical(envelope.to_dict())


def verify_envelope(envelope: bytes, public_key: bytes, name: str, content: bytes) -> str:
    """
    Check that the key signed that the file `name` holds `content`, and return the key's id.

    `public_key` is PEM. Raises `SettingsError` when it cannot be used, and `EvidenceError` naming what is
    wrong with the envelope.
    """
    key = read_public_key(public_key)
    opened = _open(envelope, name, content)
    expected = identify_key(key)
    where = name_envelope(name)
    if opened.key_id != expected:
        raise EvidenceError(
            f"{where}: names key {opened.key_id}, and the public key given is {expected}; "
            "give the one of whoever signed"
        )
    if not _is_signed(key, opened.signature, opened.signed):
        raise EvidenceError(
            f"{where}: the signature is not one of key {expected} over this statement"
        )
    return expected


def inspect_envelope(envelope: bytes, name: str, content: bytes) -> str:
    """
    Check everything about an envelope but its signature, and return the id of the key that it names.

    That proves nothing about who signed: anybody can write an envelope. Needs no extra. Raises
    `EvidenceError` naming what is wrong.
    """
    return _open(envelope, name, content).key_id


def read_public_key(pem: bytes) -> "PublicKey":
    """
    Return the public key in PEM bytes, or raise `SettingsError`, which never repeats what was given.

    Ed25519, ECDSA on P-256 or P-384, and RSA from 2048 bits on.
    """
    with with_extra():
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    if len(pem) > MAX_KEY_BYTES:
        raise SettingsError("the public key is larger than 64 KiB; this is not a key")
    if b"PRIVATE KEY" in pem:
        raise SettingsError(
            "the public key: this is a private key; give the public one, which "
            "`openssl pkey -in FILE -pubout` prints, and keep this one to its owner"
        )
    if b"CERTIFICATE" in pem:
        raise SettingsError(
            "the public key: this is a certificate; give its key, which "
            "`openssl x509 -in FILE -noout -pubkey` prints"
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        # Neither the bytes nor the library's words about them: what is not understood may be secret.
        raise SettingsError("the public key is not one in PEM (BEGIN PUBLIC KEY)") from None
    return check_key(key)


def check_key(key: object) -> "PublicKey":
    """
    Return a public key that is of a kind we sign with, or raise `SettingsError` naming the kinds.
    """
    with with_extra():
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - an extra

    match key:
        case ed25519.Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return key
        case rsa.RSAPublicKey() if key.key_size >= _MIN_RSA_BITS:
            return key
        case _:
            raise SettingsError(
                "keys are Ed25519, ECDSA on P-256 or P-384, or RSA with 2048 bits or more; this is another"
            )


def identify_key(key: "PublicKey") -> str:
    """
    Return a key's id: the SHA-256, in hex, of its DER-encoded SubjectPublicKeyInfo.

    `openssl pkey -pubin -in FILE -outform DER | sha256sum` prints the same.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def describe_key(key: "PublicKey") -> "SSlibKey":
    """
    Return a key as securesystemslib knows it, under its id and with the one scheme that we use for its kind.
    """
    with with_extra():
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
        from securesystemslib.signer import SSlibKey  # noqa: PLC0415 - an extra, and slow

    # openssl and cosign take RSA with PKCS #1 v1.5 unless told otherwise; securesystemslib takes PSS.
    scheme = "rsa-pkcs1v15-sha256" if isinstance(key, RSAPublicKey) else None
    return SSlibKey.from_crypto(key, identify_key(key), scheme)


@dataclass(frozen=True, slots=True)
class _Opened:
    """
    What an envelope holds, its statement checked. `signed` are the bytes that the signature is over.
    """

    key_id: str
    signature: bytes
    signed: bytes


def _open(envelope: bytes, name: str, content: bytes) -> _Opened:
    where = name_envelope(name)
    outer = _read_canonical(envelope, where)
    match outer:
        case {
            "payload": str(payload_text),
            "payloadType": str(kind),
            "signatures": [{"keyid": str(key_id), "sig": str(signature_text), **odd}],
            **more,
        } if not odd and not more:
            pass
        case {"payload": _, "payloadType": _, "signatures": list(found)} if len(found) != 1:
            raise EvidenceError(f"{where}: holds {len(found)} signatures, and must hold one")
        case _:
            raise EvidenceError(f"{where}: is no DSSE envelope as orgproof writes it")
    if kind != PAYLOAD_TYPE:
        raise EvidenceError(f"{where}: payloadType is {_quote(kind)}, not {PAYLOAD_TYPE}")
    if not _KEY_ID.fullmatch(key_id):
        raise EvidenceError(f"{where}: keyid is not a SHA-256 in hex")
    payload = _decode_base64(payload_text, f"{where}: payload")
    signature = _decode_base64(signature_text, f"{where}: sig")
    _check_statement(_read_canonical(payload, f"{where}: payload"), where, name, content)
    return _Opened(key_id, signature, _encode_for_signing(payload))


def _check_statement(statement: Any, where: str, name: str, content: bytes) -> None:  # noqa: ANN401 - any JSON value
    def refuse(what: str) -> NoReturn:
        raise EvidenceError(f"{where}: {what}")

    match statement:
        case {
            "_type": str(kind),
            "predicate": dict(),
            "predicateType": str(predicate_type),
            "subject": list(subjects),
            **more,
        } if not more:
            pass
        case _:
            refuse("the payload is no in-toto statement")
    if kind != STATEMENT_TYPE:
        refuse(f"the statement's _type is {_quote(kind)}, not {STATEMENT_TYPE}")
    if predicate_type != PREDICATE_TYPE:
        refuse(f"predicateType is {_quote(predicate_type)}, not {PREDICATE_TYPE}")
    match subjects:
        case [{"name": str(named), "digest": {"sha256": str(digest), **odd}, **more}] if (
            not odd and not more
        ):
            pass
        case _:
            refuse("the statement is not about one file with one SHA-256")
    if named != name:
        refuse(f"the statement is about {_quote(named)}, not about {name}")
    if digest != hashlib.sha256(content).hexdigest():
        refuse(f"{name} is not the file that was signed")


def _read_canonical(content: bytes, where: str) -> Any:  # noqa: ANN401 - any JSON value
    """
    Read JSON that must be in canonical form, which also rules out names that appear twice.
    """
    if len(content) > MAX_ENVELOPE_BYTES:
        raise EvidenceError(f"{where}: is larger than {MAX_ENVELOPE_BYTES // 1024} KiB")
    value = decode_json(content, where)
    if _measure_depth(value) > _MAX_DEPTH:
        raise EvidenceError(f"{where}: is nested too deep")
    try:
        canonical = encode_canonical(value)
    except ValueError as exc:
        raise EvidenceError(f"{where}: holds what canonical JSON cannot: {exc}") from exc
    if canonical != content:
        raise EvidenceError(f"{where}: is not in canonical form (RFC 8785), so it was rewritten")
    return value


def _measure_depth(value: object) -> int:
    depth, layer = 0, [value]
    while layer := [inner for outer in layer for inner in _list_inner(outer)]:
        depth += 1
    return depth


def _list_inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _decode_base64(text: str, where: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError(f"{where}: is not base64") from None
    # Spare bits after the last byte can differ and decode to the same.
    if base64.b64encode(decoded) != text.encode():
        raise EvidenceError(f"{where}: is not plain base64")
    return decoded


def _encode_for_signing(payload: bytes) -> bytes:
    """
    Return the bytes that a DSSE signature is over: the pre-authentication encoding of DSSE, version 1.
    """
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _is_signed(key: "PublicKey", signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding  # noqa: PLC0415

    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            is_small = isinstance(key.curve, ec.SECP256R1)
            key.verify(
                signature, signed, ec.ECDSA(hashes.SHA256() if is_small else hashes.SHA384())
            )
        else:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _quote(text: str) -> str:
    return f"'{show(text)[:100]}'"
