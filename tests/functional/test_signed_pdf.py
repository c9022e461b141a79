import io
import os
import random
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pikepdf
import pytest
import weasyprint
from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.generic import pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers import SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore
from signing_keys import Issued, issue

from scanner.errors import RenderError, SettingsError
from scanner.reports.signed_pdf import Pkcs11, Pkcs12, check_certificate, make_pdf_signer

pytestmark = [
    pytest.mark.functional,
    # pyHanko's and SoftHSM's own libraries are not ours to keep free of warnings.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # WeasyPrint leaves its colour profile open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PIN = "1234-5678"
SOFTHSM = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


def as_asn1(issued: Issued) -> tuple[asn1_x509.Certificate, keys.PrivateKeyInfo]:
    """
    Return certificate and key as pyHanko has them.
    """
    private = issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return (
        asn1_x509.Certificate.load(issued.certificate.public_bytes(Encoding.DER)),
        keys.PrivateKeyInfo.load(private),
    )


@pytest.fixture(name="authority", scope="module")
def found():
    return issue("authority")


@pytest.fixture(name="auditor", scope="module")
def employ(authority):
    return issue("auditor", by=authority)


@pytest.fixture(name="unsigned", scope="module")
def print_one():
    """
    Print a tagged document that says of itself that it is PDF/A-3a.
    """
    html = '<html lang="en"><title>Evidence</title><h1>Evidence</h1><p>Nobody.</p></html>'
    return weasyprint.HTML(string=html).write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True)


def hold(issued):
    return Pkcs12("certificate", issued.write("sesame"), b"sesame")


@pytest.fixture(name="signed", scope="module")
def sign_one(unsigned, auditor):
    return make_pdf_signer(hold(auditor), None)(unsigned)


def validate(content, authority):
    """
    Return what pyHanko says of a PDF's one signature to somebody who trusts the authority alone.
    """
    trusted = ValidationContext(trust_roots=[as_asn1(authority)[0]], allow_fetching=False)
    (signature,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    return validate_pdf_signature(
        signature, trusted, ts_validation_context=trusted, skip_diff=False
    )


def run_pdfsig(content, folder):
    """
    Return what poppler says of a PDF's signatures.
    """
    path = Path(folder) / "signed.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdfsig", str(path)], capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_two_readers_find_the_signature_valid(tmp_path, unsigned, authority, kind):
    """
    Poppler and pyHanko, for each kind of key: over the whole document, and by whom.
    """
    auditor = issue("auditor", by=authority, kind=kind)

    content = make_pdf_signer(hold(auditor), None)(unsigned)

    said = run_pdfsig(content, tmp_path)
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said
    assert "CN=auditor" in said
    status = validate(content, authority)
    assert status.bottom_line
    assert status.coverage.name == "ENTIRE_FILE"
    assert status.docmdp_ok


def test_the_unsigned_document_is_the_first_part_of_the_signed_one(unsigned, signed):
    """
    The document that can be drawn again is in there, byte for byte.
    """
    assert signed.startswith(unsigned)
    assert len(signed) > len(unsigned)


def test_somebody_who_trusts_another_authority_does_not_trust_it(signed):
    """
    The certificate decides who believes a signature, not that there is one.
    """
    assert not validate(signed, issue("authority")).bottom_line


def test_any_changed_byte_is_noticed(tmp_path, signed, authority):
    """
    Wherever it lies in what was signed, which is all but the signature itself.
    """
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    first, length, second, rest = (int(number) for number in signature.byte_range)
    assert (first, second + rest) == (0, len(signed))
    places = [*range(length), *range(second, len(signed))]
    for place in random.Random(7).sample(places, 40):  # noqa: S311 - which bytes is no secret
        changed = bytearray(signed)
        changed[place] ^= 1
        try:
            status = validate(bytes(changed), authority)
        except Exception:  # noqa: BLE001, S112 - a document that can no longer be read is noticed, too
            continue
        assert not status.bottom_line, place

    changed = bytearray(signed)
    changed[signed.index(b"/MarkInfo") + 1] ^= 1
    assert "Digest Mismatch" in run_pdfsig(bytes(changed), tmp_path)


def test_what_is_appended_later_is_noticed(tmp_path, signed, authority):
    """
    A certified document allows no later change: neither bytes at the end nor a revision of its own.
    """
    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    writer.root["/Lang"] = pdf_string("de")
    writer.update_root()
    revised = io.BytesIO()
    writer.write(revised)
    assert revised.getvalue().startswith(signed)

    for later in (revised.getvalue(), signed + b"\n% and one more thing\n"):
        assert "Total document signed" not in run_pdfsig(later, tmp_path)
        assert validate(later, authority).coverage.name != "ENTIRE_FILE"
    assert not validate(revised.getvalue(), authority).bottom_line


def test_the_document_stays_the_kind_of_pdf_it_was(unsigned, signed):
    """
    What PDF/A-3 asks of the field, and nothing else touched: metadata, version, fonts, structure.
    """
    with (
        pikepdf.open(io.BytesIO(unsigned)) as before,
        pikepdf.open(io.BytesIO(signed)) as after,
    ):
        (widget,) = after.pages[0].Annots
        assert widget.Subtype == "/Widget"
        assert int(widget.F) & 0b100  # printed
        assert not int(widget.F) & 0b100011  # neither hidden, invisible nor without view
        left, bottom, right, top = (float(edge) for edge in widget.Rect)
        assert (left, bottom) == (right, top)
        assert left < 0
        assert str(widget.TU) == "Signature of this document"
        assert set(after.Root.AcroForm.keys()) == {"/Fields", "/SigFlags"}
        assert after.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()
        assert after.pdf_version == before.pdf_version
        assert set(after.Root.keys()) - set(before.Root.keys()) == {"/AcroForm", "/Perms"}
        assert after.docinfo.get("/Producer") == before.docinfo.get("/Producer")


def test_it_is_a_certification_that_allows_no_change(signed):
    """
    A run's document is finished.
    """
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures

    assert signature.docmdp_level is MDPPerm.NO_CHANGES


@contextmanager
def serve_timestamps(stamper, moment=None, answer=None):
    """
    Serve RFC 3161 timestamps on this machine and yield the address. `answer` is sent instead, with its kind.
    """
    server = DummyTimeStamper(*as_asn1(stamper), fixed_dt=moment)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
            kind, content = answer or (
                "application/timestamp-reply",
                server.request_tsa_response(asked).dump(),
            )
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/tsa"
        finally:
            http.shutdown()
            thread.join()


def test_a_timestamp_dates_the_signature(tmp_path, unsigned, auditor, authority):
    """
    The moment is the server's and not this machine's.
    """
    stamper = issue("stamper", by=authority, kind="rsa", stamps=True)
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)

    with serve_timestamps(stamper, moment) as url:
        content = make_pdf_signer(hold(auditor), url)(unsigned)

    status = validate(content, authority)
    assert status.bottom_line
    dated = status.timestamp_validity
    assert dated is not None
    assert (dated.intact, dated.valid, dated.trusted) == (True, True, True)
    assert dated.timestamp == moment
    assert "Signature is Valid" in run_pdfsig(content, tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("text/html", b"<html>please sign in</html>"), "answers with text/html"),
        (("application/timestamp-reply", b"sesame"), "cannot be signed"),
        (("application/timestamp-reply", b""), "cannot be signed"),
    ],
)
def test_a_timestamp_server_that_gives_none_is_said(unsigned, auditor, answer, said):
    """
    No document goes without the timestamp that was asked for.
    """
    with (
        serve_timestamps(auditor, answer=answer) as url,
        pytest.raises(RenderError, match=said),
    ):
        make_pdf_signer(hold(auditor), url)(unsigned)


def test_a_timestamp_server_that_is_not_there_is_named(unsigned, auditor):
    """
    The message has the address, and the evidence is whole all the same.
    """
    with serve_timestamps(auditor) as url:
        pass

    with pytest.raises(RenderError, match=f"timestamp server {url}"):
        make_pdf_signer(hold(auditor), url)(unsigned)


class Astray:
    """
    A device that signs with another key than the certificate's.
    """

    name = "certificate of a device"

    def __init__(self, authority, auditor):
        self._certificate = as_asn1(auditor)[0]
        self._key = as_asn1(issue("other", by=authority))[1]

    @contextmanager
    def open(self):
        """
        Yield what signs wrong. See `Certificate.open`.
        """
        yield SimpleSigner(self._certificate, self._key, cert_registry=SimpleCertificateStore())


def test_a_device_that_signs_wrong_is_noticed_at_once(unsigned, authority, auditor):
    """
    And not by the auditor, years later.
    """
    with pytest.raises(RenderError, match="does not fit its certificate"):
        make_pdf_signer(Astray(authority, auditor), None)(unsigned)


def test_what_is_no_pdf_is_not_signed(auditor):
    """
    The error names the certificate, and no traceback reaches a person.
    """
    with pytest.raises(RenderError, match="the PDF cannot be signed with certificate"):
        make_pdf_signer(hold(auditor), None)(b"%PDF-1.7 made up")


@pytest.fixture(name="token", scope="module")
def make_token(tmp_path_factory, authority):
    """
    Make a software token that holds two certificates with their keys, and return its module.
    """
    import pkcs11  # noqa: PLC0415 - loads a module that reads the environment
    from pkcs11.util.ec import decode_ec_private_key  # noqa: PLC0415
    from pkcs11.util.rsa import decode_rsa_private_key  # noqa: PLC0415

    modules = [path for path in SOFTHSM if Path(path).exists()]
    assert modules, "SoftHSM is not installed; run: tools/setup checkers"
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    # The module reads it once, when it is loaded.
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    subprocess.run(
        [
            *("softhsm2-util", "--init-token", "--free", "--label", "vault"),
            *("--pin", PIN, "--so-pin", "87654321"),
        ],
        check=True,
        capture_output=True,
    )
    with (
        pkcs11.lib(modules[0]).get_token(token_label="vault").open(rw=True, user_pin=PIN) as session
    ):
        for number, (kind, decode) in enumerate(
            (("p256", decode_ec_private_key), ("rsa", decode_rsa_private_key)), 1
        ):
            made = issue(kind, by=authority, kind=kind)
            certificate, _ = as_asn1(made)
            shared = {
                pkcs11.Attribute.LABEL: kind,
                pkcs11.Attribute.ID: bytes([number]),
                pkcs11.Attribute.TOKEN: True,
            }
            der = made.key.private_bytes(
                Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
            session.create_object({**decode(der), **shared, pkcs11.Attribute.SIGN: True})
            session.create_object(
                {
                    **shared,
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.SUBJECT: certificate.subject.dump(),
                    pkcs11.Attribute.VALUE: certificate.dump(),
                }
            )
    return modules[0]


@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_a_key_in_a_device_signs(tmp_path, unsigned, authority, token, kind):
    """
    The key stays in the device, which is logged into for the one signature.
    """
    certificate = Pkcs11(token, "vault", kind, PIN)
    check_certificate(certificate, datetime.now(UTC))

    content = make_pdf_signer(certificate, None)(unsigned)

    assert validate(content, authority).bottom_line
    assert "Signature is Valid" in run_pdfsig(content, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pin": "0000"}, "cannot be opened: PinIncorrect"),
        ({"token": "other"}, "cannot be opened: .*other"),
        ({"certificate": "nobody"}, "is not there"),
    ],
)
def test_a_device_that_does_not_open_is_said(token, changes, said):
    """
    A wrong PIN, another token, a certificate that is not in it. The PIN is not repeated.
    """
    held = replace(Pkcs11(token, "vault", "p256", PIN), **changes)

    with pytest.raises(SettingsError, match=said) as refused:
        check_certificate(held, datetime.now(UTC))

    assert PIN not in str(refused.value)
    assert "0000" not in str(refused.value)


def test_a_device_that_asks_for_a_pin_that_is_not_given_signs_nothing(unsigned, token):
    """
    Nobody sits there to be asked.
    """
    with pytest.raises(RenderError, match="the PDF cannot be signed"):
        make_pdf_signer(Pkcs11(token, "vault", "p256", None), None)(unsigned)
