"""A site as configured: everything resolved, looked up and checked."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from pydantic import ValidationError

from edge_agent.config.console import ConsoleOptions
from edge_agent.config.definitions import definition_folders, read_definitions
from edge_agent.config.errors import ConfigError, ConfigProblem, did_you_mean
from edge_agent.config.json_schema import ConfigurationSchema
from edge_agent.config.models import (
    DEFAULT_CALENDAR,
    AnyUplinkOptions,
    Configuration,
    GatewayOptions,
    IndicatorOptions,
    InfluxdbUplinkOptions,
    JournalOptions,
    SparkplugUplinkOptions,
    StateOptions,
    UplinkOptions,
    configuration_model,
)
from edge_agent.config.policies import policy_folders, read_policies
from edge_agent.config.profiles import add_shipped_profiles, merge_profiles
from edge_agent.config.references import check_references
from edge_agent.config.register import read_register
from edge_agent.config.secrets import Hidden, insert_environment, insert_files
from edge_agent.config.sharing import SharingOptions
from edge_agent.config.sharing_references import check_sharing
from edge_agent.config.tree import Node
from edge_agent.config.words import MISSING, booleans_as_numbers, in_words
from edge_agent.config.written import entries, pack
from edge_agent.config.yaml_files import read_yaml
from edge_agent.driver import AnyDriver, AnyTagSet, StreamingDriver, TagSet, driver_names, load_driver
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.definitions import Definition
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Register
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.states.production import Counting


@dataclass(frozen=True)
class Site:
    """What the agent starts from. Profiles are merged into the equipment, paths are absolute.

    Any text of it may come from the environment, so its `repr` shows the digest alone.
    """

    gateway: GatewayOptions = field(repr=False)
    data_dir: Path = field(repr=False)
    register: Register = field(repr=False)
    connections: tuple[ConnectionOptions, ...] = field(repr=False)
    uplinks: tuple[AnyUplinkOptions, ...] = field(repr=False)
    """With `client_id`, and `root` or `node`, filled in."""
    indicators: IndicatorOptions = field(repr=False)
    definitions: tuple[Definition, ...] = field(repr=False)
    """Those that figures are worked out by."""
    states: StateOptions = field(repr=False)
    journal: JournalOptions = field(repr=False)
    calendars: Mapping[str, CalendarOptions] = field(repr=False)
    sharing: SharingOptions | None = field(repr=False)
    console: ConsoleOptions | None = field(repr=False)
    follow_files: bool = field(repr=False)
    """Whether a change of the configuration's files is taken without being told."""
    digest: str
    """SHA-256 (hex) of the configuration as resolved, with the register, without secrets."""
    hidden: Hidden = field(repr=False, compare=False)
    """What must not be shown to people, should it stand in some text."""
    path: Path = field(repr=False)
    """The file or folder that it was read from."""
    files: Mapping[Path, str] = field(repr=False, compare=False)
    """SHA-256 (hex) of each file as it was read, the register's among them."""
    written: bytes = field(repr=False, compare=False)
    """What its files say, as it may be shown: see `config.written.unpack`."""
    register_file: Path = field(repr=False)
    read_ms: int = field(repr=False, compare=False)
    """When it was read (epoch ms)."""


SHADOW_FOLDER = "shadow"

IDENTITY_FOLDER = "identity"
"""In the data folder: keys and certificates that the region has given."""


def shadow_of(site: Site) -> Site:
    """The same machines and figures, nothing that leaves the gateway, and a data folder of its own: what is
    kept there is never sent, and what the real run keeps is not touched. Without uplinks the journal keeps
    no message, and needs no key."""
    journal = site.journal.model_copy(update={"key_file": None})
    return replace(site, uplinks=(), data_dir=site.data_dir / SHADOW_FOLDER, journal=journal)


def load_site(path: Path) -> Site:
    """Read a configuration file or folder. Raises ConfigError with every mistake found."""
    source = read_yaml(path)
    tree, hidden = source.root, Hidden()
    folder, outline = source.folder.absolute(), tree.outline()
    problems = [*source.problems, *insert_environment(tree, hidden)]
    drivers = _Drivers()
    problems += drivers.load(tree)
    problems += add_shipped_profiles(tree)
    merge_profiles(tree)
    model = configuration_model(drivers.by_name)
    schema = ConfigurationSchema(model)
    problems += insert_files(tree, schema, folder, hidden)
    problems += booleans_as_numbers(tree, schema)
    configuration: Configuration | None = None
    try:
        configuration = model.model_validate(tree.plain())
    except ValidationError as error:
        found = in_words(error, tree, schema, hidden)
        problems += found if source.complete else filter(_is_certain, found)
    register, register_problems = _register(tree, source.folder)
    problems += register_problems
    definitions, definition_problems = read_definitions(
        definition_folders(_own_folder(tree, "definitions_dir", source.folder))
    )
    problems += definition_problems
    if not definition_problems:  # one that is not there, because it is wrong, has been told
        problems += read_policies(
            policy_folders(_own_folder(tree, "policies_dir", source.folder)), definitions
        )[1]
    if source.complete:
        problems += check_references(tree, register, definitions)
        problems += check_sharing(tree, register)
    if problems or configuration is None or register is None:
        raise ConfigError(hidden.clean_problem(problem) for problem in problems)
    register = replace(register, headcount=configuration.gateway.headcount)
    reading = _Reading(path, folder, source.files, outline, hidden)
    return _site(configuration, register, definitions, reading)


def tag_sets(connection: ConnectionOptions) -> tuple[AnyTagSet, ...]:
    """What is read together: one tag set per equipment and period, in the order of the configuration."""
    sets: list[AnyTagSet] = []
    for equipment in connection.equipment:
        by_period: dict[float, list[TagOptions]] = {}
        for tag in equipment.tags:
            by_period.setdefault(tag.period or connection.period, []).append(tag)
        sets += [TagSet(equipment, tuple(tags), period) for period, tags in by_period.items()]
    return tuple(sets)


def stale_after_ms(site: Site) -> dict[str, int]:
    """How long after its newest good reading each connected equipment is live, by its id."""
    stale = {}
    for connection in site.connections:
        for equipment in connection.equipment:
            periods = [tag.period or connection.period for tag in equipment.tags]
            slowest = max(periods, default=connection.period)
            stale[equipment.id] = round((site.states.stale_after * slowest + connection.timeout) * 1000)
    return stale


def counting(site: Site) -> dict[str, Counting]:
    """How the production of each equipment for which that is configured is counted, by its id."""
    limits_ms = stale_after_ms(site)
    drivers = {connection.driver for connection in site.connections}
    streaming = {name for name in drivers if issubclass(load_driver(name), StreamingDriver)}
    found = {}
    for connection in site.connections:
        tells_changes = connection.driver in streaming
        for equipment in connection.equipment:
            one = Counting.of(equipment, limits_ms[equipment.id], tells_changes=tells_changes)
            if one is not None:
                found[equipment.id] = one
    return found


def planned_calendars(site: Site, register: Register | None = None) -> dict[str, Calendar]:
    """The planned calendar of each equipment that has one, by its id; of the site's register or another."""
    zone = ZoneInfo(site.gateway.timezone)
    known = {name: Calendar(name, options, zone) for name, options in site.calendars.items()}
    wanted = {e.id: e.calendar or DEFAULT_CALENDAR for e in (register or site.register).equipment}
    return {equipment: known[name] for equipment, name in wanted.items() if name in known}


def _is_certain(problem: ConfigProblem) -> bool:
    """Whether a problem stays one whatever stands in a file that could not be parsed.

    Sections may be spread over files; items of a list never are.
    """
    return problem.found != MISSING or "[" in problem.field


@dataclass(slots=True)
class _Drivers:
    """The drivers that a configuration names: only those are imported, as each costs memory."""

    by_name: dict[str, type[AnyDriver]] = field(default_factory=dict)

    def load(self, tree: Node) -> Iterator[ConfigProblem]:
        """Load the drivers; users of one that cannot be loaded are broken."""
        connections, profiles = tree.child("connections"), tree.child("profiles")
        users = [
            *(connections.items() if connections is not None else ()),
            *(profiles.entries().values() if profiles is not None else ()),
        ]
        installed = driver_names()
        for user in users:
            if isinstance(user.value, dict):
                yield from self._load_for(user, installed)

    def _load_for(self, user: Node, installed: list[str]) -> Iterator[ConfigProblem]:
        node = user.child("driver")
        expected = f"one of: {', '.join(installed)}"
        name = node.value if node is not None else None
        if node is not None and isinstance(name, str) and name in self.by_name:
            return
        if node is not None and name in installed and not node.broken:
            try:
                self.by_name[str(name)] = load_driver(str(name))
            except (ImportError, AttributeError) as error:
                yield node.problem(
                    f"the driver {name} cannot be loaded: {error}", "a driver that is installed"
                )
        elif node is None:
            yield user.place.problem((*user.route, "driver"), MISSING, expected)
        elif not node.broken:
            yield node.problem(f"found {node.written()}", expected, did_you_mean(node.text, installed))
        user.broken = node is None or node.broken


def _register(tree: Node, folder: Path) -> tuple[Register | None, list[ConfigProblem]]:
    """The register, if there is such a file; if not, the model has said so."""
    register = _file(tree, "register", folder)
    return (None, []) if register is None else read_register(*register, _file(tree, "processes", folder))


def _file(tree: Node, key: str, folder: Path) -> tuple[Path, str] | None:
    """The file that is named under `key`, and how problems name it; None if there is none."""
    node = tree.child(key)
    if node is None or node.broken or not isinstance(node.value, str) or not Path(node.value).is_file():
        return None
    return Path(node.value), node.text if "${" in node.text else str(folder / node.text)


def _own_folder(tree: Node, key: str, folder: Path) -> Path | None:
    """The plant's own folder under `key` of the indicators; if there is no such folder, the model says so."""
    indicators = tree.child("indicators")
    node = indicators.child(key) if indicators is not None else None
    if node is None or node.broken or not isinstance(node.value, str) or not Path(node.value).is_dir():
        return None
    # Mistakes in its files are told as the configuration names it.
    return Path(node.value) if "${" in node.text else folder / node.text


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a configuration came about."""

    path: Path
    folder: Path
    files: list[Path]
    outline: Node
    """Of the files alone, without what profiles bring."""
    hidden: Hidden

    def digests(self, configuration: Configuration) -> dict[Path, str]:
        more = (configuration.register_file, configuration.processes_file)
        files = [*self.files, *(file for file in more if file is not None)]
        return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in dict.fromkeys(files)}


def _site(
    configuration: Configuration,
    register: Register,
    known: Mapping[str, Definition],
    reading: "_Reading",
) -> Site:
    gateway, hidden = configuration.gateway, reading.hidden
    data_dir = reading.folder / configuration.data_dir
    wanted = configuration.indicators.definitions
    definitions = tuple(one for name, one in known.items() if wanted is None or name in wanted)
    return Site(
        gateway=gateway,
        data_dir=data_dir,
        register=register,
        connections=_with_shared_tags(configuration.connections),
        uplinks=tuple(_filled_in(uplink, gateway, data_dir) for uplink in configuration.uplinks),
        indicators=configuration.indicators,
        definitions=definitions,
        states=configuration.states,
        journal=configuration.journal,
        calendars=configuration.calendars,
        sharing=configuration.sharing,
        console=configuration.console,
        follow_files=configuration.follow_files,
        digest=_digest(configuration, register, definitions),
        hidden=hidden,
        path=reading.path,
        files=reading.digests(configuration),
        written=pack(entries(reading.outline, hidden)),
        register_file=configuration.register_file,
        read_ms=CLOCK.now_ms(),
    )


def _filled_in(uplink: AnyUplinkOptions, gateway: GatewayOptions, data_dir: Path) -> AnyUplinkOptions:
    if isinstance(uplink, InfluxdbUplinkOptions):
        return uplink
    filled: dict[str, object] = {"client_id": uplink.client_id or gateway.id}
    if uplink.tls is not None and uplink.tls.enrolled:
        # One file has both, so that they belong together whenever it is read.
        identity = data_dir / IDENTITY_FOLDER / f"{uplink.id}.pem"
        filled["tls"] = uplink.tls.model_copy(update={"certificate": identity, "key": identity})
    if isinstance(uplink, SparkplugUplinkOptions):
        return uplink.model_copy(update={**filled, "node": uplink.node or gateway.id})
    return uplink.model_copy(update={**filled, "root": root_of(uplink.root, gateway)})


def lacks_certificate(uplink: UplinkOptions) -> bool:
    """Whether the region has yet to give the certificate that an uplink of a site is to connect with."""
    tls = uplink.tls
    return tls is not None and tls.enrolled and not (tls.certificate is not None and tls.certificate.exists())


def root_of(template: str, gateway: GatewayOptions) -> str:
    """What the topics of this gateway begin with."""
    return template.format(region=gateway.region, enterprise=gateway.enterprise, gateway=gateway.id)


def _with_shared_tags(connections: tuple[ConnectionOptions, ...]) -> tuple[ConnectionOptions, ...]:
    """The same connections; equipment of one profile has one list of tags instead of equal ones, which
    among a hundred machines of 200 tags saves 15 MB."""
    first: dict[tuple[str, str], EquipmentOptions] = {}

    def shared(driver: str, equipment: EquipmentOptions) -> EquipmentOptions:
        if equipment.profile is None:
            return equipment
        model = first.setdefault((driver, equipment.profile), equipment)
        if model is equipment or model.tags != equipment.tags:
            return equipment
        return equipment.model_copy(update={"tags": model.tags})

    return tuple(
        one.model_copy(update={"equipment": tuple(shared(one.driver, each) for each in one.equipment)})
        for one in connections
    )


def _digest(configuration: Configuration, register: Register, definitions: tuple[Definition, ...]) -> str:
    # Profiles are in the equipment that uses them, secrets are dumped as asterisks; of files counts what
    # they say.
    content = configuration.model_dump(
        mode="json", exclude={"profiles", "register_file", "processes_file"}, fallback=str
    )
    del content["indicators"]["definitions_dir"], content["indicators"]["policies_dir"]
    content["register"] = register.version
    content["definitions"] = {one.id: one.digest for one in definitions}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
