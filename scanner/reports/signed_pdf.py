"""
A signature on the PDF itself, for readers who only ever see the PDF: PAdES, by pyHanko.

The unsigned bytes stay as they are and the signature is appended to them, so that the document without its
signature is still the one that can be drawn again. It is a certification that allows no change: a run's
document is finished. The form field that holds it is invisible and lies outside the page, which is what
PDF/A-3 and PDF/UA both accept of a field that nobody sees.

pyHanko comes with the extra `orgproof[sign]` and is imported when a signature is asked for.
"""

import asyncio
import io
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from scanner.errors import RenderError, SettingsError
from scanner.evidence.signature import with_extra
from scanner.interfaces import PdfSigner
from scanner.model import show

if TYPE_CHECKING:
    from pyhanko.sign.signers import Signer
    from pyhanko.sign.timestamps import TimeStamper

_FIELD = "orgproof"
_TSA_SECONDS = 30
_MAX_TOKEN_BYTES = 1024 * 1024
_SIGNING_USES = frozenset({"digital_signature", "non_repudiation"})


class Certificate(Protocol):
    """
    A certificate with its private key, wherever that is kept.
    """

    @property
    def name(self) -> str:
        """
        Return what messages call it.
        """
        ...

    def open(self) -> Any:  # noqa: ANN401 - a context manager that yields pyHanko's Signer
        """
        Yield what signs with it, or raise `SettingsError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pkcs12:
    """
    A certificate and its key in a PKCS #12 file.
    """

    name: str
    content: bytes = field(repr=False)
    passphrase: bytes | None = field(repr=False)

    @contextmanager
    def open(self) -> Iterator["Signer"]:
        """
        Yield what signs with the file's key. See `Certificate.open`.
        """
        with with_extra():
            from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415 - an extra
            from pyhanko.sign.signers import SimpleSigner  # noqa: PLC0415 - an extra, and slow

        try:
            key, certificate, _ = pkcs12.load_key_and_certificates(self.content, self.passphrase)
        except (ValueError, TypeError):
            # The library's words are not passed on: it was given a passphrase.
            raise SettingsError(
                f"{self.name}: is no PKCS #12 file, or ORGPROOF_PDF_PASSPHRASE does not open it"
            ) from None
        if key is None or certificate is None:
            raise SettingsError(f"{self.name}: holds no certificate together with its key")
        if certificate.public_key() != key.public_key():
            raise SettingsError(f"{self.name}: the key is not the certificate's")
        yield SimpleSigner.load_pkcs12_data(self.content, [], self.passphrase)


@dataclass(frozen=True, slots=True)
class Pkcs11:
    """
    A certificate and its key on a card or in another PKCS #11 device.
    """

    module: str
    token: str
    certificate: str
    pin: str | None = field(repr=False)

    @property
    def name(self) -> str:
        """
        Return what messages call it. See `Certificate.name`.
        """
        return f"certificate {show(self.certificate)} of PKCS #11 token {show(self.token)}"

    @contextmanager
    def open(self) -> Iterator["Signer"]:
        """
        Log in and yield what signs with the device's key. See `Certificate.open`.
        """
        with with_extra():
            from pkcs11 import Mechanism, PKCS11Error  # noqa: PLC0415 - an extra
            from pyhanko.config.pkcs11 import TokenCriteria  # noqa: PLC0415
            from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session  # noqa: PLC0415

        try:
            session = open_pkcs11_session(
                self.module, token_criteria=TokenCriteria(label=self.token), user_pin=self.pin
            )
        except (PKCS11Error, OSError, RuntimeError) as exc:
            raise SettingsError(f"{self.name}: cannot be opened: {_describe(exc)}") from None
        with session:
            # Some devices hash and sign in one step, some only sign what was hashed.
            offered = session.token.slot.get_mechanisms()
            raw = Mechanism.ECDSA in offered and Mechanism.ECDSA_SHA256 not in offered
            signer = PKCS11Signer(session, cert_label=self.certificate)
            try:
                is_ec = signer.signing_cert.public_key.algorithm == "ec"
            except (PKCS11Error, RuntimeError) as exc:
                raise SettingsError(f"{self.name}: is not there: {_describe(exc)}") from None
            if raw and is_ec:
                signer = PKCS11Signer(session, cert_label=self.certificate, use_raw_mechanism=True)
            yield signer


def check_certificate(certificate: Certificate, now: datetime) -> None:
    """
    Raise `SettingsError` unless the certificate can be opened, is in force and is for signing.

    Whether anybody trusts it is for those to say who read the document.
    """
    with certificate.open() as signer:
        found = signer.signing_cert
        if found is None:
            raise SettingsError(f"{certificate.name}: holds no certificate")
        if not found.not_valid_before <= now <= found.not_valid_after:
            raise SettingsError(
                f"{certificate.name}: the certificate is in force from {found.not_valid_before:%Y-%m-%d} to "
                f"{found.not_valid_after:%Y-%m-%d}; name one that is in force today"
            )
        uses = found.key_usage_value
        if uses is not None and not _SIGNING_USES & uses.native:
            raise SettingsError(
                f"{certificate.name}: the certificate is not for signing (its key usage is "
                f"{', '.join(sorted(uses.native))}); name another"
            )


def make_pdf_signer(certificate: Certificate, timestamp_url: str | None) -> PdfSigner:
    """
    Return what signs PDFs with a certificate: PAdES-B-B, or B-T where a timestamp server is given.
    """

    def sign(unsigned: bytes) -> bytes:
        try:
            with certificate.open() as signer:
                signed = _append_signature(unsigned, signer, _make_timestamper(timestamp_url))
        except SettingsError as exc:
            raise RenderError(f"the PDF cannot be signed: {exc}") from exc
        except Exception as exc:
            # Devices, servers and pyHanko each raise their own, and the evidence is whole without.
            raise RenderError(
                f"the PDF cannot be signed with {certificate.name}: {_describe(exc)}"
            ) from exc
        _check_signature(unsigned, signed)
        return signed

    return sign


def _append_signature(
    unsigned: bytes, signer: "Signer", timestamper: "TimeStamper | None"
) -> bytes:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
    from pyhanko.pdf_utils.writer import BasePdfFileWriter  # noqa: PLC0415
    from pyhanko.sign import fields  # noqa: PLC0415
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner  # noqa: PLC0415

    class _Writer(IncrementalPdfFileWriter):
        def _update_meta(self) -> None:
            """
            Leave title, dates and the PDF/A identification as they are: pyHanko would write them anew.
            """

    class _Signer(PdfSigner):
        def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:
            """
            Declare nothing. For ECDSA pyHanko would declare PDF 2.0, and PDF/A-3 is 1.7.
            """

    hidden = fields.InvisSigSettings(
        set_print_flag=True, set_hidden_flag=False, box_out_of_bounds=True
    )
    place = fields.SigFieldSpec(
        _FIELD, invis_sig_settings=hidden, readable_field_name="Signature of this document"
    )
    terms = PdfSignatureMetadata(
        field_name=_FIELD,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        subfilter=fields.SigSeedSubFilter.PADES,
    )
    written = _Signer(terms, signer, timestamper=timestamper, new_field_spec=place).sign_pdf(
        _Writer(io.BytesIO(unsigned)), output=io.BytesIO()
    )
    content: bytes = written.getvalue()
    return content


def _check_signature(unsigned: bytes, signed: bytes) -> None:
    """
    Raise `RenderError` unless the signature holds, over the whole document, with the unsigned bytes first.

    A device can answer anything, and years may pass before somebody looks.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity  # noqa: PLC0415
    from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415

    (found,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    is_intact, is_valid = validate_sig_integrity(
        found.signer_info, found.signer_cert, "data", found.compute_digest()
    )
    coverage = found.evaluate_signature_coverage()
    if not (
        signed.startswith(unsigned)
        and is_intact
        and is_valid
        and coverage is SignatureCoverageLevel.ENTIRE_FILE
    ):
        raise RenderError(
            "the PDF's signature does not fit its certificate; look into where the key is kept"
        )


def _make_timestamper(url: str | None) -> "TimeStamper | None":
    if url is None:
        return None
    from asn1crypto import tsp  # noqa: PLC0415 - comes with pyHanko
    from pyhanko.sign.timestamps import TimeStamper, TimestampRequestError  # noqa: PLC0415

    def ask(request: bytes) -> bytes:
        # The settings let nothing but http and https through.
        post = urllib.request.Request(  # noqa: S310
            url, data=request, headers={"Content-Type": "application/timestamp-query"}
        )
        try:
            with urllib.request.urlopen(post, timeout=_TSA_SECONDS) as answer:  # noqa: S310
                kind = answer.headers.get_content_type()
                content: bytes = answer.read(_MAX_TOKEN_BYTES)
        except OSError as exc:
            raise TimestampRequestError(f"timestamp server {url}: {exc}") from exc
        if kind != "application/timestamp-reply":
            raise TimestampRequestError(f"timestamp server {url}: answers with {show(kind)}")
        return content

    class _Server(TimeStamper):
        async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
            return tsp.TimeStampResp.load(await asyncio.to_thread(ask, req.dump()))

    return _Server()  # type: ignore[no-untyped-call]  # pyHanko leaves its constructor untyped


def _describe(exc: Exception) -> str:
    return f"{type(exc).__name__}: {show(str(exc))[:300]}" if str(exc) else type(exc).__name__
