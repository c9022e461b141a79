import pytest
from report_text import ACCOUNT, MADE, OTHER, root_row, user_row, write_report

from scanner.confirmation import Candidate, live_file, name_mfa_kind, pick_candidates, read_live
from scanner.errors import ReportError
from scanner.model import Confirmation

DEVICE = {
    "SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/ann",
    "EnableDate": "2026-11-24T09:10:11+00:00",
}
PROFILE = {"LoginProfile": {"UserName": "ann"}}


def answered(**answer):
    return {"answer": answer}


def refused(code):
    return {"error": {"code": code, "message": "Unknown"}}


def read(devices=None, profile=None, tags=None, owner_tags=("owner",)):
    """
    Read what an account answered about one user; None is a question that was never answered.
    """
    given = {"ListMFADevices": devices, "GetLoginProfile": profile, "ListUserTags": tags}
    answers = {name: answer for name, answer in given.items() if answer is not None}
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
    return read_live({"arn": arn, "answers": answers}, owner_tags)


def pick(*rows):
    content = write_report(root_row(), *rows)
    return [candidate.user for candidate in pick_candidates(content, ACCOUNT, MADE)]


# Whom to ask about


def test_users_with_a_password_and_no_device_are_asked_about():
    """
    They are the findings that a fix since the report would close.
    """
    rows = [
        user_row("ann", password_enabled="true", mfa_active="false"),
        user_row("bob", password_enabled="TRUE", mfa_active="FALSE"),
    ]

    assert pick(*rows) == ["ann", "bob"]


@pytest.mark.parametrize("value", ["MAYBE", "", "N/A", "no_information", "not_supported", " true"])
def test_users_whom_the_report_leaves_open_are_asked_about(value):
    """
    A value that is neither true nor false, for the password or the device, is worth asking about.
    """
    rows = [
        user_row("ann", password_enabled=value, mfa_active="true"),
        user_row("bob", password_enabled="true", mfa_active=value),
    ]

    assert pick(*rows) == ["ann", "bob"]


def test_settled_users_are_not_asked_about():
    """
    Without a password, or with a password and a device, there is nothing to ask.
    """
    rows = [
        user_row("ann", password_enabled="false", mfa_active="false"),
        user_row("bob", password_enabled="False", mfa_active="MAYBE"),
        user_row("cid", password_enabled="true", mfa_active="True"),
    ]

    assert pick(*rows) == []


def test_root_is_not_asked_about():
    """
    The calls answer about IAM users, not about root.
    """
    content = write_report(root_row(password_enabled="true"))

    assert pick_candidates(content, ACCOUNT, MADE) == ()


@pytest.mark.parametrize("content", [b"", b"<html>", write_report(root_row(OTHER))])
def test_a_report_that_is_none_has_no_candidates_but_an_error(content):
    """
    No candidates would mean that nobody is open: an unusable report says nothing of the kind.
    """
    with pytest.raises(ReportError):
        pick_candidates(content, ACCOUNT, MADE)


def test_answers_are_kept_under_a_hash():
    """
    An ARN is no file name; its hash is, and differs from user to user.
    """
    arn = f"arn:aws:iam::{ACCOUNT}:user/../../ann"

    assert Candidate("ann", arn).file == live_file(arn) == "live/3a7c8dde90474cdb.json"
    assert live_file(arn) != live_file(arn + "e")


# What the answers mean


def test_a_user_without_a_device_is_still_open():
    """
    A password that is there and no device: the finding stands.
    """
    state = read(answered(MFADevices=[]), answered(**PROFILE))

    assert state.confirmation is Confirmation.STILL_OPEN


def test_a_user_with_a_device_was_fixed_since():
    """
    A device that the report does not know yet, with its kind and date in words.
    """
    state = read(answered(MFADevices=[DEVICE]), answered(**PROFILE))

    assert state.confirmation is Confirmation.FIXED_SINCE_REPORT
    assert state.note == "virtual device since 2026-11-24"


def test_each_device_is_named():
    """
    A user may hold several devices of several kinds.
    """
    key = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:u2f/user/ann/k-1", "EnableDate": "2026-11-23"}

    state = read(answered(MFADevices=[DEVICE, key]), answered(**PROFILE))

    assert state.note == "virtual device since 2026-11-24, security key or passkey since 2026-11-23"


def test_a_device_of_another_account_confirms_nothing():
    """
    Devices whose ARNs lie in another account are an answer from the wrong place, not a fix.
    """
    foreign = {"SerialNumber": "arn:aws:iam::999999999999:mfa/ann", "EnableDate": "2026-11-24"}

    state = read(answered(MFADevices=[foreign]), answered(**PROFILE))

    assert state.confirmation is Confirmation.NOT_CHECKED


def test_a_password_that_is_gone_is_told_from_a_user_who_is_gone():
    """
    GetLoginProfile says NoSuchEntity for both, and ListMFADevices tells them apart.
    """
    removed = read(answered(MFADevices=[]), refused("NoSuchEntity"))
    deleted = read(refused("NoSuchEntity"), refused("NoSuchEntity"))
    not_asked_further = read(refused("NoSuchEntity"))

    assert removed.confirmation is Confirmation.PASSWORD_REMOVED
    assert deleted.confirmation is Confirmation.USER_DELETED
    assert not_asked_further.confirmation is Confirmation.USER_DELETED


@pytest.mark.parametrize("devices", [refused("AccessDenied"), refused("Throttling"), None])
def test_a_password_that_is_gone_proves_nothing_without_the_devices(devices):
    """
    Where ListMFADevices did not answer, nobody can say whether the password went or the user.
    """
    state = read(devices, refused("NoSuchEntity"))

    assert state.confirmation is Confirmation.NOT_CHECKED


@pytest.mark.parametrize(
    ("devices", "profile"),
    [
        (refused("AccessDenied"), answered(**PROFILE)),
        (answered(MFADevices=[DEVICE]), refused("AccessDenied")),
        (answered(MFADevices=[]), refused("AccessDenied")),
        (refused("AccessDenied"), refused("Throttling")),
        (refused("AccessDenied"), None),
    ],
)
def test_a_refused_question_confirms_nothing(devices, profile):
    """
    One answer of two is not enough to call a finding fixed, and the refusal is named.
    """
    state = read(devices, profile)

    assert state.confirmation is Confirmation.NOT_CHECKED
    assert state.note == "could not be asked: AccessDenied"


@pytest.mark.parametrize(
    ("devices", "profile"),
    [
        (None, None),
        (answered(MFADevices=[]), None),
        (answered(MFADevices=[DEVICE]), None),
        (None, answered(**PROFILE)),
    ],
)
def test_a_question_that_was_never_answered_confirms_nothing(devices, profile):
    """
    A scan that stopped between two questions leaves the finding as the report has it.
    """
    state = read(devices, profile)

    assert state.confirmation is Confirmation.NOT_CHECKED


def test_no_answers_at_all_confirm_nothing():
    """
    A record without answers is a user who was not checked.
    """
    assert read_live({}, ["owner"]).confirmation is Confirmation.NOT_CHECKED


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ([{"Key": "owner", "Value": "team-a"}], "team-a"),
        ([{"Key": "OWNER", "Value": "team-a"}], "team-a"),
        ([{"Key": "contact", "Value": "c"}, {"Key": "owner", "Value": "o"}], "o"),
        ([{"Key": "contact", "Value": "c"}], "c"),
        ([{"Key": "owner", "Value": ""}, {"Key": "contact", "Value": "c"}], "c"),
        ([{"Key": "owner", "Value": ""}], None),
        ([{"Key": "cost-centre", "Value": "4711"}], None),
        ([{"Key": "owners", "Value": "x"}, {"Key": "own", "Value": "x"}], None),
        ([], None),
    ],
)
def test_the_owner_is_the_first_tag_that_says_so(tags, owner):
    """
    Tags are looked for in the order of the settings and without regard to case; empty ones do not count.
    """
    state = read(
        answered(MFADevices=[]),
        answered(**PROFILE),
        answered(Tags=tags),
        owner_tags=("owner", "contact"),
    )

    assert state.owner == owner


@pytest.mark.parametrize("tags", [None, refused("AccessDenied"), answered()])
def test_without_tags_there_is_no_owner(tags):
    """
    A refusal to name tags costs the owner and not the confirmation.
    """
    state = read(answered(MFADevices=[]), answered(**PROFILE), tags)

    assert (state.confirmation, state.owner) == (Confirmation.STILL_OPEN, None)


@pytest.mark.parametrize(
    ("serial", "kind"),
    [
        (f"arn:aws:iam::{ACCOUNT}:mfa/ann", "virtual device"),
        (f"arn:aws-us-gov:iam::{ACCOUNT}:mfa/path/u2f/ann", "virtual device"),
        (f"arn:aws:iam::{ACCOUNT}:u2f/user/ann/key-1", "security key or passkey"),
        (f"arn:aws:iam::{ACCOUNT}:sms-mfa/ann", "device of unknown kind"),
        ("GAHT12345678", "hardware token"),
    ],
)
def test_a_device_s_kind_is_told_by_its_serial(serial, kind):
    """
    The form of the serial number says what kind of device it is.
    """
    assert name_mfa_kind(serial) == kind
