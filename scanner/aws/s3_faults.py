"""
One sentence for each way a bucket can refuse: what happened, and the next step.
"""

from scanner.aws.bucket import Bucket
from scanner.aws.faults import Fault
from scanner.model import ReasonCode

_WRONG_REGION = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
        "TemporaryRedirect",
        "301",
        "307",
    }
)
_CREDENTIALS = frozenset({"InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})


def explain_write(fault: Fault, bucket: Bucket) -> str:
    """
    Say why an object could not be written, and what to do about it.
    """
    needed = ["s3:PutObject"]
    if bucket.lock_mode:
        needed.append("s3:PutObjectRetention")
    key = "kms:GenerateDataKey and kms:Decrypt" if bucket.kms_key else ""
    return _explain(fault, bucket, needed, key)


def explain_read(fault: Fault, bucket: Bucket) -> str:
    """
    Say why an object that is there could not be read back, and what to do about it.
    """
    needed = ["s3:GetObject", "s3:GetObjectVersion"]
    if bucket.lock_mode:
        needed.append("s3:GetObjectRetention")
    return "could not be read back: " + _explain(
        fault, bucket, needed, "kms:Decrypt" if bucket.kms_key else ""
    )


def _explain(fault: Fault, bucket: Bucket, needed: list[str], key: str) -> str:
    who = "S3 said" if fault.status else "we saw"
    said = f"{who} {fault.error}: {fault.message}" if fault.message else f"{who} {fault.error}"
    sentence = (
        _say_bucket(fault, bucket)
        or _say_denied(fault, bucket, needed, key)
        or _say_unlucky(fault)
        or f"{fault.operation} was refused"
    )
    return f"{sentence} ({said})"


def _say_bucket(fault: Fault, bucket: Bucket) -> str:
    error = fault.error
    known = [
        (
            error == "NoSuchBucket",
            f"there is no bucket {bucket.name}; correct bucket under [[deliver]]",
        ),
        (
            error in _WRONG_REGION,
            "the bucket is in another region; set region under [[deliver]]",
        ),
        (
            error == "NoSuchKey",
            "somebody removed the object; see who can, then deliver again",
        ),
        (
            error.startswith(("KMS.", "KMSKey")),
            "the KMS key cannot be used; it must exist, be enabled, and be in the bucket's region",
        ),
        (
            error == "InvalidRequest" and "lock" in fault.message.lower(),
            "the bucket has no Object Lock; turn it on there, or leave out lock_mode and retain_days",
        ),
        (
            fault.status == 501,
            "what answers there does not know If-None-Match, without which it might overwrite",
        ),
    ]
    return next((sentence for applies, sentence in known if applies), "")


def _say_denied(fault: Fault, bucket: Bucket, needed: list[str], key: str) -> str:
    if fault.code not in {ReasonCode.ACCESS_DENIED, ReasonCode.SCP_DENIED}:
        return ""
    if "kms:" in fault.message.lower():
        return f"the KMS key may not be used; allow {key or 'kms:GenerateDataKey and kms:Decrypt'} on it"
    owner = (
        f", and see that the bucket belongs to account {bucket.expected_owner}"
        if bucket.expected_owner
        else ""
    )
    below = f"{bucket.name}/{bucket.prefix}/*" if bucket.prefix else f"{bucket.name}/*"
    on_key = f", and {key} on the KMS key" if key else ""
    return f"access was denied; allow {', '.join(needed)} on {below}{on_key}{owner}"


def _say_unlucky(fault: Fault) -> str:
    if fault.error in _CREDENTIALS:
        return "the credentials are not valid; sign in again, or set profile under [[deliver]]"
    sentences = {
        ReasonCode.ROLE_CHAIN_EXPIRED: "the credentials have expired or are not valid; sign in again",
        ReasonCode.CALLER_EXPIRED: "the credentials have expired or are not valid; sign in again",
        ReasonCode.CLOCK_SKEW: "this machine's clock is off, and S3 refuses its signatures; set it right",
        ReasonCode.NETWORK: "S3 was not reached; check the network, the proxy, bucket and region",
        ReasonCode.THROTTLED: "S3 asked for fewer calls until we gave up; deliver again later",
        ReasonCode.SERVICE_ERROR: "the call failed within S3 until we gave up; deliver again later",
    }
    if fault.code is ReasonCode.BAD_RESPONSE and fault.status in {0, 200}:
        return "what answered is not S3's answer; check the proxy and the endpoint"
    return sentences.get(fault.code, "")
