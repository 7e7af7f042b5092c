"""The page's certificate: shown to browsers, and exchanged when its files are renewed."""

import asyncio
import logging
import ssl

from edge_agent.config.console import ConsoleTlsOptions

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0


async def keep_current(tls: ConsoleTlsOptions, context: ssl.SSLContext) -> None:
    """Show browsers what stands in the files, whenever they change, until cancelled.

    Half-renewed files, a certificate whose key is still the old one, change nothing until they fit.
    """
    known = _changed_at(tls)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = _changed_at(tls)
        if now == known:
            continue
        known = now
        try:
            # Loading what does not fit would leave the context that is in use with nothing.
            tls.context()
            tls.show(context)
        except (ssl.SSLError, OSError, ValueError) as error:
            log.error("page: the renewed certificate cannot be used, the one before stays: %s", error)
        else:
            log.info("page: browsers see the renewed certificate from now on")


def _changed_at(tls: ConsoleTlsOptions) -> tuple[int, ...]:
    """When each file was changed last; nothing while one of them is away."""
    try:
        return tuple(file.stat().st_mtime_ns for file in (tls.certificate, tls.key))
    except OSError:
        return ()
