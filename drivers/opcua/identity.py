"""Which login a session uses, and that no password travels readable by accident."""

from dataclasses import replace
from pathlib import Path

from asyncua import ua
from asyncua.crypto import security_policies as policies
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from drivers.opcua.certificates import Certificate, private_key
from drivers.opcua.options import ServerAccess
from drivers.opcua.policies import NONE_URI, policy_name
from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

_ENCRYPTING = [
    policies.SecurityPolicyAes256Sha256RsaPss.URI,
    policies.SecurityPolicyAes128Sha256RsaOaep.URI,
    policies.SecurityPolicyBasic256Sha256.URI,
    policies.SecurityPolicyBasic256.URI,
    policies.SecurityPolicyBasic128Rsa15.URI,
]
"""Ways to encrypt a password, best first; the last two are outdated and still better than none."""


def token_policy(
    options: ServerAccess, endpoint: ua.EndpointDescription, *, can_encrypt: bool
) -> ua.UserTokenPolicy:
    """The way to log in at `endpoint`, among those that it offers, that protects the password best.

    A server may ask for the password encrypted or readable. Readable it only goes over a channel that
    encrypts everything, or where the options allow it. `can_encrypt` says whether the server's certificate
    is known. Raises ConnectionFailed.
    """
    wanted = _wanted(options)
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
            "give username and password, or user_certificate and user_key"
            if wanted == ua.UserTokenType.Anonymous
            else "log in by another of these kinds, or switch this one on at the server",
            FailureKind.LOGIN_NOT_OFFERED,
        )
    if wanted == ua.UserTokenType.Anonymous:
        return offered[0]
    by_uri: dict[str, ua.UserTokenPolicy] = {policy.SecurityPolicyUri: policy for policy in reversed(offered)}
    if can_encrypt:
        for uri in _ENCRYPTING:
            if uri in by_uri:
                return by_uri[uri]
    if wanted == ua.UserTokenType.Certificate:
        raise ConnectionFailed(
            UnknownCause.REFUSED,
            f"{options.endpoint} names no way to sign the login with a user certificate that is used here: "
            f"{', '.join(map(policy_name, by_uri))}",
            "choose an endpoint with security",
            FailureKind.LOGIN_NOT_OFFERED,
        )
    channel_encrypts = endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
    if NONE_URI in by_uri and (channel_encrypts or options.plain_password):
        return by_uri[NONE_URI]
    raise ConnectionFailed(
        UnknownCause.REFUSED,
        f"{options.endpoint} takes the password only unencrypted; it was not sent",
        "give the server a certificate and a login policy that encrypts; or, in a network that nobody else "
        "can listen to, set plain_password: true with security: none",
        FailureKind.LOGIN_NOT_OFFERED,
    )


def encrypts_password(policy: ua.UserTokenPolicy) -> bool:
    """Whether the login is a password that is encrypted with the key of the server's certificate."""
    return bool(policy.TokenType == ua.UserTokenType.UserName and policy.SecurityPolicyUri != NONE_URI)


def user_identity(certificate: Path, key: Path) -> tuple[x509.Certificate, RSAPrivateKey]:
    """The certificate that a user logs in with, and its key, from their files. Raises ConnectionFailed."""
    file = certificate
    try:
        user = Certificate.parse(certificate.read_bytes())
        file = key
        return user.parsed, private_key(key.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise ConnectionFailed(
            UnknownCause.REFUSED,
            f"the login's file {file} cannot be used: {error}",
            "expected a certificate and its RSA key as PEM or DER, the key without a password",
            FailureKind.FILES,
        ) from error


def _wanted(options: ServerAccess) -> ua.UserTokenType:
    if options.user_certificate is not None:
        return ua.UserTokenType.Certificate
    return ua.UserTokenType.Anonymous if options.username is None else ua.UserTokenType.UserName
