import pytest

from scanner.errors import SettingsError
from scanner.model import (
    Account,
    AccountId,
    Caller,
    Organization,
    ScopeRule,
)
from scanner.scopes import resolve_scopes

MANAGEMENT, SHOP, BANK, LAB, CLOSED = (
    AccountId(digits * 12) for digits in ("0", "1", "2", "3", "4")
)
ROOT, WORK, CARDS, PLAY = "r-ab12", "ou-ab12-workload", "ou-ab12-cards123", "ou-ab12-play1234"
PLACES = {
    MANAGEMENT: (ROOT,),
    SHOP: (ROOT, WORK, CARDS),
    BANK: (ROOT, WORK),
    LAB: (ROOT, PLAY),
    CLOSED: (ROOT, PLAY),
}
ORGANIZATION = Organization(
    "o-a1b2c3d4e5",
    MANAGEMENT,
    Caller(MANAGEMENT, f"arn:aws:iam::{MANAGEMENT}:user/a"),
    tuple(
        Account(account_id, "", "", "SUSPENDED" if account_id == CLOSED else "ACTIVE", units, units)
        for account_id, units in PLACES.items()
    ),
)
TAGS = {
    SHOP: {"pci": "yes", "stage": "prod"},
    BANK: {"pci": "no", "stage": "prod"},
    LAB: {"PCI": "yes", "stage": "test"},
    MANAGEMENT: {},
}
PCI, ISO = "pci-dss-4.0.1", "iso-27001-2022"


def resolve(*rules, frameworks=(PCI,), tags=TAGS):
    return resolve_scopes(frameworks, rules, ORGANIZATION, tags)


def refuse(*rules, frameworks=(PCI, ISO), tags=TAGS):
    """
    Resolve scopes that must be refused, and return the lines of the message.
    """
    with pytest.raises(SettingsError) as caught:
        resolve(*rules, frameworks=frameworks, tags=tags)
    return str(caught.value).splitlines()


# What is in scope


@pytest.mark.parametrize(
    ("rule", "accounts"),
    [
        ({"accounts": (SHOP,)}, {SHOP}),
        ({"accounts": (SHOP, LAB)}, {SHOP, LAB}),
        ({"accounts": (CLOSED,)}, {CLOSED}),
        ({"ous": (CARDS,)}, {SHOP}),
        ({"ous": (WORK,)}, {SHOP, BANK}),
        ({"ous": (CARDS, PLAY)}, {SHOP, LAB, CLOSED}),
        ({"ous": (ROOT,)}, set(PLACES)),
        ({"tags": (("pci", "yes"),)}, {SHOP}),
        ({"tags": (("stage", "prod"),)}, {SHOP, BANK}),
        ({"tags": (("pci", "yes"), ("pci", "no"))}, {SHOP, BANK}),
        ({"tags": (("pci", "yes"), ("stage", "test"))}, {SHOP, LAB}),
        ({"accounts": (LAB,), "ous": (CARDS,), "tags": (("pci", "no"),)}, {SHOP, BANK, LAB}),
        ({"accounts": (SHOP,), "ous": (WORK,), "tags": (("pci", "yes"),)}, {SHOP, BANK}),
    ],
)
def test_a_scope_holds_what_is_named_and_nothing_else(rule, accounts):
    """
    By id, by OU with all that lies below it, by tag: an account in any of them is in scope, each once.
    """
    (scope,) = resolve(ScopeRule(PCI, **rule))

    assert scope.is_declared
    assert {account_id for account_id in PLACES if scope.holds(account_id)} == accounts


def test_everything_holds_every_account():
    """
    Whoever declares everything has declared a scope, and every account is in it, one unheard of too.
    """
    (scope,) = resolve(ScopeRule(PCI, everything=True))

    assert (scope.is_declared, scope.accounts, scope.words) == (True, None, "every account")
    assert scope.holds(SHOP)
    assert scope.holds(AccountId("999999999999"))


def test_a_scope_that_nobody_declared_holds_every_account_and_says_so():
    """
    Nothing is left out because nobody has decided yet.
    """
    (scope,) = resolve()

    assert scope.is_declared is False
    assert scope.holds(SHOP)
    assert scope.words == "not declared; every account is taken to be in scope"


def test_a_scope_is_put_into_words():
    """
    The document says what was declared, as it was declared.
    """
    rule = ScopeRule(PCI, accounts=(SHOP, LAB), ous=(WORK,), tags=(("pci", "yes"),))

    (scope,) = resolve(rule)

    assert scope.words == (f"accounts {SHOP}, {LAB}; OUs and below {WORK}; accounts tagged pci=yes")


def test_one_framework_s_scope_is_not_another_s():
    """
    Scopes come in the order of the frameworks, each from its own rule.
    """
    scopes = resolve(ScopeRule(ISO, accounts=(LAB,)), frameworks=(PCI, ISO))

    assert [(scope.framework, scope.is_declared) for scope in scopes] == [(PCI, False), (ISO, True)]
    assert [scope.holds(SHOP) for scope in scopes] == [True, False]


# What is refused


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"accounts": (AccountId("999999999999"),)}, "no account 999999999999"),
        ({"accounts": (SHOP, AccountId("999999999999"))}, "no account 999999999999"),
        ({"ous": ("ou-ab12-elsewhere",)}, "no OU ou-ab12-elsewhere"),
        ({"ous": ("ou-ab12-cards12",)}, "no OU ou-ab12-cards12"),
        ({"ous": (CARDS.upper(),)}, f"no OU {CARDS.upper()}"),
        ({"tags": (("pci", "maybe"),)}, "no account with the tag pci=maybe"),
        ({"tags": (("pci", "YES"),)}, "no account with the tag pci=YES"),
        ({"tags": (("Stage", "prod"),)}, "no account with the tag Stage=prod"),
        ({"tags": (("stage", "yes"),)}, "no account with the tag stage=yes"),
        ({"tags": (("yes", "pci"),)}, "no account with the tag yes=pci"),
    ],
)
def test_a_scope_that_names_what_there_is_not_is_refused(rule, words):
    """
    A slip would leave an account out of every document in silence; tags are compared letter by letter.
    """
    (line,) = refuse(ScopeRule(PCI, **rule))

    assert line.startswith(f"scope of {PCI}: organization o-a1b2c3d4e5 has {words}")


def test_everything_that_there_is_not_is_named_at_once():
    """
    Accounts, OUs and tags, of every framework in use: one message names them all.
    """
    first = ScopeRule(
        PCI,
        accounts=(AccountId("999999999999"), SHOP, AccountId("888888888888")),
        ous=("ou-x", WORK),
        tags=(("pci", "maybe"), ("pci", "yes")),
    )
    second = ScopeRule(ISO, ous=("ou-y",))

    lines = refuse(first, second)

    assert [line.partition(" has no ")[2].partition(" (")[0] for line in lines] == [
        "account 999999999999",
        "account 888888888888",
        "OU ou-x",
        "account with the tag pci=maybe",
        "OU ou-y",
    ]
    assert [PCI in line for line in lines] == [True] * 4 + [False]


def test_a_tag_is_not_there_where_no_tags_were_asked_for():
    """
    Without the accounts' tags a scope by tag cannot be told, and is no empty one.
    """
    (line,) = refuse(ScopeRule(PCI, tags=(("pci", "yes"),)), tags={})

    assert "no account with the tag pci=yes" in line


def test_a_scope_of_a_framework_that_is_not_in_use_is_checked_all_the_same():
    """
    Settings may hold scopes for more frameworks than a run is judged by; one may be used later.
    """
    (scope,) = resolve(ScopeRule("soc2-tsc-2017", everything=True))
    wrong = ScopeRule("soc2-tsc-2017", accounts=(AccountId("999999999999"),))

    assert scope.is_declared is False
    with pytest.raises(SettingsError, match=r"scope of soc2-tsc-2017: .* has no account 9999"):
        resolve(wrong)
