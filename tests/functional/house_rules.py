"""
A company's own catalog, as its author might write it: one control that is tested, and one that is not.
"""

HOUSE_RULES = """\
format: 1
id: house-rules-2026
name: House rules
version: "2026"
published: 2026-01-15
status: In force.
scope:
  of: every account
  must_be_declared: false
  because: The rules bind the whole company.
wording:
  pass: Kept
  fail: Broken
  needs-review: To look at
  unknown: Not known
  not-applicable: Not about us
  not-tested: Not looked at
controls:
  - id: H-1
    title: Fresh passwords
    requirement: Nobody keeps a password for more than a day without MFA.
    rationale: The report says when each password was changed.
    cannot_show:
      - How good a password is
    sources:
      - House rules, page 1
    checks:
      - check: single-factor-password-age
        relation: direct
        parameters: {days: 1}
        because: It is what the rule asks.
  - id: H-2
    title: Locked doors
    requirement: Doors are locked.
    rationale: Nothing in a report shows a door.
    cannot_show:
      - Doors
    sources:
      - House rules, page 2
    not_tested: A credential report has no doors.
    checks: []
"""
