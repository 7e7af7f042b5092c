"""Which login a session uses, and that no password travels readable by accident."""

from dataclasses import replace

from asyncua import ua
from asyncua.crypto import security_policies as policies

from drivers.opcua.options import OpcuaConnection
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause

_ENCRYPTING = [
    policies.SecurityPolicyAes256Sha256RsaPss.URI,
    policies.SecurityPolicyAes128Sha256RsaOaep.URI,
    policies.SecurityPolicyBasic256Sha256.URI,
    policies.SecurityPolicyBasic256.URI,
    policies.SecurityPolicyBasic128Rsa15.URI,
]
"""Ways to encrypt a password, best first; the last two are outdated and still better than none."""

_PLAIN = policies.SecurityPolicyNone.URI


def token_policy(
    options: OpcuaConnection, endpoint: ua.EndpointDescription, *, can_encrypt: bool
) -> ua.UserTokenPolicy:
    """The way to log in at `endpoint`, among those that it offers, that protects the password best.

    On a connection without message security a server may ask for the password encrypted or readable; the
    latter is chosen only where the options allow it. `can_encrypt` says whether the server's certificate
    is known. Raises ConnectionFailed.
    """
    wanted = ua.UserTokenType.Anonymous if options.username is None else ua.UserTokenType.UserName
    offered: list[ua.UserTokenPolicy] = [
        replace(policy, SecurityPolicyUri=policy.SecurityPolicyUri or endpoint.SecurityPolicyUri)
        for policy in endpoint.UserIdentityTokens
        if policy.TokenType == wanted
    ]
    if not offered:
        kinds = sorted({policy.TokenType.name for policy in endpoint.UserIdentityTokens})
        raise ConnectionFailed(
            UnknownCause.REFUSED,
            f"{options.endpoint} has no {wanted.name} login on this endpoint; it offers: "
            f"{', '.join(kinds) or 'none'}",
            "give username and password" if options.username is None else "remove username and password",
        )
    if options.username is None:
        return offered[0]
    by_uri: dict[str, ua.UserTokenPolicy] = {policy.SecurityPolicyUri: policy for policy in reversed(offered)}
    if can_encrypt:
        for uri in _ENCRYPTING:
            if uri in by_uri:
                return by_uri[uri]
    if _PLAIN in by_uri and options.plain_password:
        return by_uri[_PLAIN]
    raise ConnectionFailed(
        UnknownCause.REFUSED,
        f"{options.endpoint} takes the password only unencrypted; it was not sent",
        "give the server a certificate and a login policy that encrypts; or, in a network that nobody else "
        "can listen to, set plain_password: true",
    )
