"""
The front door: a request comes in, is authenticated, meets its faults, and gets its answer.
"""

import random
import threading
from collections import Counter
from collections.abc import Mapping

from scanner.simulator.calls import Call, read_call
from scanner.simulator.estate import Estate
from scanner.simulator.faults import FaultDesk
from scanner.simulator.iam import IdentityService
from scanner.simulator.kinds import ASSUME, LIST, FaultKind, Stage
from scanner.simulator.organizations import OrganizationsService, page_number
from scanner.simulator.quotas import TokenBucket
from scanner.simulator.refusals import Refused, deny, refuse
from scanner.simulator.sessions import Principal, SessionRegistry
from scanner.simulator.sigv4 import check_signature, read_signature
from scanner.simulator.spoiling import spoil_content, spoil_delivery, spoil_listing
from scanner.simulator.sts import TokenService, read_role_arn
from scanner.simulator.wire import (
    HttpRequest,
    Reply,
    Service,
    ServiceError,
    write_answer,
    write_error,
)

_NO_PERMISSION_NEEDED = "sts:GetCallerIdentity"


class Gateway:
    """
    Answers requests to all three services. `lock` keeps its callers apart.

    `requests` counts the requests that passed authentication, by operation.
    """

    def __init__(
        self,
        estate: Estate,
        sessions: SessionRegistry,
        desk: FaultDesk,
        quotas: Mapping[str, TokenBucket],
    ) -> None:
        world = estate.world
        self._world = world
        self._clock = estate.clock
        self._sessions = sessions
        self._desk = desk
        self._quotas = quotas
        self._iam = IdentityService(estate)
        self._tokens = TokenService(world, sessions)
        self._services: dict[Service, IdentityService | TokenService | OrganizationsService] = {
            Service.IAM: self._iam,
            Service.STS: self._tokens,
            Service.ORGANIZATIONS: OrganizationsService(world, estate.clock),
        }
        self._ids = random.Random(world.seed)
        self.lock = threading.Lock()
        self.requests: Counter[str] = Counter()

    def answer(self, request: HttpRequest) -> Reply:
        """
        Answer a request. Refusals are answers too.
        """
        with self.lock:
            request_id = self._make_request_id()
            # Without a readable signature only the protocol tells which service was meant.
            service = Service.ORGANIZATIONS if "x-amz-target" in request.headers else Service.STS
            try:
                call = self._admit(request)
                service = call.service
                return self._serve(call, request, request_id)
            except ServiceError as error:
                return write_error(service, error, request_id)

    def _admit(self, request: HttpRequest) -> Call:
        signature = read_signature(request.headers)
        token = request.headers.get("x-amz-security-token")
        principal = self._sessions.find(signature.access_key, token)
        secret = principal.credentials.secret_key
        check_signature(request, signature, secret, self._clock.signing_time())
        call = read_call(request, signature.service, principal)
        self.requests[call.operation] += 1
        self._check_expiry(principal)
        if call.name not in self._services[call.service].operations:
            raise ServiceError("InvalidAction", f"Could not find operation {call.name}", 400)
        return call

    def _check_expiry(self, principal: Principal) -> None:
        principal.calls += 1
        is_over = principal.expires is not None and self._clock.now() >= principal.expires
        if is_over or self._desk.is_ended(principal):
            raise ServiceError(
                "ExpiredToken", "The security token included in the request is expired", 403
            )

    def _serve(self, call: Call, request: HttpRequest, request_id: str) -> Reply:
        # A call into another account meets that account's faults; any other its own account's.
        is_entry = call.operation == ASSUME
        account_id = read_role_arn(call)[0] if is_entry else call.principal.account_id
        try:
            self._check_quota(call)
            self._check_faults(call, account_id, request)
            self._check_session_policy(call)
            result = self._services[call.service].answer(call)
            reply = write_answer(
                call.service, call.name, self._spoil(call, account_id, result), request_id
            )
        except ServiceError as error:
            reply = write_error(call.service, error, request_id)
        for fault in self._desk.due(Stage.DELIVERY, account_id, call.operation):
            reply = spoil_delivery(fault, reply)
        return reply

    def _spoil(self, call: Call, account_id: str, result: bytes) -> bytes:
        for fault in self._desk.due(Stage.CONTENT, account_id, call.operation):
            if fault.kind is FaultKind.FOREIGN_SESSION:
                result = self._tokens.mix_up(call, result)
                continue
            others = (other for other in self._world.by_id if other != account_id)
            result = spoil_content(fault, result, foreign_id=next(others, "000000000000"))
        for fault in self._desk.due(Stage.LISTING, account_id, call.operation):
            result = spoil_listing(fault, result)
        return result

    def _check_quota(self, call: Call) -> None:
        quota = self._quotas.get(call.operation)
        if quota is None or quota.take():
            return
        if call.operation == ASSUME:
            raise ServiceError("Throttling", "Rate exceeded", 400)
        raise ServiceError(
            "Throttling",
            "You have sent too many requests in too short a period of time.",
            400,
            {"Type": "RATE_LIMIT"},
        )

    def _check_faults(self, call: Call, account_id: str, request: HttpRequest) -> None:
        page = page_number(call) if call.operation == LIST else None
        for fault in self._desk.due(Stage.REFUSAL, account_id, call.operation, page):
            # Service control policies never apply to the management account.
            is_exempt = account_id == self._world.management_id
            if fault.kind is not FaultKind.SCP_DENIED or not is_exempt:
                stamp = request.headers.get("x-amz-date", "")
                raise refuse(fault.kind, self._describe(call, stamp))

    def _check_session_policy(self, call: Call) -> None:
        policy = call.principal.policy
        if policy is None or call.operation == _NO_PERMISSION_NEEDED:
            return
        described = self._describe(call, "")
        if not policy.allows(call.operation, described.resource):
            raise deny(described, f"because no session policy allows the {call.operation} action")

    def _describe(self, call: Call, stamp: str) -> Refused:
        resource = "*"
        if call.service is Service.IAM:
            resource = self._iam.resource_of(call)
        elif call.operation == ASSUME:
            resource = call.text("RoleArn")
        return Refused(
            caller=call.principal.arn,
            operation=call.operation,
            resource=resource,
            stamp=stamp,
            organization=self._world.organization_id,
            management=self._world.management_id,
        )

    def _make_request_id(self) -> str:
        digits = f"{self._ids.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
