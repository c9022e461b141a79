"""
STS: who is calling, and whether it may enter another account.
"""

import re

from scanner.simulator.calls import Call
from scanner.simulator.policies import parse_policy
from scanner.simulator.report import format_time
from scanner.simulator.sessions import Principal, SessionRegistry
from scanner.simulator.wire import ServiceError, write_elements
from scanner.simulator.world import ACTIVE, READER_ROLE, World

MAX_ROLE_SESSION = 3600
"""
The default of a role's MaxSessionDuration, and the limit of role chaining, in seconds.
"""

_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/([\w+=,.@/-]{1,576})", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


class TokenService:
    """
    Answers STS calls. `operations` names those simulated.
    """

    operations = frozenset({"GetCallerIdentity", "AssumeRole"})

    def __init__(self, world: World, sessions: SessionRegistry) -> None:
        self._world = world
        self._sessions = sessions

    def answer(self, call: Call) -> bytes:
        """
        Return the result's XML, or raise `ServiceError`.
        """
        if call.name == "GetCallerIdentity":
            return _describe(call.principal)
        return self._assume_role(call)

    def _assume_role(self, call: Call) -> bytes:
        account_id, role = read_role_arn(call)
        name = call.text("RoleSessionName")
        if not _SESSION_NAME.fullmatch(name):
            raise _invalid(
                "roleSessionName", name, r"satisfy regular expression pattern: [\w+=,.@-]*"
            )
        if any(parameter.startswith("PolicyArns.") for parameter in call.parameters):
            # A managed policy that was ignored would leave a session more rights than AWS gives it.
            raise ServiceError("ValidationError", "PolicyArns are not simulated", 400)
        policy = parse_policy(call.text("Policy")) if "Policy" in call.parameters else None
        seconds = _read_duration(call)
        if not self._may_enter(account_id, role, call):
            # AWS does not say whether the role is missing, trusts another, or asks an external id.
            raise ServiceError(
                "AccessDenied",
                f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: "
                f"{call.text('RoleArn')}",
                403,
            )
        _check_duration(seconds, call.principal)
        session = self._sessions.open_session(
            account_id=account_id,
            role=role,
            session_name=name,
            seconds=seconds,
            policy=policy,
        )
        return _describe_session(session)

    def mix_up(self, call: Call, result: bytes) -> bytes:
        """
        Return an answer to AssumeRole whose credentials open the management account, and whose words stay.
        """
        session = self._sessions.open_session(
            account_id=self._world.management_id,
            role=read_role_arn(call)[1],
            session_name=call.text("RoleSessionName"),
            seconds=_read_duration(call),
            policy=parse_policy(call.text("Policy")) if "Policy" in call.parameters else None,
        )
        mark = b"<Credentials>"
        return result.partition(mark)[0] + mark + _describe_session(session).partition(mark)[2]

    def _may_enter(self, account_id: str, role: str, call: Call) -> bool:
        account = self._world.by_id.get(account_id)
        if account is None or account.state != ACTIVE or role not in account.roles:
            return False
        if not account.trusts_callers or call.principal.account_id not in self._world.callers:
            return False
        asked = self._world.external_id if role == READER_ROLE else None
        return asked is None or call.text("ExternalId") == asked


def read_role_arn(call: Call) -> tuple[str, str]:
    """
    Return the account and the name of the role to assume, or raise `ServiceError`.
    """
    arn = call.text("RoleArn")
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise ServiceError("ValidationError", f"{arn} is invalid", 400)
    return match[1], match[2]


def _read_duration(call: Call) -> int:
    external_id = call.parameters.get("ExternalId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        pattern = r"satisfy regular expression pattern: [\w+=,.@:\/-]*"
        raise _invalid("externalId", external_id, pattern)
    text = call.text("DurationSeconds") or "3600"
    seconds = int(text) if text.isdecimal() else 0
    if seconds < 900:
        raise _invalid("durationSeconds", text, "have value greater than or equal to 900")
    if seconds > 43200:
        raise _invalid("durationSeconds", text, "have value less than or equal to 43200")
    return seconds


def _check_duration(seconds: int, principal: Principal) -> None:
    if seconds <= MAX_ROLE_SESSION:
        return
    if principal.is_session:
        message = (
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining"
        )
    else:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    raise ServiceError("ValidationError", message, 400)


def _describe(principal: Principal) -> bytes:
    return write_elements(
        UserId=principal.unique_id, Account=principal.account_id, Arn=principal.arn
    ).encode()


def _describe_session(session: Principal) -> bytes:
    if session.expires is None or session.credentials.token is None:
        raise ValueError("a role session has a token and an end")
    credentials = write_elements(
        AccessKeyId=session.credentials.access_key,
        SecretAccessKey=session.credentials.secret_key,
        SessionToken=session.credentials.token,
        Expiration=format_time(session.expires),
    )
    role = write_elements(AssumedRoleId=session.unique_id, Arn=session.arn)
    return (
        f"<AssumedRoleUser>{role}</AssumedRoleUser><Credentials>{credentials}</Credentials>"
    ).encode()


def _invalid(member: str, value: str, constraint: str) -> ServiceError:
    return ServiceError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {constraint}",
        400,
    )
