import pytest

from scanner.reports.links import address_account, address_user, describe_links, link_address


@pytest.mark.parametrize(
    ("partition", "sign_in", "user"),
    [
        ("aws", "signin.aws.amazon.com", "console.aws.amazon.com"),
        ("aws-us-gov", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
        ("aws-cn", "signin.amazonaws.cn", "console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_own_console(partition, sign_in, user):
    """
    An account's sign-in page, and a user's page in IAM.
    """
    assert address_account(partition, "012345678901") == f"https://012345678901.{sign_in}/console"
    assert address_user(partition, "ada") == f"https://{user}/iam/home#/users/details/ada"


def test_an_unknown_partition_has_no_links_and_says_so():
    """
    A guess would lead people to another's site.
    """
    assert address_account("aws-iso", "012345678901") is None
    assert address_user("aws-iso", "ada") is None
    assert "not known" in describe_links("aws-iso")


@pytest.mark.parametrize(
    "user", ["../../x", "a b", "javascript:alert(1)", "@evil.example/", "#/x?y", "\u202e\u5b57\x00"]
)
def test_a_name_stays_behind_the_host(user):
    """
    Whatever it holds is percent-encoded.
    """
    address = address_user("aws", user)

    assert address is not None
    host, _, name = address.rpartition("/")
    assert host == "https://console.aws.amazon.com/iam/home#/users/details"
    assert all(char.isascii() and (char.isalnum() or char in "%._-~") for char in name)


@pytest.mark.parametrize("account", ["evil.example/", "12345678901", "\u0661" * 12, ""])
def test_what_is_no_account_id_is_no_host(account):
    """
    It would be a part of the address that nobody encodes.
    """
    assert address_account("aws", account) is None


def test_an_address_that_excel_cannot_follow_is_none():
    """
    Excel's limit is 2,079 characters.
    """
    assert address_user("aws", "\u5b57" * 300) is None


def test_what_follows_the_hash_is_a_place():
    """
    Excel keeps the two apart.
    """
    link = link_address("https://console.aws.amazon.com/iam/home#/users/details/ada")

    assert (link.target, link.location) == (
        "https://console.aws.amazon.com/iam/home",
        "/users/details/ada",
    )
