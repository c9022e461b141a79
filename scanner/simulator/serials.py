"""
The serial numbers of MFA devices, whose form tells the kind of device.
"""

import base64
import hashlib

from scanner.simulator.world import MfaDevice, MfaKind


def make_serial(device: MfaDevice, number: int, account_id: str, user: str) -> str:
    """
    Make up the serial of a user's device. The same input gives the same serial.
    """
    digest = hashlib.sha256(f"{account_id} {user} {number}".encode()).digest()
    suffix = f"-{number + 1}" if number else ""
    match device.kind:
        case MfaKind.VIRTUAL:
            return f"arn:aws:iam::{account_id}:mfa/{user}{suffix}"
        case MfaKind.SECURITY_KEY:
            label = base64.b32encode(digest[:17]).decode()[:26]
            return f"arn:aws:iam::{account_id}:u2f/user/{user}/key{number + 1}-{label}"
        case MfaKind.HARDWARE:
            return f"GAHT{int.from_bytes(digest[:4]) % 10**8:08d}"
