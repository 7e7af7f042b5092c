"""An archive for support: what was found, the configuration, recent log lines; without any secret."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edge_agent.config.secrets import Hidden
from edge_agent.config.site import Site
from edge_agent.config.written import unpack
from edge_agent.console.log_lines import without_secrets

LOG_LINES = 5000
_LOG_LIMIT_S = 20.0


def write_bundle(path: Path, site: Site | None, findings: Iterable[Mapping[str, str]]) -> None:
    """Write the archive. Of a configuration with mistakes neither text nor log are in it: nobody knows what
    of them is secret. Raises OSError."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _parts(site, findings):
            archive.writestr(name, text)


def _parts(site: Site | None, findings: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    hidden = site.hidden if site is not None else Hidden()
    # Before they become JSON: that writes quotes and backslashes in another way.
    clean = [{name: without_secrets(text, hidden) for name, text in one.items()} for one in findings]
    yield "findings.json", json.dumps(clean, ensure_ascii=False, indent=2)
    if site is not None:
        yield "configuration.txt", without_secrets("\n".join(_configuration(site)), hidden)
        yield "log.txt", "\n".join(without_secrets(line, hidden) for line in _log().splitlines())


def _configuration(site: Site) -> Iterator[str]:
    """What stands in the files, line by line, and which files those are."""
    yield f"digest {site.digest}"
    yield f"register {site.register.version}"
    for file, digest in site.files.items():
        yield f"{digest} {file}"
    for entry in unpack(site.written):
        if entry.value:
            yield f"{entry.field}: {entry.value}"


def _log() -> str:
    """What the service has logged lately; empty where there is no such log."""
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        return ""
    command = [journalctl, "-u", "edge-agent", "-n", str(LOG_LINES), "--no-pager", "-o", "short-iso"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LOG_LIMIT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
