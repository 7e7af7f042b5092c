"""What `edge-agent init` asks, and what answers it takes."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, cast, get_args

import click

from edge_agent.config.errors import ConfigError
from edge_agent.config.identity import credit_code, region_code
from edge_agent.config.register import read_register
from edge_agent.config.starting import Beginning, Broker

NONE = "none"
"""In place of a broker."""
Template: TypeAlias = Literal["xlsx", "csv"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_BROKER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+]|[A-Za-z0-9_.-]+)(:(?P<port>\d{1,5}))?")
_TLS_PORT, _PLAIN_PORT, _LAST_PORT = 8883, 1883, 65535

T = TypeVar("T")


@dataclass(slots=True)
class Asking:
    """Takes answers from options, from people, or not at all."""

    people: bool
    missing: list[str] = field(default_factory=list)
    """Options that nobody gave and that have no default."""

    def answer(
        self,
        given: str | None,
        option: str,
        question: str,
        check: Callable[[str], T],
        default: str | None = None,
    ) -> T | None:
        """What was given or is answered, checked; a wrong answer is asked for again, a wrong option ends it.

        Without people the `default` holds, and an option without one is missing.
        """
        if given is None and not self.people:
            if default is None:
                self.missing.append(option)
                return None
            given = default
        if given is not None:
            try:
                return check(given)
            except ValueError as error:
                raise click.UsageError(f"{option}: {error}") from None
        while True:
            said = click.prompt(question, default=default, show_default=bool(default), err=True)
            try:
                return check(said)
            except ValueError as error:
                click.echo(f"  {error}", err=True)


@dataclass(frozen=True, slots=True)
class Given:
    """What options say; None, or nothing, where they do not."""

    enterprise: str | None
    region: str | None
    gateway: str | None
    name: str | None
    workshops: tuple[str, ...]
    register: Path | None
    processes: Path | None
    template: Template | None
    broker: str | None
    tls: bool | None
    username: str | None
    password_file: Path | None


def ask(asking: Asking, given: Given) -> Beginning:
    """Everything that is needed. Parts of it are empty where `asking.missing` names an option.

    Raises click.Abort at Ctrl-C, and click.UsageError for an option that is wrong.
    """
    code = asking.answer(
        given.enterprise, "--enterprise", "统一社会信用代码 Unified social credit code (18)", _credit_code
    )
    likely = code[2:8] if code is not None and asking.people and _is_region(code[2:8]) else None
    region = asking.answer(
        given.region, "--region", "行政区划代码 Administrative division code (6)", _region, likely
    )
    gateway = asking.answer(given.gateway, "--gateway", "网关编号 Id of this gateway", _id, "gw-01")
    name = asking.answer(given.name, "--name", "名称（可空）Name, for people", str.strip, "")
    register = _register_file(asking, given)
    workshops: tuple[str, ...] = ()
    template: Template | None = None
    if register is None:
        workshops, template = _of_template(asking, given)
    return Beginning(
        enterprise=code or "",
        region=region or "",
        gateway=gateway or "",
        name=name or "",
        broker=_broker(asking, given),
        workshops=workshops,
        template=template or "xlsx",
        register=register.resolve() if register is not None else None,
        processes=given.processes.resolve() if given.processes is not None else None,
    )


def _register_file(asking: Asking, given: Given) -> Path | None:
    """The register that there is, without mistakes; None if a template is to be written."""
    if given.register is None and (given.workshops or not asking.people):
        return None
    question = "已有设备台账文件（可空，则生成模板）Register file; empty: a template is written"
    check = partial(_register, processes=given.processes)
    path = str(given.register) if given.register is not None else None
    said = asking.answer(path, "--register", question, check, "")
    return Path(said) if said else None


def _of_template(asking: Asking, given: Given) -> tuple[tuple[str, ...], Template | None]:
    question = "车间，以逗号分隔 Workshops, with commas between"
    names = ",".join(given.workshops) if given.workshops else None
    workshops = asking.answer(names, "--workshop", question, _workshops)
    question = "台账模板格式 Template of the register: xlsx, csv"
    return workshops or (), asking.answer(given.template, "--template", question, _template, "xlsx")


def _broker(asking: Asking, given: Given) -> Broker | None:
    question = f"MQTT 服务器 Broker of the platform, HOST[:PORT] ({NONE}: 暂不上报)"
    place = asking.answer(given.broker, "--broker", question, _place, NONE if asking.people else None)
    if place is None or place == (NONE, 0):
        return None
    host, port = place
    tls, username, password = given.tls, given.username or "", ""
    if tls is None:
        tls = port != _PLAIN_PORT
        if asking.people:
            tls = click.confirm("TLS 加密 Encrypt with TLS?", default=tls, err=True)
    if given.username is None:
        username = asking.answer(None, "--username", "用户名（可空）Username, if any", str.strip, "") or ""
    if username and given.password_file is None:
        if asking.people:
            password = click.prompt("密码 Password", hide_input=True, err=True)
        else:
            asking.missing.append("--password-file")
    file = given.password_file.resolve() if given.password_file is not None else None
    return Broker(host, port or (_TLS_PORT if tls else _PLAIN_PORT), tls, username, password, file)


def _credit_code(text: str) -> str:
    return credit_code(unicodedata.normalize("NFKC", text).strip().upper())


def _region(text: str) -> str:
    return region_code(unicodedata.normalize("NFKC", text).strip())


def _is_region(text: str) -> bool:
    try:
        region_code(text)
    except ValueError:
        return False
    return True


def _id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise ValueError("expected 1 to 64 letters, digits, _ . or -, the first a letter or digit")
    return text


def _workshops(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, (one.strip() for one in re.split("[,，;；、]", text)))))
    if not names:
        raise ValueError("expected at least one workshop 至少一个车间")
    return names


def _template(text: str) -> Template:
    if text not in get_args(Template):
        raise ValueError("expected xlsx or csv")
    return cast(Template, text)


def _register(text: str, processes: Path | None) -> str:
    """A register without mistakes, or nothing."""
    if not text.strip():
        return ""
    file = Path(text.strip()).expanduser()
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file")
    beside = None if processes is None else (processes, str(processes))
    found, problems = read_register(file, str(file), beside)
    if problems or found is None:
        raise ValueError("\n".join(map(str, ConfigError(problems).problems)))
    return str(file)


def _place(text: str) -> tuple[str, int]:
    """Host and port; port 0 if none is given."""
    text = text.strip()
    match = _BROKER.fullmatch(text)
    if match is None or int(match["port"] or 1) not in range(1, _LAST_PORT + 1):
        raise ValueError("expected HOST or HOST:PORT, such as mqtt.example.com:8883")
    return match["host"].strip("[]"), int(match["port"] or 0)
