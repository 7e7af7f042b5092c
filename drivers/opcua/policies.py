"""Security policies: which are used, which a server offers, and the choice among them."""

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.crypto import security_policies as library

from drivers.opcua.options import ServerAccess
from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

_PREFIX = "http://opcfoundation.org/UA/SecurityPolicy#"
_UACP = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

POLICIES: dict[str, Any] = {
    "Aes256_Sha256_RsaPss": library.SecurityPolicyAes256Sha256RsaPss,
    "Aes128_Sha256_RsaOaep": library.SecurityPolicyAes128Sha256RsaOaep,
    "Basic256Sha256": library.SecurityPolicyBasic256Sha256,
}
"""The library's classes by the names of the specification, strongest first. Not Basic256 and Basic128Rsa15:
they rest on SHA-1 and were withdrawn in 2017."""

MIN_KEY_BITS = 2048
"""Of RSA, for all of these policies."""

_MODES = (ua.MessageSecurityMode.SignAndEncrypt, ua.MessageSecurityMode.Sign)
NONE_URI = _PREFIX + "None"


def policy_name(uri: str | None) -> str:
    """Aes256_Sha256_RsaPss and the like; the URI itself if it is of another kind."""
    return (uri or "None").removeprefix(_PREFIX)


def endpoint_name(endpoint: ua.EndpointDescription) -> str:
    """Policy and mode as people write them."""
    name, mode = policy_name(endpoint.SecurityPolicyUri), endpoint.SecurityMode
    return "None" if mode is ua.MessageSecurityMode.None_ else f"{name} {mode.name}"


def usable(endpoints: Sequence[ua.EndpointDescription]) -> list[ua.EndpointDescription]:
    """Those over opc.tcp, strongest first: encrypting before signing before neither, then by policy."""
    order = [_PREFIX + name for name in POLICIES]
    return sorted(
        (each for each in endpoints if each.TransportProfileUri in (_UACP, "", None)),
        key=lambda each: (
            _MODES.index(each.SecurityMode) if each.SecurityMode in _MODES else len(_MODES),
            order.index(each.SecurityPolicyUri) if each.SecurityPolicyUri in order else len(order),
        ),
    )


def choose(endpoints: Sequence[ua.EndpointDescription], access: ServerAccess) -> ua.EndpointDescription:
    """The strongest endpoint that the options allow; never one without security. Raises ConnectionFailed."""
    offered = usable(endpoints)
    wanted = (access.security,) if access.security in POLICIES else tuple(POLICIES)
    for endpoint in offered:
        if (
            policy_name(endpoint.SecurityPolicyUri) in wanted
            and endpoint.SecurityMode in _MODES
            and access.mode in (None, endpoint.SecurityMode.name)
        ):
            return endpoint
    names = list(dict.fromkeys(map(endpoint_name, offered)))
    asked = " ".join(filter(None, (access.security if access.security in POLICIES else "", access.mode)))
    raise ConnectionFailed(
        UnknownCause.REFUSED,
        f"{access.endpoint} offers no {asked or 'endpoint with security that is used here'}; "
        f"it offers: {', '.join(names) or 'nothing'}",
        _remedy(names, asked),
        FailureKind.SECURITY_NOT_OFFERED,
    )


def _remedy(names: Sequence[str], asked: str) -> str:
    if asked and any(name.partition(" ")[0] in POLICIES for name in names):
        return "choose one of those for security and mode, or leave them out for the strongest"
    switch_on = f"switch one of {', '.join(POLICIES)} on at the server"
    if "None" in names:
        return (
            f"{switch_on}; or, in a network where nobody else can listen or interfere, write security: none"
        )
    return switch_on
