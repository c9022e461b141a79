import hashlib
from unittest.mock import patch

import boto3
import pytest
from botocore.stub import ANY, Stubber
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from signing_keys import make_key, write_public

from scanner.aws import kms
from scanner.aws.kms import KmsKey, connect_key
from scanner.errors import EvidenceError, SettingsError
from scanner.evidence.signature import attest, verify_envelope

ARN = "arn:aws:kms:eu-central-1:012345678901:key/0c2d9f0e-0000-4000-8000-000000000001"
ALGORITHMS = {
    "p256": "ECDSA_SHA_256",
    "p384": "ECDSA_SHA_384",
    "rsa": "RSASSA_PKCS1_V1_5_SHA_256",
}


@pytest.fixture(name="stubber")
def stub():
    client = boto3.client(
        "kms", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield stubber


def answer(stubber, key, algorithm, **changes):
    """
    Let KMS describe a key.
    """
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    described = {
        "KeyId": ARN,
        "PublicKey": der,
        "KeyUsage": "SIGN_VERIFY",
        "SigningAlgorithms": [algorithm],
    }
    stubber.add_response("get_public_key", {**described, **changes}, {"KeyId": "alias/orgproof"})


def permit(stubber):
    """
    Let KMS say that it would have signed.
    """
    stubber.add_client_error("sign", "DryRunOperationException", http_status_code=412)


def sign_digest(key, digest):
    """
    Sign a digest as KMS does with MessageType=DIGEST.
    """
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    kind = hashes.SHA256() if key.key_size == 256 else hashes.SHA384()
    return key.sign(digest, ec.ECDSA(utils.Prehashed(kind)))


def refuse(stubber, name="alias/orgproof"):
    with pytest.raises(SettingsError) as refused:
        KmsKey(name, stubber.client)
    return str(refused.value)


@pytest.mark.parametrize("kind", sorted(ALGORITHMS))
def test_kms_signs_the_digest_with_the_key_that_was_tried(stubber, kind):
    """
    The right is tried without signing; then the digest goes to the key's own ARN, and the envelope verifies.
    """
    key = make_key(kind)
    answer(stubber, key, ALGORITHMS[kind], SigningAlgorithms=["OTHER", ALGORITHMS[kind]])
    permit(stubber)

    held = KmsKey("alias/orgproof", stubber.client)
    asked = {}

    def sign(**request):
        asked.update(request)
        return {"Signature": sign_digest(key, request["Message"])}

    with patch.object(stubber.client, "sign", sign):
        envelope = attest(held, "manifest.json", b"{}", {"run_id": "x"})

    assert verify_envelope(envelope, write_public(key), "manifest.json", b"{}")
    assert asked["KeyId"] == ARN
    assert asked["MessageType"] == "DIGEST"
    assert asked["SigningAlgorithm"] == ALGORITHMS[kind]
    assert len(asked["Message"]) == (48 if kind == "p384" else 32)
    assert "DryRun" not in asked


def test_the_right_to_sign_is_tried_without_signing(stubber):
    """
    Better known before the accounts are read than when everything is collected.
    """
    answer(stubber, make_key("p256"), "ECDSA_SHA_256")
    stubber.add_client_error(
        "sign",
        "AccessDeniedException",
        "no kms:Sign",
        expected_params={
            "KeyId": ARN,
            "Message": hashlib.sha256(b"orgproof").digest(),
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
            "DryRun": True,
        },
    )

    said = refuse(stubber)

    assert said.startswith(
        "KMS key alias/orgproof: you may not call kms:Sign; allow kms:GetPublicKey"
    )
    assert "no kms:Sign" in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("NotFoundException", "there is no such key in this account and region"),
        ("AccessDeniedException", "you may not call kms:GetPublicKey"),
        ("DisabledException", "is disabled"),
        ("KMSInvalidStateException", "is to be deleted"),
        ("InvalidKeyUsageException", "key usage SIGN_VERIFY"),
        ("UnsupportedOperationException", "make an asymmetric one"),
        ("InvalidArnException", "is no ARN of a key"),
        ("SomethingNewException", "kms:GetPublicKey failed"),
    ],
)
def test_every_refusal_of_kms_has_a_next_step(stubber, code, said):
    """
    What KMS says comes along, on one line and without what could steer a terminal.
    """
    stubber.add_client_error("get_public_key", code, "line one\nline \x1b[31mtwo")

    told = refuse(stubber)

    assert said in told
    assert f"({code}: line one line \ufffd[31mtwo)" in told


def test_keys_that_do_not_sign_are_refused(stubber):
    """
    Keys that encrypt, other curves, key agreement, and algorithms that are not offered.
    """
    for kind, changes, said in (
        ("rsa", {"KeyUsage": "ENCRYPT_DECRYPT"}, "is not for signing"),
        ("p256", {"KeyUsage": "KEY_AGREEMENT"}, "is not for signing"),
        ("koblitz", {}, "this is another"),
        ("p521", {}, "this is another"),
        ("p256", {"SigningAlgorithms": ["ECDSA_SHA_384"]}, "does not sign with ECDSA_SHA_256"),
        ("p256", {"SigningAlgorithms": []}, "does not sign with"),
        ("p256", {"PublicKey": b"sesame"}, "of no kind that is known"),
    ):
        answer(stubber, make_key(kind), "ECDSA_SHA_256", **changes)
        assert said in refuse(stubber)


def test_an_ed25519_key_of_kms_is_refused(stubber):
    """
    KMS signs with those over the message only, and not over its digest.
    """
    answer(stubber, make_key("ed25519"), "ED25519_SHA_512")

    assert "KMS signs no digests with ed25519 keys" in refuse(stubber)


def test_a_failure_while_sealing_is_an_error_of_the_evidence(stubber):
    """
    The settings were right when the scan began.
    """
    answer(stubber, make_key("p256"), "ECDSA_SHA_256")
    permit(stubber)
    held = KmsKey("alias/orgproof", stubber.client)
    stubber.add_client_error("sign", "KMSInternalException", expected_params=ANY)
    with pytest.raises(EvidenceError, match="KMS key alias/orgproof: kms:Sign failed; try again"):
        held.sign(b"payload")

    with (
        patch.object(stubber.client, "sign", lambda **_: {}),
        pytest.raises(EvidenceError, match="is not KMS"),
    ):
        held.sign(b"payload")


def test_an_answer_that_is_no_answer_is_a_settings_error(stubber):
    """
    A proxy's web page makes botocore raise whatever it likes.
    """

    def stumble(**_):
        raise KeyError("<html>")

    with patch.object(stubber.client, "get_public_key", stumble):
        assert "KMS key alias/orgproof: kms:GetPublicKey failed" in refuse(stubber)


def test_an_arn_names_its_region(monkeypatch):
    """
    The key is asked where it is, wherever the scan runs, and never at an address from the environment.
    """
    made = []

    def notice(name, client):
        made.append((name, client.meta.endpoint_url))

    monkeypatch.setattr(kms, "KmsKey", notice)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": "http://192.0.2.7:1",
        "AWS_ENDPOINT_URL_KMS": "http://192.0.2.7:1",
        "AWS_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)

    connect_key(ARN, profile=None, region="us-east-1", endpoint=None)
    connect_key("alias/x", profile=None, region="us-gov-west-1", endpoint=None)
    connect_key("alias/x", profile=None, region=None, endpoint="http://127.0.0.1:9")

    assert [url for _, url in made] == [
        "https://kms.eu-central-1.amazonaws.com",
        "https://kms.us-gov-west-1.amazonaws.com",
        "http://127.0.0.1:9",
    ]
    with pytest.raises(SettingsError, match="plain http"):
        connect_key("alias/x", profile=None, region=None, endpoint="http://192.0.2.7")
