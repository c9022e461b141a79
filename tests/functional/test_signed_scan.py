import pytest
from signing_keys import issue, make_key, save_private, write_private, write_public

from scanner.evidence.signature import verify_envelope
from scanner.simulator import build_world

pytestmark = pytest.mark.functional

SECRET = "open sesame, 8.4.2"


def test_a_scan_signs_its_seal_and_its_documents_and_keeps_no_secret(scanning, command, tmp_path):
    """
    With keys and certificates from the settings, passphrases from the environment; `verify` finds it whole.
    """
    key = make_key("ed25519")
    save_private(tmp_path / "k.pem", write_private(key, SECRET))
    save_private(tmp_path / "c.p12", issue("auditor", by=issue("authority")).write(SECRET))
    public = tmp_path / "k.pub"
    public.write_bytes(write_public(key))
    settings = "[sign]\nkey = 'k.pem'\n[sign.pdf]\npkcs12 = 'c.p12'\n"

    with scanning(build_world(accounts=3, users=2, seed=5)) as scanner:
        environment = scanner.simulator.environment(None)
        secrets = {"ORGPROOF_KEY_PASSPHRASE": SECRET, "ORGPROOF_PDF_PASSPHRASE": SECRET}
        (tmp_path / "s.toml").write_text(settings)
        done = command(
            *("scan", "--endpoint-url", scanner.simulator.url, "--output", str(scanner.output)),
            *("--config", "s.toml", "--format", "pdf"),
            environment={**environment, **secrets},
        )

    assert done.status in (0, 1), done.stderr
    for name in ("manifest", "documents"):
        content = (done.folder / f"{name}.json").read_bytes()
        envelope = (done.folder / f"{name}.dsse.json").read_bytes()
        assert verify_envelope(envelope, write_public(key), f"{name}.json", content)
    (pdf,) = done.folder.glob("reports/*.pdf")
    assert b"/ETSI.CAdES.detached" in pdf.read_bytes()
    files = [path.read_bytes() for path in done.folder.rglob("*") if path.is_file()]
    private = write_private(key, SECRET).splitlines()[1]
    assert not [content for content in files if SECRET.encode() in content or private in content]
    assert SECRET not in done.stdout + done.stderr
    verified = command("verify", str(done.folder), "--public-key", str(public))
    assert verified.status == 0, verified.stdout + verified.stderr


def test_a_key_that_cannot_be_used_stops_the_scan_before_aws_is_asked(command, tmp_path):
    """
    Nothing listens at the endpoint, and the message is about the key all the same.
    """
    save_private(tmp_path / "k.pem", write_private(make_key("p256"), SECRET))

    done = command(
        *("scan", "--endpoint-url", "http://127.0.0.1:9", "--sign-key", "k.pem"),
        environment={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
    )

    assert done.status == 2
    assert "key k.pem: is encrypted; put its passphrase into ORGPROOF_KEY_PASSPHRASE" in done.stderr
    assert "Traceback" not in done.stderr
