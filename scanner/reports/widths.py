"""
How wide the columns of a workbook are, in characters.
"""

from collections.abc import Mapping

WIDTHS: Mapping[str, float] = {
    "account_id": 16.0,
    "account_name": 26.0,
    "acceptance": 22.0,
    "acceptance_note": 46.0,
    "arn": 52.0,
    "assignee": 22.0,
    "check": 30.0,
    "closed": 21.0,
    "confirmation": 19.0,
    "confirmation_note": 30.0,
    "console": 46.0,
    "control_id": 13.0,
    "controls": 46.0,
    "email": 30.0,
    "finding_id": 27.0,
    "framework": 17.0,
    "first_seen": 21.0,
    "generated_time": 21.0,
    "last_seen": 21.0,
    "name": 26.0,
    "note": 60.0,
    "observation": 58.0,
    "opened": 21.0,
    "other_editions": 30.0,
    "ou_ids": 30.0,
    "ou_path": 30.0,
    "population": 50.0,
    "reason": 80.0,
    "reason_code": 19.0,
    "report_sha256": 30.0,
    "status": 14.0,
    "title": 56.0,
    "user": 28.0,
    "user_creation_time": 21.0,
    "why": 60.0,
    **dict.fromkeys(
        (
            "access_key_1_last_rotated",
            "access_key_1_last_used_date",
            "access_key_2_last_rotated",
            "access_key_2_last_used_date",
            "cert_1_last_rotated",
            "cert_2_last_rotated",
            "password_last_changed",
            "password_last_used",
            "password_next_rotation",
        ),
        21.0,
    ),
}

ACCEPTANCE_WIDTHS: Mapping[str, float] = {
    "account": 16.0,
    "approver": 24.0,
    "id": 24.0,
    "kind": 22.0,
    "owner": 24.0,
    "reason": 60.0,
    "ticket": 16.0,
    "warnings": 60.0,
}
