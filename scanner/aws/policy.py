"""
The session policy: what our sessions may do, whatever the role allows.

The rights of a session are the role's rights cut down to these, so that even an administrator role is
read-only in our hands (STS API reference, AssumeRole, Policy).
"""

import json

READS = (
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:GetAccountSummary",
    "iam:ListUsers",
    "iam:ListMFADevices",
    "iam:GetLoginProfile",
    "iam:ListUserTags",
)
"""
Every call made in an account.
"""

NEEDED = READS[:2]
"""
The calls without which there is no report. The others confirm and cross-check.
"""

SESSION_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(READS), "Resource": "*"}],
    },
    separators=(",", ":"),
)
