"""Why a broker cannot be had, in words for a technician."""

import socket
import ssl

from paho.mqtt.client import WebsocketConnectionError
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import UplinkOptions

NOTHING_SAID = "Unspecified error"
"""What paho makes of an end that nobody gave a reason for."""
MAY_NEED_TLS = (
    "if the broker speaks TLS on this port, the configuration needs tls 若此端口为加密（TLS）端口，请配置 tls"
)
MAY_NEED_NO_TLS = (
    "the port is probably one without encryption, and the configuration has tls: look for the broker's TLS"
    " port, 8883 as a rule 此端口很可能未加密，而配置了 tls：请改用服务器的 TLS 端口"
)
MAY_NEED_CERTIFICATE = (
    "the broker may ask for a certificate of this gateway: tls.enrolled, or tls.certificate and tls.key;"
    " whoever enrols may have another port 服务器可能要求本网关的证书；申请证书可能用另一端口"
)
MAY_REFUSE_CERTIFICATE = (
    "the broker may not accept this gateway's certificate: is its authority known there, and the certificate"
    " not revoked? 服务器可能不接受本网关的证书"
)
_NO_TLS_SPOKEN = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""OpenSSL's words for an answer that is not TLS."""


def why_not_open(error: Exception, options: UplinkOptions) -> str:
    """Why neither TCP nor TLS nor WebSocket came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); check tls.ca and the host's name"
    if options.tls is not None and speaks_no_tls(error):
        return f"it does not answer to TLS ({_short(error)}); {MAY_NEED_NO_TLS}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, WebsocketConnectionError):
        return f"{error}; check path" if options.tls is not None else f"{error}; check path; {MAY_NEED_TLS}"
    return str(error)


def why_lost(reason: ReasonCode, options: UplinkOptions, *, accepted: bool) -> str:
    """Why a connection ended, be it before or after the broker had `accepted` it."""
    if str(reason) != NOTHING_SAID:
        return f"connection lost: {reason}"
    if accepted:
        return "connection lost: the broker or the network ended it 连接被服务器或网络中断"
    if options.tls is None:
        may_be = MAY_NEED_TLS
    else:
        may_be = MAY_NEED_CERTIFICATE if options.tls.certificate is None else MAY_REFUSE_CERTIFICATE
    return f"the broker hangs up before it accepts the connection 服务器未接受就断开; {may_be}"


def speaks_no_tls(error: Exception) -> bool:
    """Whether `error`, of a TLS handshake, shows that nobody there speaks TLS."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLEOFError) or error.reason in _NO_TLS_SPOKEN
    return isinstance(error, ConnectionResetError | ConnectionAbortedError)


def _short(error: Exception) -> str:
    said = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
    return str(said or error)
