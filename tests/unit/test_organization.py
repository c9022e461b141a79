import json
from dataclasses import replace

import pytest

from scanner.errors import DiscoveryError, EvidenceError, SettingsError
from scanner.model import (
    Account,
    AccountId,
    AccountOutcome,
    Caller,
    Exclusion,
    Organization,
    ReasonCode,
    Selection,
)
from scanner.organization import (
    check_selection,
    leave_out,
    read_answers,
    read_caller,
    read_central_root,
    read_organization,
    read_tags,
    split_path,
)

MANAGEMENT = "000000000017"
MEMBER = "012345678901"
CALLER = {"Account": MANAGEMENT, "Arn": f"arn:aws:sts::{MANAGEMENT}:assumed-role/audit/run"}
DESCRIBED = {"Organization": {"Id": "o-a1b2c3d4e5", "MasterAccountId": MANAGEMENT}}
UNITS = {
    "roots": [{"Id": "r-ab12", "Name": "Root"}],
    "children": {
        "r-ab12": [{"Id": "ou-ab12-workload", "Name": "Workloads"}],
        "ou-ab12-workload": [{"Id": "ou-ab12-products", "Name": "Production"}],
    },
}
PRODUCTION = ("r-ab12", "ou-ab12-workload", "ou-ab12-products")


def entry(account_id, **changes):
    """
    Return one account as ListAccounts answers.
    """
    plain = {"Id": account_id, "Name": f"name-{account_id[-2:]}", "Email": "a@b.c"}
    return plain | {"State": "ACTIVE"} | changes


def read(*pages, caller=CALLER, described=DESCRIBED, units=UNITS):
    """
    Read an organization whose ListAccounts answered these pages of accounts.
    """
    answered = {"pages": [{"Accounts": list(page)} for page in pages]}
    return read_organization(caller, described, answered, units)


def account(account_id=MEMBER, state="ACTIVE", ou_ids=PRODUCTION):
    return Account(AccountId(account_id), "payments", "a@b.c", state, ou_ids, ou_ids)


# What is read


def test_every_account_of_every_page_is_listed_in_order():
    """
    Pages may be empty, and accounts come in any order: all are there, sorted by id.
    """
    ids = ["999999999999", MEMBER, MANAGEMENT]

    organization = read([], [entry(ids[0])], [], [entry(ids[1]), entry(ids[2])], [])

    assert [listed.id for listed in organization.accounts] == sorted(ids)
    assert organization.id == "o-a1b2c3d4e5"
    assert organization.management_account_id == MANAGEMENT


@pytest.mark.parametrize(
    "state", ["ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION", "CLOSED", "NEW"]
)
def test_accounts_in_any_state_are_listed(state):
    """
    The population is every account, and those that cannot be read are part of it.
    """
    organization = read([entry(MANAGEMENT), entry(MEMBER, State=state)])

    assert organization.accounts[1].state == state


def test_state_is_read_and_not_the_status_it_replaced():
    """
    AWS said Status ends in September 2026: where both are there, State decides.
    """
    organization = read([entry(MANAGEMENT), entry(MEMBER, State="CLOSED", Status="ACTIVE")])

    assert organization.accounts[1].state == "CLOSED"


@pytest.mark.parametrize("state", [{"State": None}, {"State": ""}])
def test_status_stands_in_where_there_is_no_state(state):
    """
    An older boto3 knows no State; its Status is as good.
    """
    organization = read([entry(MANAGEMENT), entry(MEMBER, Status="SUSPENDED", **state)])

    assert organization.accounts[1].state == "SUSPENDED"


def test_names_are_kept_as_they_are():
    """
    An account's name is data: nothing is trimmed, quoted or left out.
    """
    name = "=HYPERLINK(1)\n<b>'\x1b[31m"

    organization = read([entry(MANAGEMENT, Name=name)])

    assert organization.accounts[0].name == name


def test_the_path_comes_from_the_list_itself():
    """
    ListAccounts gives Paths; the OU names come from the units.
    """
    path = f"o-a1b2c3d4e5/{'/'.join(PRODUCTION)}/{MANAGEMENT}/"

    (listed,) = read([entry(MANAGEMENT, Paths=[path])]).accounts

    assert listed.ou_ids == PRODUCTION
    assert listed.ou_names == ("Root", "Workloads", "Production")
    assert listed.ou_path == "Workloads/Production"


@pytest.mark.parametrize("paths", [{}, {"Paths": []}, {"Paths": None}])
def test_without_paths_the_tree_says_where_an_account_is(paths):
    """
    A tree walk gives the same ids from the root down.
    """
    units = UNITS | {"accounts": {"ou-ab12-products": [MANAGEMENT]}}

    (listed,) = read([entry(MANAGEMENT, **paths)], units=units).accounts

    assert listed.ou_ids == PRODUCTION


def test_an_ou_whose_name_is_not_known_is_shown_by_its_id():
    """
    A name that could not be read is no reason to lose the place.
    """
    path = f"o-a1b2c3d4e5/r-ab12/ou-ab12-unknown1/{MANAGEMENT}/"

    (listed,) = read([entry(MANAGEMENT, Paths=[path])]).accounts

    assert listed.ou_names == ("Root", "ou-ab12-unknown1")


def test_an_account_in_no_ou_shows_the_root():
    """
    Directly below the root, the root's own name is the place.
    """
    path = f"o-a1b2c3d4e5/r-ab12/{MANAGEMENT}/"

    (listed,) = read([entry(MANAGEMENT, Paths=[path])]).accounts

    assert listed.ou_path == "Root"


def test_an_account_whose_place_is_not_known_has_none():
    """
    Without Paths and without a tree walk the path is empty, and not made up.
    """
    (listed,) = read([entry(MANAGEMENT)]).accounts

    assert (listed.ou_ids, listed.ou_path) == ((), "")


def test_units_in_a_circle_end():
    """
    A damaged file in which two OUs contain each other does not go on for ever.
    """
    ring = {"ou-1": [{"Id": "ou-2"}], "ou-2": [{"Id": "ou-1"}]}

    (listed,) = read(
        [entry(MANAGEMENT)], units={"children": ring, "accounts": {"ou-1": [MANAGEMENT]}}
    ).accounts

    assert len(listed.ou_ids) == 10


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("o-1/r-1/ou-1/012345678901/", ("r-1", "ou-1")),
        ("o-1/r-1/012345678901/", ("r-1",)),
        ("o-1/r-1/ou-1/012345678901", ("r-1", "ou-1")),
        ("", ()),
    ],
)
def test_a_path_is_split_into_the_ids_above_the_account(path, ids):
    """
    The organization and the account itself are not places.
    """
    assert split_path(path) == ids


# What is refused


@pytest.mark.parametrize(
    "pages", [[], [[]], [[], []], [[entry(MEMBER)]], [[entry("999999999999"), entry(MEMBER)]]]
)
def test_a_list_without_the_management_account_is_refused(pages):
    """
    Every organization has its management account: a list without it is not whole, an empty one least.
    """
    with pytest.raises(DiscoveryError, match=f"management account {MANAGEMENT}"):
        read(*pages)


def test_a_list_without_the_caller_s_own_account_is_refused():
    """
    Whoever asks belongs to the organization, so a list without them is another's or is not whole.
    """
    caller = {"Account": MEMBER, "Arn": f"arn:aws:iam::{MEMBER}:user/auditor"}

    with pytest.raises(DiscoveryError, match=f"the caller's own account {MEMBER}"):
        read([entry(MANAGEMENT)], caller=caller)


@pytest.mark.parametrize(
    "states", [{"State": None}, {"State": ""}, {"State": None, "Status": None}, {"Status": ""}]
)
def test_an_account_without_state_and_status_is_refused(states):
    """
    Taking it for inactive would drop it, and for active guess: nobody can say which it is.
    """
    with pytest.raises(DiscoveryError, match=f"account {MEMBER}: .* neither State nor Status"):
        read([entry(MANAGEMENT), {"Id": MEMBER, "Name": "x"} | states])


@pytest.mark.parametrize(
    "name",
    ["", "12345678901", "0123456789012", "o-a1b2c3d4e5", "../../../etc", "\u066012345678901"],
)
def test_what_is_no_account_id_is_refused(name):
    """
    Account ids name folders: twelve ASCII digits or nothing.
    """
    with pytest.raises(DiscoveryError, match="not an id of twelve digits"):
        read([entry(MANAGEMENT), entry(name or "x", Id=name)])


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"Organization": None},
        {"Organization": {}},
        {"Organization": {"Id": "o-a1b2c3d4e5"}},
        {"Organization": {"Id": "o-a1b2c3d4e5", "MasterAccountId": "17"}},
        {"Organization": {"Id": "../o", "MasterAccountId": MANAGEMENT}},
        {"Organization": {"Id": "", "MasterAccountId": MANAGEMENT}},
        {"Organization": {"Id": "o-1\n", "MasterAccountId": MANAGEMENT}},
    ],
)
def test_what_describes_no_organization_is_refused(described):
    """
    The organization's id names a folder and its management account must be known.
    """
    with pytest.raises(DiscoveryError, match="named no organization"):
        read([entry(MANAGEMENT)], described=described)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Account": MANAGEMENT},
        {"Arn": f"arn:aws:iam::{MANAGEMENT}:root"},
        {"Account": 17, "Arn": f"arn:aws:iam::{MANAGEMENT}:root"},
        {"Account": "17", "Arn": f"arn:aws:iam::{MANAGEMENT}:root"},
        {"Account": MANAGEMENT, "Arn": ""},
        {"Account": MANAGEMENT, "Arn": "root"},
        {"Account": MANAGEMENT, "Arn": "arn:aws:s3:::bucket"},
        {"Account": MANAGEMENT, "Arn": "arn::iam::000000000017:root"},
        {"Account": MANAGEMENT, "Arn": None},
    ],
)
def test_what_names_no_caller_is_refused(answer):
    """
    A proxy's answer to sts:GetCallerIdentity names nobody, and is refused with a hint at the endpoint.
    """
    with pytest.raises(DiscoveryError, match="check the endpoint"):
        read_caller(answer)


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_the_partition_is_the_caller_s(partition):
    """
    The partition is read from the caller's ARN, never assumed.
    """
    caller = read_caller({"Account": MEMBER, "Arn": f"arn:{partition}:iam::{MEMBER}:user/a"})

    assert caller.partition == partition


@pytest.mark.parametrize(
    "name", ["caller.json", "organization.json", "accounts.json", "organizational-units.json"]
)
@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b"\xff"])
def test_a_stored_answer_that_is_not_json_is_refused_by_name(name, content):
    """
    The stored answers are untrusted: one that is damaged is named.
    """
    answers = {
        "caller.json": json.dumps(CALLER).encode(),
        "organization.json": json.dumps(DESCRIBED).encode(),
        "accounts.json": json.dumps({"pages": [{"Accounts": [entry(MANAGEMENT)]}]}).encode(),
        "organizational-units.json": json.dumps(UNITS).encode(),
    }
    assert len(read_answers(answers).accounts) == 1

    with pytest.raises(EvidenceError, match=f"raw/{name}: is not JSON"):
        read_answers(answers | {name: content})


# What else is known


def write_tags(tags):
    return json.dumps({"tags": tags}).encode()


def test_tags_are_read_as_they_are():
    """
    Key and value by account, letter by letter; an account without tags has none.
    """
    listed = [
        {"Key": "pci", "Value": "yes"},
        {"Key": " Pci", "Value": ""},
        {"Key": "\u202e", "Value": "=1"},
    ]

    tags = read_tags(write_tags({MEMBER: listed, MANAGEMENT: []}))

    assert tags == {MEMBER: {"pci": "yes", " Pci": "", "\u202e": "=1"}, MANAGEMENT: {}}


def test_half_a_character_in_a_tag_is_mended():
    """
    JSON can carry half a surrogate pair, and tables cannot.
    """
    content = b'{"tags": {"012345678901": [{"Key": "a\\ud800", "Value": "\\udc00b"}]}}'

    assert read_tags(content) == {MEMBER: {"a\ufffd": "\ufffdb"}}


@pytest.mark.parametrize(
    "tags", [[], "x", 7, {MEMBER: None}, {MEMBER: {}}, {MEMBER: ["pci"]}, {MEMBER: [None]}]
)
def test_tags_of_another_shape_are_refused(tags):
    """
    A scope rests on them: damage is no account without tags.
    """
    with pytest.raises(DiscoveryError, match="is damaged"):
        read_tags(write_tags(tags))


@pytest.mark.parametrize("read_file", [read_tags, read_central_root])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_stored_answer_that_is_no_object_is_refused(read_file, content):
    """
    These answers are evidence too, and the message names the file.
    """
    with pytest.raises(EvidenceError, match=r"raw/(account-tags|organization-features)\.json"):
        read_file(content)


@pytest.mark.parametrize(
    ("answer", "managed"),
    [
        ({"answer": {"EnabledFeatures": ["RootCredentialsManagement"]}}, True),
        ({"answer": {"EnabledFeatures": ["RootSessions", "RootCredentialsManagement"]}}, True),
        ({"answer": {"EnabledFeatures": ["RootSessions"]}}, False),
        ({"answer": {"EnabledFeatures": []}}, False),
        ({"answer": {"EnabledFeatures": "RootCredentialsManagement"}}, None),
        ({"answer": {"EnabledFeatures": None}}, None),
        ({"answer": {}}, None),
        ({"answer": []}, None),
        ({"error": {"code": "AccessDenied"}}, None),
        ({}, None),
    ],
)
def test_central_root_is_known_only_where_aws_says_so(answer, managed):
    """
    Managed, not managed, and nobody knows are three things.
    """
    assert read_central_root(json.dumps(answer).encode()) is managed


# Which accounts are looked at

ORGANIZATION = Organization(
    "o-a1b2c3d4e5",
    AccountId(MANAGEMENT),
    Caller(AccountId(MANAGEMENT), str(CALLER["Arn"])),
    (account(MANAGEMENT, ou_ids=("r-ab12",)), account(MEMBER)),
)


def select(*accounts, ous=(), exclude=()):
    return Selection(
        tuple(AccountId(name) for name in accounts),
        tuple(ous),
        tuple(Exclusion(AccountId(name), "ticket SEC-1") for name in exclude),
    )


@pytest.mark.parametrize(
    "selection",
    [
        select(),
        select(MEMBER),
        select(MEMBER, "999999999999"),
        select(ous=["ou-ab12-products"]),
        select(ous=["ou-ab12-workload"]),
        select(ous=["r-ab12"]),
        select("999999999999", ous=["r-ab12"]),
        select(exclude=["999999999999"]),
    ],
)
def test_an_account_is_looked_at(selection):
    """
    Named, or in an OU that is named or lies below one, or with nothing selected at all.
    """
    assert leave_out(account(), selection) is None


@pytest.mark.parametrize(
    "selection",
    [
        select("999999999999"),
        select(ous=["ou-ab12-elsewhere"]),
        select("999999999999", ous=["ou-ab12-elsewhere"]),
        select(ous=["ou-ab12"]),
    ],
)
def test_an_account_outside_the_selection_is_excluded(selection):
    """
    What was not asked for is listed as excluded, with words that say so.
    """
    left = leave_out(account(), selection)

    assert left is not None
    assert left.reason_code is ReasonCode.EXCLUDED
    assert left.outcome is AccountOutcome.EXCLUDED
    assert left.reason.startswith(f"account {MEMBER} (payments): outside the accounts and OUs")


@pytest.mark.parametrize(
    "selection",
    [select(exclude=[MEMBER]), select(MEMBER, ous=["r-ab12"], exclude=[MEMBER])],
)
def test_an_exclusion_wins_and_gives_its_reason(selection):
    """
    An account left out on purpose is left out even where it is selected, with the operator's reason.
    """
    left = leave_out(account(), selection)

    assert left is not None
    assert left.outcome is AccountOutcome.EXCLUDED
    assert "excluded by the settings: ticket SEC-1" in left.reason


@pytest.mark.parametrize("state", ["SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION", "CLOSED"])
@pytest.mark.parametrize("selection", [select(), select(MEMBER), select(exclude=[MEMBER])])
def test_an_account_that_is_not_active_is_said_to_be_so_first(state, selection):
    """
    Whatever was selected, an account that AWS lets nobody read counts as not active.
    """
    left = leave_out(account(state=state), selection)

    assert left is not None
    assert left.outcome is AccountOutcome.NOT_ACTIVE
    assert state in left.reason


@pytest.mark.parametrize("state", ["ACTIVE", "active", "RESTRICTED"])
def test_an_account_in_a_state_nobody_knows_is_tried(state):
    """
    A state that AWS invents later does not leave an account out: trying shows whether it can be read.
    """
    assert leave_out(account(state=state), select()) is None


@pytest.mark.parametrize(
    "selection", [select(), select(MEMBER), select(ous=["r-ab12"]), select(exclude=[MANAGEMENT])]
)
def test_a_selection_that_names_what_exists_is_taken(selection):
    """
    Accounts, OUs and the root may be named.
    """
    check_selection(ORGANIZATION, selection)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (select("999999999999"), "no account 999999999999"),
        (select(MEMBER, "999999999999"), "no account 999999999999"),
        (select(exclude=["999999999999"]), "no account 999999999999"),
        (select(ous=["ou-ab12-elsewhere"]), "no OU ou-ab12-elsewhere"),
        (
            select("888888888888", ous=["ou-x"], exclude=["999999999999"]),
            "no account 888888888888, no account 999999999999, no OU ou-x",
        ),
    ],
)
def test_a_selection_that_names_what_does_not_exist_is_refused(selection, words):
    """
    A misspelt exclusion would leave out nothing and a misspelt OU everything, both in silence.
    """
    with pytest.raises(SettingsError, match=words):
        check_selection(ORGANIZATION, selection)


@pytest.mark.parametrize(
    ("selection", "full"),
    [
        (select(), True),
        (select(exclude=[MEMBER]), True),
        (select(MEMBER), False),
        (select(ous=["r-ab12"]), False),
    ],
)
def test_a_selection_is_full_when_only_named_accounts_are_left_out(selection, full):
    """
    Exclusions by name leave a selection full; anything else makes it partial.
    """
    assert selection.is_full is full


def test_an_account_s_name_makes_no_second_line():
    """
    Names come from the people being audited: in a message they stay on one line.
    """
    named = replace(account(), name="a\nb\u202ec\x1b[0m")

    assert str(named) == f"{MEMBER} (a\ufffdb\ufffdc\ufffd[0m)"
    assert str(replace(account(), name="")) == MEMBER
