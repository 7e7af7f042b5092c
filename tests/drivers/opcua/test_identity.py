"""Which login is chosen among those that a server offers."""

from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto import security_policies as policies

from drivers.opcua.identity import token_policy
from edge_agent.driver import ConnectionFailed
from tests.drivers.opcua.harness import connection

PLAIN = policies.SecurityPolicyNone.URI
GOOD = policies.SecurityPolicyBasic256Sha256.URI
BEST = policies.SecurityPolicyAes256Sha256RsaPss.URI
OLD = policies.SecurityPolicyBasic128Rsa15.URI


def endpoint(*uris: str | None) -> ua.EndpointDescription:
    """An endpoint without message security whose user logins are encrypted by `uris`."""
    of: Any = ua.UserTokenPolicy
    tokens = [
        of(PolicyId=str(uri), TokenType=ua.UserTokenType.UserName, SecurityPolicyUri=uri) for uri in uris
    ]
    made = ua.EndpointDescription(UserIdentityTokens=tokens)
    made.SecurityPolicyUri = PLAIN
    return made


def chosen(*uris: str | None, plain: bool = False, can_encrypt: bool = True) -> str:
    options = connection(4840, {"A": []}, username="me", password="x", plain_password=plain)  # noqa: S106 - no secret
    policy = token_policy(options, endpoint(*uris), can_encrypt=can_encrypt)
    return str(policy.SecurityPolicyUri)


def test_the_best_encryption_wins_whatever_the_order() -> None:
    assert chosen(PLAIN, OLD, GOOD, BEST) == BEST
    assert chosen(GOOD, PLAIN) == GOOD
    assert chosen(None, OLD, plain=True) == OLD


@pytest.mark.parametrize("uris", [(PLAIN,), (None,), (GOOD, PLAIN)])
def test_plain_only_where_it_is_asked_for(uris: tuple[str | None, ...]) -> None:
    """No certificate to encrypt for is as good as no encryption."""
    with pytest.raises(ConnectionFailed, match="not sent"):
        chosen(*uris, can_encrypt=False)
    assert chosen(*uris, plain=True, can_encrypt=False) == PLAIN


def test_an_encryption_that_nobody_here_knows_is_none() -> None:
    with pytest.raises(ConnectionFailed):
        chosen("http://example.com/policy", plain=True)


def test_no_login_of_that_kind() -> None:
    with pytest.raises(ConnectionFailed, match="Anonymous"):
        token_policy(connection(4840, {"A": []}), endpoint(GOOD), can_encrypt=True)
    with pytest.raises(ConnectionFailed, match="UserName"):
        chosen()
