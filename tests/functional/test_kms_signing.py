import boto3
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import ThreadedMotoServer

from scanner.errors import SettingsError
from scanner.evidence.signature import verify_envelope
from scanner.settings import read_settings
from scanner.signing import choose_signer

pytestmark = [
    pytest.mark.functional,
    # moto's own server and libraries are not ours to keep free of warnings.
    pytest.mark.filterwarnings("ignore"),
]


def sign_prehashed(held, message, signing_algorithm):
    """
    Sign what was hashed already. moto takes no notice of MessageType=DIGEST and would hash it again.
    """
    kind = hashes.SHA384() if signing_algorithm.endswith("384") else hashes.SHA256()
    if signing_algorithm.startswith("ECDSA"):
        return held.private_key.sign(message, ec.ECDSA(utils.Prehashed(kind)))
    return held.private_key.sign(message, padding.PKCS1v15(), utils.Prehashed(kind))


@pytest.fixture(name="kms")
def serve_kms(monkeypatch):
    """
    Serve KMS on this machine, and yield a client of it. The environment points everywhere else.
    """
    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign_prehashed)
    monkeypatch.setattr(RSAPrivateKey, "sign", sign_prehashed)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_ENDPOINT_URL": "http://192.0.2.7:1",
        "AWS_ENDPOINT_URL_KMS": "http://192.0.2.7:1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client("kms", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    server.stop()


def choose(kms, name):
    return choose_signer(
        read_settings(
            None,
            "s.toml",
            {"aws": {"endpoint_url": kms.meta.endpoint_url}, "sign": {"kms_key": name}},
        ),
        {},
    )


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "RSA_2048"])
def test_a_key_in_kms_signs_by_its_id_alias_and_arn(kms, spec):
    """
    The envelope verifies with the public key that KMS itself gives out.
    """
    made = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{spec}", TargetKeyId=made["KeyId"])
    der = kms.get_public_key(KeyId=made["KeyId"])["PublicKey"]
    pem = load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    for name in (made["KeyId"], f"alias/{spec}", made["Arn"]):
        signer = choose(kms, name)
        assert signer is not None
        envelope = signer.attest("manifest.json", b"{}", {"run_id": "x"})
        assert verify_envelope(envelope, pem, "manifest.json", b"{}") == signer.key_id


def test_keys_that_cannot_sign_are_refused_before_anything_is_scanned(kms):
    """
    A key that encrypts, one of a kind that cannot be verified, one that is disabled, and none at all.
    """
    encrypting = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    koblitz = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]

    for name, said in (
        (encrypting["KeyId"], "the key is not for signing"),
        (koblitz["KeyId"], "this is another"),
        ("alias/nobody", "there is no such key in this account and region"),
    ):
        with pytest.raises(SettingsError, match=f"^KMS key {name}: .*{said}"):
            choose(kms, name)
