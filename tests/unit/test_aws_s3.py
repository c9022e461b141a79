"""
What is asked of S3 for one object, and what its answers are taken for.
"""

import base64
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from delivery_run import NOW, StillClock

from scanner.aws.bucket import Bucket
from scanner.aws.s3 import LARGEST, S3Destination
from scanner.delivery import Parcel
from scanner.errors import DeliveryError
from scanner.settings import read_settings

CONTENT = b'{"run": 1}'
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CHECKSUM = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
PARCEL = Parcel("manifest.json", "o-1/2026-Q4/run/manifest.json", len(CONTENT), SHA256)
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{KEY_ID}"
UNTIL = datetime(2027, 11, 25, 9, 30, tzinfo=UTC)
LOCKED = Bucket(
    name="audit",
    prefix="orgproof",
    kms_key=KEY_ARN,
    lock_mode="GOVERNANCE",
    retain=timedelta(days=365),
    expected_owner="111122223333",
)
KEPT = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": KEY_ARN,
    "ObjectLockMode": "GOVERNANCE",
    "ObjectLockRetainUntilDate": UNTIL,
}
PUT = {
    "Bucket": "audit",
    "Key": PARCEL.key,
    "Body": ANY,
    "ContentLength": len(CONTENT),
    "ContentType": "application/json",
    "ChecksumAlgorithm": "SHA256",
    "ChecksumSHA256": CHECKSUM,
    "IfNoneMatch": "*",
}
GET = {"Bucket": "audit", "Key": PARCEL.key, "ChecksumMode": "ENABLED"}


ANSWERED = {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "r"}}


class BrokenBody(io.BytesIO):
    """
    A body that breaks off before its first byte.
    """

    def read(self, *_):
        """
        Break off.
        """
        raise ConnectionResetError


class Stubbed:
    """
    A destination whose answers are written down beforehand, in their order.
    """

    def __init__(self, bucket):
        client = boto3.client(
            "s3",
            region_name="eu-central-1",
            aws_access_key_id="made-up",
            aws_secret_access_key="made-up",
        )
        self.stub = Stubber(client)
        self.pauses: list[float] = []
        self.destination = S3Destination(
            client, bucket, "documents", StillClock(), sleep=self.pauses.append
        )

    def answer_put(self, expected=None, **answer):
        """
        Let an object be written.
        """
        self.stub.add_response("put_object", {**ANSWERED, **answer}, expected)

    def fail_put(self, code, message="", status=400):
        """
        Let an object be refused.
        """
        self.stub.add_client_error("put_object", code, message, status)

    def answer_get(self, content=CONTENT, expected=None, **answer):
        """
        Let an object be read back.
        """
        body = StreamingBody(io.BytesIO(content), len(content))
        self.stub.add_response("get_object", {**ANSWERED, "Body": body, **answer}, expected)

    def break_get(self):
        """
        Let an object be read back, and break off.
        """
        body = StreamingBody(BrokenBody(), len(CONTENT))
        self.stub.add_response("get_object", {**ANSWERED, "Body": body})

    def put(self, parcel=PARCEL):
        """
        Deliver the object, using up every answer.
        """
        with self.stub:
            placed = self.destination.put(parcel, io.BytesIO(CONTENT))
        self.stub.assert_no_pending_responses()
        return placed

    def refuse(self, parcel=PARCEL):
        """
        Fail to deliver the object, and return the message.
        """
        with pytest.raises(DeliveryError) as caught:
            self.put(parcel)
        self.stub.assert_no_pending_responses()
        return str(caught.value)


@pytest.fixture(name="plain")
def make_plain():
    return Stubbed(Bucket("audit"))


@pytest.fixture(name="locked")
def make_locked():
    return Stubbed(LOCKED)


# What is asked


def test_an_object_is_never_overwritten_and_never_anything_else(plain):
    """
    If-None-Match and the manifest's own SHA-256 go with every object; encryption is left to the bucket.
    """
    plain.answer_put(PUT, ETag='"e"')
    plain.answer_get(expected=GET, ETag='"e"', ChecksumSHA256=CHECKSUM)

    placed = plain.put()

    assert placed.where == f"s3://audit/{PARCEL.key}"
    assert (placed.was_there, placed.version_id, placed.lock_mode) == (False, None, None)
    assert (placed.etag, placed.checksum_sha256) == ('"e"', CHECKSUM)


def test_encryption_lock_and_owner_are_asked_for(locked):
    """
    The retention counts from now; the version that was written is the one that is read back.
    """
    owner = {"ExpectedBucketOwner": "111122223333"}
    key = {"Key": f"orgproof/{PARCEL.key}"}
    asked = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": KEY_ARN,
        "BucketKeyEnabled": True,
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": UNTIL,
    }
    locked.answer_put({**PUT, **owner, **key, **asked}, VersionId="v1")
    locked.answer_get(expected={**GET, **owner, **key, "VersionId": "v1"}, VersionId="v1", **KEPT)

    placed = locked.put()

    assert (placed.version_id, placed.encryption, placed.kms_key) == ("v1", "aws:kms", KEY_ARN)
    assert (placed.lock_mode, placed.retain_until) == ("GOVERNANCE", UNTIL)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a.pdf", "application/pdf"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("SHA256SUMS", "application/octet-stream"),
        ("a.parquet", "application/octet-stream"),
    ],
)
def test_an_object_says_what_it_is(plain, key, kind):
    """
    A browser that opens a document from the bucket knows it; what is not known is plain bytes.
    """
    plain.answer_put({**PUT, "Key": key, "ContentType": kind})
    plain.answer_get()

    plain.put(Parcel(key, key, len(CONTENT), SHA256))


def test_more_than_s3_takes_at_once_is_refused_unsent(plain):
    """
    The checksum of a multipart upload is no SHA-256 of the file, so none is made.
    """
    assert "larger than the 5 GiB" in plain.refuse(Parcel("a", "a", LARGEST + 1, SHA256))


# What is there already


def test_the_same_object_counts_as_delivered(plain):
    """
    Also where it came from an attempt whose answer was lost: S3 says 412 to the second.
    """
    plain.fail_put("PreconditionFailed", status=412)
    plain.answer_get(expected=GET, VersionId="v0")

    placed = plain.put()

    assert (placed.was_there, placed.version_id) == (True, "v0")


@pytest.mark.parametrize(
    "other", [b"", b'{"run": 2}', CONTENT[:-1], CONTENT + b" ", b"x" * 3_000_000]
)
def test_another_object_is_left_alone(plain, other):
    """
    Of whatever size it is, nothing is written over it, and it does not count as delivered.
    """
    plain.fail_put("PreconditionFailed", status=412)
    plain.answer_get(other)

    assert "another object is there, and nothing is overwritten" in plain.refuse()


def test_somebody_else_writing_the_same_key_is_waited_for(plain):
    """
    S3 says 409 and asks for another try.
    """
    plain.fail_put("ConditionalRequestConflict", status=409)
    plain.answer_put()
    plain.answer_get()

    assert not plain.put().was_there
    assert len(plain.pauses) == 1


@pytest.mark.parametrize("days", [0, 100, 400])
def test_a_lock_counts_from_when_the_object_was_written(locked, days):
    """
    A delivery that is repeated later finds the lock that the first one asked for, and asks for no longer one.
    """
    written = NOW - timedelta(days=days)
    locked.fail_put("PreconditionFailed", status=412)
    until = written + timedelta(days=365)
    locked.answer_get(LastModified=written, **{**KEPT, "ObjectLockRetainUntilDate": until})

    assert locked.put().was_there


# What does not count as delivered


@pytest.mark.parametrize("content", [b"", b'{"run": 2}', CONTENT + b"x", CONTENT[:-1]])
def test_what_reads_back_otherwise_is_not_delivered(plain, content):
    """
    S3, or what answers in its place, gives back other bytes than were sent.
    """
    plain.answer_put()
    plain.answer_get(content)

    assert "not what was sent" in plain.refuse()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ObjectLockMode": None},
        {"ObjectLockRetainUntilDate": None},
        {"ObjectLockRetainUntilDate": UNTIL - timedelta(days=1)},
    ],
)
@pytest.mark.parametrize("was_there", [False, True])
def test_a_lock_that_s3_does_not_confirm_is_not_delivered(locked, answer, was_there):
    """
    Whoever may not read the retention is not told of it; not knowing is no lock.
    """
    kept = {**KEPT, **answer} if answer else {k: v for k, v in KEPT.items() if "Lock" not in k}
    kept = {name: value for name, value in kept.items() if value is not None}
    if was_there:
        locked.fail_put("PreconditionFailed", status=412)
    else:
        locked.answer_put()
    locked.answer_get(**kept)

    assert "put-object-retention" in locked.refuse()


def test_a_weaker_lock_than_asked_for_is_not_delivered():
    """
    Governance can be lifted by some; where compliance was asked for it is too little.
    """
    bucket = Bucket("audit", lock_mode="COMPLIANCE", retain=timedelta(days=365))
    stubbed = Stubbed(bucket)
    stubbed.answer_put()
    stubbed.answer_get(**KEPT)

    assert "less than was asked for" in stubbed.refuse()


def test_a_stricter_lock_than_asked_for_is_good(locked):
    """
    A bucket may lock everything in compliance mode, and for longer.
    """
    locked.fail_put("PreconditionFailed", status=412)
    longer = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": UNTIL.replace(year=2030)}
    locked.answer_get(**{**KEPT, **longer})

    assert locked.put().lock_mode == "COMPLIANCE"


@pytest.mark.parametrize(
    "answer",
    [
        {"ServerSideEncryption": "AES256", "SSEKMSKeyId": ""},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_ARN.replace("1234abcd", "99999999")},
    ],
)
def test_another_encryption_than_asked_for_is_not_delivered(locked, answer):
    """
    The object was written by somebody else, or what answers is not S3.
    """
    locked.fail_put("PreconditionFailed", status=412)
    locked.answer_get(**{**KEPT, **answer})

    assert "not encrypted with the key asked for" in locked.refuse()


@pytest.mark.parametrize(
    "asked", [KEY_ARN, KEY_ID, f"key/{KEY_ID}", "alias/audit", KEY_ARN.replace("key/", "alias/")]
)
def test_a_key_can_be_named_in_every_way(asked):
    """
    S3 answers with the key's ARN, whichever way it was asked for.
    """
    stubbed = Stubbed(Bucket("audit", kms_key=asked))
    stubbed.answer_put()
    stubbed.answer_get(ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY_ARN)

    assert stubbed.put().kms_key == KEY_ARN


def test_an_answer_that_breaks_off_is_asked_for_again(plain):
    """
    Calls are repeated by botocore, but not what breaks while the body arrives.
    """
    plain.answer_put()
    plain.break_get()
    plain.answer_get()

    assert not plain.put().was_there


def test_an_answer_that_always_breaks_off_is_not_delivered(plain):
    """
    It is given up after a while, and never taken for the object.
    """
    plain.answer_put()
    for _ in range(7):
        plain.break_get()

    assert "could not be read back" in plain.refuse()


# What a person is told


@pytest.mark.parametrize(
    ("code", "message", "status", "said"),
    [
        ("AccessDenied", "no", 403, "s3:PutObject, s3:PutObjectRetention on audit/orgproof/*"),
        ("AccessDenied", "no", 403, "kms:GenerateDataKey and kms:Decrypt on the KMS key"),
        ("AccessDenied", "no", 403, "the bucket belongs to account 111122223333"),
        ("AccessDenied", "not authorized to perform: kms:GenerateDataKey", 403, "may not be used"),
        ("NoSuchBucket", "", 404, "there is no bucket audit"),
        ("InvalidRequest", "Bucket is missing ObjectLockConfiguration", 400, "no Object Lock"),
        ("InvalidRequest", "Bucket is missing Object Lock Configuration", 400, "no Object Lock"),
        ("KMS.NotFoundException", "", 400, "the KMS key cannot be used"),
        ("KMS.DisabledException", "", 400, "the KMS key cannot be used"),
        ("PermanentRedirect", "", 301, "another region; set region"),
        ("AuthorizationHeaderMalformed", "", 400, "another region; set region"),
        ("NotImplemented", "", 501, "does not know If-None-Match"),
        ("InvalidAccessKeyId", "", 403, "sign in again"),
        ("ExpiredToken", "", 400, "sign in again"),
        ("SignatureDoesNotMatch", "", 403, "sign in again"),
        ("RequestTimeTooSkewed", "", 403, "clock is off"),
        ("SlowDown", "", 503, "deliver again later"),
        ("InternalError", "", 500, "deliver again later"),
        ("SomethingNew", "of next year", 400, "s3:PutObject was refused (S3 said SomethingNew: of"),
    ],
)
def test_a_refusal_says_what_to_do(locked, code, message, status, said):
    """
    The sentence names the object and the next step, and keeps what S3 said.
    """
    locked.fail_put(code, message, status)

    told = locked.refuse()

    assert told.startswith(f"s3://audit/orgproof/{PARCEL.key}: ")
    assert said in told
    assert f"S3 said {code}" in told


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "s3:GetObject, s3:GetObjectVersion, s3:GetObjectRetention"),
        ("AccessDenied", "kms:Decrypt"),
        ("NoSuchKey", "somebody removed the object"),
    ],
)
def test_an_object_that_cannot_be_read_back_is_not_delivered(locked, code, said):
    """
    It may well be there; nobody knows what it holds.
    """
    locked.answer_put(VersionId="v1")
    locked.stub.add_client_error("get_object", code, "", 403)

    told = locked.refuse()

    assert "could not be read back" in told
    assert said in told


def test_bytes_that_were_spoilt_on_the_way_are_sent_again(plain):
    """
    S3 compares them with the checksum and stores nothing.
    """
    plain.fail_put("BadDigest", "The SHA256 you specified did not match", 400)
    plain.answer_put()
    plain.answer_get()

    assert not plain.put().was_there


def test_what_s3_says_cannot_steer_a_terminal_or_show_a_token(plain):
    """
    Its words are somebody else's, and may quote the request.
    """
    token = "IQoJb3JpZ2luX2VjE" * 10
    plain.fail_put("Odd\x1b[31m", f"red\x1b[31m\nx-amz-security-token:{token}", 400)

    told = plain.refuse()

    assert "\x1b" not in told
    assert token not in told


def test_a_bucket_is_called_by_name_prefix_and_endpoint():
    """
    Where answers come from elsewhere than AWS, people and the receipt are told.
    """
    assert Stubbed(Bucket("audit")).destination.name == "s3://audit"
    assert Stubbed(LOCKED).destination.name == "s3://audit/orgproof"
    elsewhere = Bucket("audit", endpoint="https://s3.example.com")
    assert Stubbed(elsewhere).destination.name == "s3://audit at https://s3.example.com"


# What the guide says

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "delivery.md"


def test_the_guide_allows_what_is_called_and_nothing_more(locked):
    """
    The actions of its first policy are those that a refusal names.
    """
    text = GUIDE.read_text(encoding="utf-8")
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    locked.fail_put("AccessDenied", status=403)
    said = locked.refuse()
    locked.answer_put()
    locked.stub.add_client_error("get_object", "AccessDenied", "", 403)
    said += locked.refuse()

    allowed = {action for statement in policies[0]["Statement"] for action in statement["Action"]}

    assert allowed == set(re.findall(r"\b(?:s3|kms):[A-Z][A-Za-z]+", said))
    assert {statement["Effect"] for statement in policies[1]["Statement"]} == {"Deny"}


def test_the_settings_in_the_guide_are_accepted():
    """
    Whoever copies them gets what the page describes.
    """
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)

    tables = read_settings(text.encode(), "orgproof.toml", {}).deliver

    assert [table.to for table in tables] == ["s3", "folder"]
