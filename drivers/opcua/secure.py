"""Secured ways to a server: the endpoint chosen, its certificate verified, and our own to show."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes as S
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from drivers.opcua.certificates import Certificate
from drivers.opcua.channel import discover
from drivers.opcua.options import ServerAccess
from drivers.opcua.pki import Identity, Pki
from drivers.opcua.policies import POLICIES, choose, endpoint_name, policy_name
from drivers.opcua.values import status_name
from drivers.opcua.verification import ends_soon, verify
from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

_log = logging.getLogger(__name__)

_CLOCK = "set the server's clock; if that is right, delete our certificate and a new one is made"
_OUR_CERTIFICATE: dict[int, tuple[str, str]] = {
    S.BadCertificateUntrusted: ("does not trust our certificate", ""),
    S.BadSecurityChecksFailed: ("does not trust our certificate", ""),
    S.BadCertificateChainIncomplete: ("does not trust our certificate", ""),
    S.BadNoValidCertificates: ("does not trust our certificate", ""),
    S.BadCertificateRevocationUnknown: ("cannot find out whether our certificate is revoked", ""),
    S.BadCertificateUriInvalid: (
        "finds another application URI in our certificate than the one we call ourselves",
        "delete our certificate, and a new one is made",
    ),
    S.BadCertificateTimeInvalid: ("takes our certificate for expired or not yet valid", _CLOCK),
    S.BadCertificateHostNameInvalid: (
        "does not find this gateway's host name in our certificate",
        "delete our certificate, and a new one is made with the present name",
    ),
    S.BadCertificateUseNotAllowed: ("finds that our certificate is not made for this use", ""),
    S.BadCertificateInvalid: ("does not accept our certificate", ""),
    S.BadCertificatePolicyCheckFailed: ("demands another kind of certificate than ours", ""),
    S.BadCertificateRevoked: ("says that our certificate is revoked", ""),
}


class OwnCertificateRefused(ConnectionFailed):
    """The server refuses the certificate that we show; it may accept another one."""


@dataclass(frozen=True)
class SecureWay:
    """One endpoint, with one of our identities."""

    access: ServerAccess
    pki: Pki
    endpoint: ua.EndpointDescription
    server: Certificate
    identity: Identity
    newest: Identity

    def prepare(self, client: Client) -> None:
        """Have `client` open its channel this way."""
        policy = POLICIES[policy_name(self.endpoint.SecurityPolicyUri)](
            self.server.parsed,
            self.identity.certificate.parsed,
            self.identity.key,
            self.endpoint.SecurityMode,
        )
        client.security_policy = policy
        client.uaclient.set_security(policy)
        client.application_uri = self.identity.application_uri

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Around the opening of channel and session: what is raised there is mostly about certificates."""
        try:
            yield
        except UaStatusCodeError as error:
            what, remedy = _OUR_CERTIFICATE.get(int(error.code), ("", ""))
            if not what:
                raise
            raise self._refused(f"{what} ({status_name(int(error.code))})", remedy) from error
        except AssertionError as error:
            # The library's word for an answer that says no; it loses the reason.
            raise self._refused(
                "refuses to open a secure channel; mostly it does not trust our certificate"
            ) from error
        except TimeoutError as error:
            raise ConnectionFailed(
                UnknownCause.TIMEOUT,
                f"{self.access.endpoint} does not answer to the opening of a secure channel",
                "a slow controller needs a longer `timeout`; some say nothing to whom they do not trust: "
                + self._accept_ours(),
                FailureKind.SILENT,
            ) from error
        except ConnectionError as error:
            raise self._refused(
                "ends the connection at the secure channel; mostly it does not trust our certificate"
            ) from error
        except InvalidSignature as error:
            raise ConnectionFailed(
                UnknownCause.REFUSED,
                f"{self.access.endpoint} cannot prove that the certificate it shows is its own",
                "find out who answers at this address",
                FailureKind.NOT_TRUSTED,
            ) from error

    def confirm(self, endpoints: Sequence[ua.EndpointDescription]) -> None:
        """Compare with what the server says over the secured channel. Raises ConnectionFailed.

        The first list travelled without protection: somebody may have struck the stronger endpoints out.
        """
        best = choose(endpoints, self.access)
        if endpoint_name(best) != endpoint_name(self.endpoint):
            raise ConnectionFailed(
                UnknownCause.REFUSED,
                f"the endpoints of {self.access.endpoint} were changed on their way: the server offers "
                f"{endpoint_name(best)}, what arrived first was {endpoint_name(self.endpoint)} at best",
                "find out what stands between this gateway and the server",
                FailureKind.NOT_TRUSTED,
            )

    async def check_again(self) -> None:
        """Whether a standing connection may go on. Raises ConnectionFailed."""
        application_uri = self.endpoint.Server.ApplicationUri
        try:
            await asyncio.to_thread(verify, self.pki, self.server.der, self.access.endpoint, application_uri)
            newest = (await _identities(self.pki))[0]
        except OSError as error:
            raise folder_failed(self.pki, error) from error
        if newest.certificate != self.newest.certificate:
            raise ConnectionFailed(
                UnknownCause.REFUSED,
                f"our certificate was renewed; {self.access.endpoint} is connected again with the new one",
            )

    def _refused(self, what: str, remedy: str = "") -> OwnCertificateRefused:
        message = f"{self.access.endpoint} {what}"
        return OwnCertificateRefused(
            UnknownCause.REFUSED, message, self._accept_ours(remedy), FailureKind.OURS_REFUSED
        )

    def _accept_ours(self, remedy: str = "") -> str:
        ours = self.identity
        return (
            f"{remedy or 'accept our certificate among those that the server has rejected'}; it is "
            f"{ours.certificate.subject}, thumbprint {ours.certificate.thumbprint}, file {ours.path}"
        )


async def secure_ways(access: ServerAccess) -> list[SecureWay]:
    """The ways to try, one after the other: with our newest certificate, then with those before it.

    Raises ConnectionFailed, before anything is sent that is worth protecting.
    """
    endpoint = choose((await discover(access.endpoint, access.timeout)).endpoints, access)
    pki = Pki(access.pki)
    try:
        server = await asyncio.to_thread(
            verify, pki, endpoint.ServerCertificate, access.endpoint, endpoint.Server.ApplicationUri
        )
        identities = await _identities(pki)
    except OSError as error:
        raise folder_failed(pki, error) from error
    if ends_soon(server):
        _log.warning("%s: the server's certificate ends on %s", access.endpoint, server.valid_until.date())
    return [SecureWay(access, pki, endpoint, server, identity, identities[0]) for identity in identities]


async def verify_server(access: ServerAccess, shown: bytes | None, application_uri: str | None) -> None:
    """Before a password is encrypted for this certificate on an open channel. Raises ConnectionFailed."""
    pki = Pki(access.pki)
    try:
        await asyncio.to_thread(verify, pki, shown, access.endpoint, application_uri)
    except OSError as error:
        raise folder_failed(pki, error) from error


def folder_failed(pki: Pki, error: OSError) -> ConnectionFailed:
    return ConnectionFailed(
        UnknownCause.REFUSED,
        f"the folder of certificates {pki.folder} cannot be used: {error.strerror or error}",
        "give the agent's user the right to write there, or name another folder with `pki`",
        FailureKind.FILES,
    )


async def _identities(pki: Pki) -> list[Identity]:
    return await asyncio.to_thread(pki.own)
