"""`edge-agent check`: is the configuration right, what would be read, and does everything answer?"""

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.text import Text

from edge_agent.acquisition.link import LinkTracker
from edge_agent.acquisition.trial import Answer, Trial, try_connections
from edge_agent.cli.logs import quiet
from edge_agent.cli.terminal import SiteReport, console
from edge_agent.config.definitions import known_definitions
from edge_agent.config.errors import ConfigError
from edge_agent.config.models import UplinkOptions
from edge_agent.config.site import Site, lacks_certificate, load_site, tag_sets
from edge_agent.driver import DriverError, load_driver
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.definitions import Definition
from edge_agent.journal.cipher import JournalKeyError, cipher_of
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions, Options
from edge_agent.model.state import MachineState

EXIT_NO_ANSWER = 1
EXIT_CONFIG = 2
_LONGEST_VALUE = 48


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--connect", is_flag=True, help="Also try every connection, and read every tag once.")
def check(config: Path, connect: bool) -> None:
    """Check CONFIG, a YAML file or a folder of them, and show what would be read.

    Every mistake is shown at once, with file, line and what was expected. Machines are never written to.

    Exit status: 0 all well, 1 something did not answer (--connect), 2 wrong configuration.
    """
    try:
        site = load_site(config)
    except ConfigError as error:
        _show_problems(error)
        sys.exit(EXIT_CONFIG)
    report = _Report(site)
    report.summary()
    report.plan()
    report.warnings()
    if connect:
        quiet(logging.CRITICAL)
        trials = asyncio.run(try_connections([one for one in site.connections if one.enabled]))
        report.trials(trials)
        if not all(trial.everything_answered for trial in trials):
            sys.exit(EXIT_NO_ANSWER)


def _show_problems(error: ConfigError) -> None:
    out = console(stderr=True)
    for problem in error.problems:
        out.print(Text(str(problem)), soft_wrap=True)
    count = len(error.problems)
    out.print(Text(f"{count} {'mistake' if count == 1 else 'mistakes'}", style="bold red"))


class _Report(SiteReport):
    """What is known of a site, printed part by part."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.hidden)
        self._site = site

    def summary(self) -> None:
        """Gateway, register, connections and uplinks."""
        site = self._site
        gateway, register = site.gateway, site.register.equipment
        production = sum(one.production for one in register)
        self.line(f"gateway {gateway.id} {gateway.name}".rstrip(), "bold")
        self.line(f"  region {gateway.region}, enterprise {gateway.enterprise}")
        self.line(f"  data in {site.data_dir}")
        self.line(f"register: {len(register)} equipment in {len(site.register.workshops)} workshops")
        numerical, expected = sum(one.nc for one in register), sum(one.should_connect for one in register)
        self.line(f"  {production} production, {numerical} NC, {expected} that should be connected")
        connected = sum(len(one.equipment) for one in site.connections)
        self.line(f"connections: {len(site.connections)}, with {connected} equipment")
        self.line(f"definitions: {len(site.definitions)}")
        without = [f"{definition.id} ({reason})" for definition, reason in _without_rate(site)]
        if without:
            self.line(f"  no rate on this register: {', '.join(without)}")
        for uplink in site.uplinks:
            self.line(f"uplink {uplink.id}: {_given(uplink, {'id'})}")
        self.line(f"configuration {site.digest[:12]}, register {site.register.digest[:12]}")

    def plan(self) -> None:
        """The requests that would be made, connection by connection."""
        for connection in self._site.connections:
            base = set(ConnectionOptions.model_fields)
            self.line("")
            self.line(
                f"connection {connection.id}: {connection.driver}, {_given(connection, base)}"
                f"{'' if connection.enabled else ' (disabled)'}",
                "bold",
            )
            driver = load_driver(connection.driver)(connection, tag_sets(connection))
            requests = (
                (request.equipment, f"{request.period:g} s", request.what, ", ".join(request.tags))
                for request in driver.plan()
            )
            self.table(("equipment", "every", "request", "tags"), requests)

    def warnings(self) -> None:
        """What is allowed, and perhaps not meant."""
        warnings = list(_warnings(self._site))
        if warnings:
            self.line("")
        for warning in warnings:
            self.line(f"warning: {warning}", "yellow")

    def trials(self, trials: Sequence[Trial]) -> None:
        """What answered, tag by tag."""
        for trial in trials:
            self.line("")
            answered = "everything answered" if trial.everything_answered else "NOT everything answered"
            style = "bold green" if trial.everything_answered else "bold red"
            self.line(f"connection {trial.connection.id}: {answered}", style)
            if trial.probe is not None:
                for name, text in (*trial.probe.identity.items(), *trial.probe.limits.items()):
                    self.line(f"  {name}: {text}")
            for subject, error in trial.failures:
                self.line(f"  {subject}: {error.cause}: {_sentence(error)}", "red")
            if trial.opened:
                headings = ("equipment", "tag", "value", "unit", "quality", "source time (UTC)", "age")
                self.table(headings, _answers(trial))
                self._diagnostics(trial)
        failed = [trial.connection.id for trial in trials if not trial.everything_answered]
        self.line("")
        self.line(f"{len(trials) - len(failed)} of {len(trials)} connections answered in full", "bold")

    def _diagnostics(self, trial: Trial) -> None:
        """How the connection did: its own figures in lines, those of its units in a table."""
        units: dict[str, dict[str, str]] = {}
        for one in trial.diagnostics:
            name, value = f"{one.name} {one.unit}".rstrip(), _figure(one.value)
            if one.subject:
                units.setdefault(one.subject, {})[name] = value
            else:
                self.line(f"  {name}: {value}")
        names = list(dict.fromkeys(name for figures in units.values() for name in figures))
        if units:
            rows = ([unit, *(figures.get(name, "") for name in names)] for unit, figures in units.items())
            self.table(("", *names), rows)


def _answers(trial: Trial) -> Iterator[Sequence[str]]:
    for equipment in trial.connection.equipment:
        for tag in equipment.tags:
            answer = trial.answers.get((equipment.id, tag.id))
            cells = ("", tag.unit, "no answer", "", "") if answer is None else _cells(answer, tag.unit)
            yield equipment.id, tag.id, *cells


def _given(options: Options, without: set[str]) -> str:
    """What the user wrote of some options; pydantic dumps secrets as asterisks."""
    given = options.model_dump(mode="json", exclude_unset=True, exclude=without, fallback=str)
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _cells(answer: Answer, unit: str) -> tuple[str, str, str, str, str]:
    value = "" if answer.value is None else str(answer.value)
    if len(value) > _LONGEST_VALUE:
        value = value[: _LONGEST_VALUE - 1] + "…"
    quality = "good" if answer.flaw is None else f"{answer.flaw.level}: {answer.flaw.reason}"
    if answer.source_ms is None:
        return value, unit, quality, "", ""
    source = datetime.fromtimestamp(answer.source_ms / 1000, UTC)
    age = (answer.received_ms - answer.source_ms) / 1000
    return value, unit, quality, f"{source:%Y-%m-%d %H:%M:%S}.{source.microsecond // 1000:03}", f"{age:.3f} s"


def _figure(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


def _sentence(error: DriverError) -> str:
    return f"{error}. {error.remedy}" if error.remedy else str(error)


def _warnings(site: Site) -> Iterator[str]:
    for connection in site.connections:
        if not connection.enabled:
            yield f"connection {connection.id} is disabled: its equipment will be unknown (disabled)"
        for equipment in connection.equipment:
            if not equipment.states:
                yield f"{equipment.id} has no state rules: its state will be unknown (undecided)"
    served = {equipment.id for connection in site.connections for equipment in connection.equipment}
    missing = [one.id for one in site.register.equipment if one.should_connect and one.id not in served]
    if missing:
        yield f"should be connected, and no connection serves it: {', '.join(missing)}"
    for definition, reason in _without_rate(site):
        if _asked_for(site, definition):
            yield f"definition {definition.id}: no rate on this register: {reason} ({definition.denominator})"
    if site.sharing is not None:
        shared = {machine.equipment for machine in site.sharing.machines}
        lent = [one.id for one in site.register.equipment if one.tenant and one.id not in shared]
        if lent:
            yield f"the register names a tenant, and sharing does not list it: {', '.join(lent)}"
    if not site.uplinks:
        yield "there is no uplink: nothing will be sent"
    for uplink in site.uplinks:
        if uplink.password is not None and uplink.tls is None:
            yield f"uplink {uplink.id}: without tls, the password travels in the clear"
        if isinstance(uplink, UplinkOptions) and lacks_certificate(uplink):
            yield f"uplink {uplink.id}: the region has given no certificate yet 尚无证书: edge-agent enrol"
    if site.journal.key_file is not None:
        yield from _about_key(site.journal.key_file, site.data_dir)


def _about_key(key_file: Path, data_dir: Path) -> Iterator[str]:
    try:
        cipher_of(key_file)
    except JournalKeyError as error:
        yield f"the agent will not start: {error}"
        return
    made = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    if made.stat().st_dev == key_file.stat().st_dev:
        yield (
            f"密钥与日志在同一文件系统 {key_file} is on the same file system as the journal:"
            " who has that card has both"
        )


def _asked_for(site: Site, definition: Definition) -> bool:
    """Whether somebody has named it or written it: it is not only there because it comes with the agent."""
    return site.indicators.definitions is not None or definition.id not in known_definitions(None)


def _without_rate(site: Site) -> list[tuple[Definition, str]]:
    """The definitions that give no rate whatever the machines do, and why: nothing to divide by above all."""
    nothing_proved = LinkTracker({}, {}, 0)
    states = dict.fromkeys(site.register.by_id, MachineState.UNKNOWN)
    zone, now = ZoneInfo(site.gateway.timezone), CLOCK.now_ms()
    found = []
    for definition in site.definitions:
        calculator = Calculator(definition, site.gateway.enterprise, site.register, zone)
        enterprise, *_ = calculator.statements(nothing_proved, states, now).figures
        if enterprise.reason:
            found.append((definition, enterprise.reason))
    return found
