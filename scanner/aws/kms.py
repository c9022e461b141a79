"""
A signing key that never leaves AWS KMS.

KMS is asked through a client of ours, as every other call: securesystemslib has a signer for KMS, but that
one makes a client of its own, which takes endpoints from the environment. KMS is given the digest, never
the statement.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scanner.aws.clients import make_client
from scanner.aws.faults import Fault, classify
from scanner.errors import EvidenceError, SettingsError
from scanner.evidence.signature import check_key, describe_key, with_extra
from scanner.model import show

if TYPE_CHECKING:
    from securesystemslib.signer import Signature, SSlibKey

_ALGORITHMS = {
    "ecdsa-sha2-nistp256": ("sha256", "ECDSA_SHA_256"),
    "ecdsa-sha2-nistp384": ("sha384", "ECDSA_SHA_384"),
    "rsa-pkcs1v15-sha256": ("sha256", "RSASSA_PKCS1_V1_5_SHA_256"),
}
"""
By securesystemslib's scheme: the digest, and KMS's name for signing it.
"""

_NEXT_STEPS = {
    "NotFoundException": (
        "there is no such key in this account and region; name it by its ARN, or set region under [aws]"
    ),
    "InvalidArnException": "this is no ARN of a key; it looks like arn:aws:kms:REGION:ACCOUNT:key/ID",
    "DisabledException": "the key is disabled; enable it or name another",
    "KMSInvalidStateException": "the key is not ready, or is to be deleted; name another",
    "InvalidKeyUsageException": "the key is not for signing; make one with key usage SIGN_VERIFY",
    "UnsupportedOperationException": (
        "the key is not for signing; make an asymmetric one with key usage SIGN_VERIFY"
    ),
}
_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
_DRY_RUN = "DryRunOperationException"


def connect_key(
    name: str, *, profile: str | None, region: str | None, endpoint: str | None
) -> "KmsKey":
    """
    Return the KMS key of this id, alias or ARN, once it is known that it signs and that we may use it.

    An ARN names the region; else `region` and boto3's usual chain do. Raises `SettingsError`.
    """
    if name.startswith("arn:"):
        region = name.split(":")[3]
    return KmsKey(name, make_client("kms", profile=profile, region=region, endpoint=endpoint))


class KmsKey:
    """
    An asymmetric key in KMS. See `SigningKey`.
    """

    def __init__(self, name: str, client: Any) -> None:  # noqa: ANN401 - boto3 makes its clients' classes
        self._name = name
        self._client = client
        answer = self._ask("GetPublicKey", client.get_public_key, KeyId=name)
        if answer.get("KeyUsage") != "SIGN_VERIFY":
            raise SettingsError(f"{self}: {_NEXT_STEPS['InvalidKeyUsageException']}")
        self._public_key = self._read(answer.get("PublicKey"))
        scheme = self._public_key.scheme
        if scheme not in _ALGORITHMS:
            raise SettingsError(
                f"{self}: KMS signs no digests with {scheme} keys; name an ECDSA or RSA key"
            )
        self._digest, self._algorithm = _ALGORITHMS[scheme]
        if self._algorithm not in answer.get("SigningAlgorithms", ()):
            raise SettingsError(f"{self}: does not sign with {self._algorithm}; name another key")
        # An alias can be pointed elsewhere while the accounts are read. The answer names the key itself.
        self._id = str(answer.get("KeyId") or name)
        self._try()

    def __str__(self) -> str:
        """
        Name the key as the settings do.
        """
        return f"KMS key {show(self._name)}"

    @property
    def public_key(self) -> "SSlibKey":
        """
        Return the public half. See `SigningKey.public_key`.
        """
        return self._public_key

    def sign(self, payload: bytes) -> "Signature":
        """
        Have KMS sign the digest of bytes. See `SigningKey.sign`.
        """
        from securesystemslib.signer import Signature  # noqa: PLC0415 - an extra, and slow

        try:
            answer = self._ask("Sign", self._client.sign, **self._request(payload))
        except SettingsError as exc:
            raise EvidenceError(str(exc)) from exc
        signature = answer.get("Signature")
        if not isinstance(signature, bytes):
            raise EvidenceError(
                f"{self}: what answered kms:Sign is not KMS; check proxy and endpoint"
            )
        return Signature(self._public_key.keyid, signature.hex())

    def _read(self, der: object) -> "SSlibKey":
        with with_extra():
            from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

        try:
            return describe_key(check_key(load_der_public_key(bytes(der))))  # type: ignore[call-overload]
        except (TypeError, ValueError, UnsupportedAlgorithm):
            raise SettingsError(
                f"{self}: its public key is of no kind that is known here"
            ) from None
        except SettingsError as exc:
            raise SettingsError(f"{self}: {exc}") from exc

    def _try(self) -> None:
        """
        Ask whether we may sign, and sign nothing: better known now than when all accounts are read.
        """
        try:
            self._client.sign(**self._request(b"orgproof"), DryRun=True)
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") != _DRY_RUN:
                raise self._explain("Sign", exc) from exc
        except Exception as exc:
            raise self._explain("Sign", exc) from exc

    def _request(self, payload: bytes) -> dict[str, Any]:
        return {
            "KeyId": self._id,
            "Message": hashlib.new(self._digest, payload).digest(),
            "MessageType": "DIGEST",
            "SigningAlgorithm": self._algorithm,
        }

    def _ask(self, operation: str, call: Any, **request: object) -> Any:  # noqa: ANN401 - boto3's
        try:
            return call(**request)
        except Exception as exc:
            # A client raises more than its own errors when what answers is not AWS: see `classify`.
            raise self._explain(operation, exc) from exc

    def _explain(self, operation: str, exc: Exception) -> SettingsError:
        fault = classify(f"kms:{operation}", exc)
        return SettingsError(f"{self}: {_say(fault)} ({fault.error}: {fault.message})")


def _say(fault: Fault) -> str:
    if fault.error in _DENIED:
        return (
            f"you may not call {fault.operation}; allow kms:GetPublicKey and kms:Sign on the key, in your "
            "own policy and in the key's"
        )
    return _NEXT_STEPS.get(fault.error, f"{fault.operation} failed; try again, or name another key")
