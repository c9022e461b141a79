"""
Names for made-up people, machines and teams. Any likeness to real ones is chance.
"""

import random

FIRST_NAMES = (
    "adaeze", "aiko", "amara", "anna", "beatriz", "bjorn", "camila", "chidi", "clara", "daniel",
    "deepa", "diego", "elena", "emeka", "erik", "fatima", "felix", "freya", "gabriel", "hana",
    "henrik", "ines", "ivan", "jakub", "jing", "joana", "kofi", "lars", "leila", "lucia",
    "magda", "marco", "mateo", "mei", "mina", "nadia", "nikhil", "noor", "olga", "omar",
    "pavel", "priya", "rafael", "rosa", "sanjay", "sofia", "tariq", "tomas", "ursula", "yara",
)  # fmt: skip
LAST_NAMES = (
    "abbasi", "adeyemi", "almeida", "andersen", "banerjee", "barros", "castillo", "chen", "dahl",
    "diallo", "eriksen", "farouk", "fischer", "fontaine", "garcia", "haddad", "hansen", "horvat",
    "ibrahim", "ito", "jansen", "kowalska", "kumar", "larsen", "lindgren", "lopez", "marin",
    "mbeki", "moreau", "nakamura", "novak", "okafor", "oliveira", "park", "petrov", "quispe",
    "rahman", "rossi", "sandoval", "schmidt", "silva", "tanaka", "ueda", "varga", "weber",
    "wojcik", "yilmaz", "zhang", "zielinska",
)  # fmt: skip
MACHINES = (
    "deploy-bot", "jenkins", "svc-backup", "svc-metrics", "terraform-ci", "svc-etl", "log-shipper",
    "svc-mailer", "artifact-sync", "svc-scanner", "gitlab-runner", "svc-billing-export",
    "image-builder", "svc-snapshots", "cdn-purge", "svc-dns-updater",
)  # fmt: skip
TEAMS = (
    "payments", "platform", "data", "security", "storefront", "mobile", "networking", "finance-it",
)  # fmt: skip


def draw_people(rng: random.Random, count: int) -> list[str]:
    """
    Return `count` user names of people, all different.
    """
    if count > len(FIRST_NAMES) * len(LAST_NAMES) // 2:
        return [*draw_people(rng, 1000), *(f"person{number:05d}" for number in range(count - 1000))]
    names: dict[str, None] = {}
    while len(names) < count:
        names[f"{rng.choice(FIRST_NAMES)}.{rng.choice(LAST_NAMES)}"] = None
    return list(names)


def draw_machines(rng: random.Random, count: int) -> list[str]:
    """
    Return `count` user names of machines, all different.
    """
    if count > len(MACHINES):
        numbered = (f"svc-worker-{number:03d}" for number in range(count - len(MACHINES)))
        return [*MACHINES, *numbered]
    return rng.sample(MACHINES, count)


def team_address(team: str) -> str:
    """
    Return a team's e-mail address.
    """
    return f"{team}@example.com"
