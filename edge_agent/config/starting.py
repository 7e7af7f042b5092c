"""The files that a new site begins with: a configuration with comments, and a register to fill in."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Literal

from edge_agent.config.register_files import write_register
from edge_agent.config.site import load_site
from edge_agent.model.equipment import Equipment, Register

CONFIGURATION = "10-gateway.yaml"
PASSWORD = "mqtt.password"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Broker:
    """`password` goes into a file of its own; `password_file` names one that there is."""

    host: str
    port: int
    tls: bool
    username: str = ""
    password: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was answered, checked. Either `register`, a file that there is, or a `template` of `workshops`."""

    enterprise: str
    region: str
    gateway: str
    name: str
    broker: Broker | None
    workshops: tuple[str, ...] = ()
    template: Literal["csv", "xlsx"] = "xlsx"
    register: Path | None = None
    processes: Path | None = None

    @property
    def files(self) -> list[str]:
        """Names of the files that are written."""
        names = [CONFIGURATION]
        if self.register is None:
            names.append(f"register.{self.template}")
        if self.broker is not None and self.broker.password:
            names.append(PASSWORD)
        return names


def write_beginning(beginning: Beginning, folder: Path) -> None:
    """Write the files into `folder`, replacing those of their names; each is whole, or as it was before.

    All are written aside first, and loaded as the agent loads them. Raises OSError, and ConfigError if
    they are wrong.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write(beginning, aside)
        load_site(aside)
        if not folder.exists():
            aside.chmod(0o755)
            aside.rename(folder)
            return
        for name in beginning.files:
            (aside / name).replace(folder / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(beginning: Beginning, folder: Path) -> None:
    broker = beginning.broker
    if beginning.register is None:
        write_register(_template(beginning.workshops), folder / f"register.{beginning.template}", "zh")
    if broker is not None and broker.password:
        file = folder / PASSWORD
        file.touch(0o600)
        file.write_text(f"{broker.password}\n", encoding="utf-8")
    (folder / CONFIGURATION).write_text(configuration(beginning), encoding="utf-8")


def _template(workshops: Sequence[str]) -> Register:
    """An example for each workshop; machines with a controller and without one take turns."""
    examples = (
        Equipment(
            "", "示例数控车床（请改写）", "", kind="数控车床", digital=True, nc=True, nc_ground="数控系统型号"
        ),
        Equipment(
            "", "示例普通车床（请改写）", "", kind="车床", should_connect=False, connect_reason="无控制器"
        ),
    )
    return Register(
        tuple(
            replace(example, id=f"EX-{number:02}", workshop=workshop)
            for number, (workshop, example) in enumerate(zip(workshops, cycle(examples), strict=False), 1)
        )
    )


def configuration(beginning: Beginning) -> str:
    """The text of the configuration."""
    register = str(beginning.register) if beginning.register is not None else f"register.{beginning.template}"
    return f"""\
# 边缘网关配置 Configuration of this gateway. All *.yaml files of this folder are read together, in the order
# of their names. 每项含义见 What each key means: docs/configuration.md
# 改动后请检查 After every change:  edge-agent check <this folder>

gateway:
  id: {_text(beginning.gateway)}                    # 网关编号，企业内唯一 unique in the enterprise
  region: {_text(beginning.region)}             # 行政区划代码 administrative division code; in quotes
  enterprise: {_text(beginning.enterprise)} # 统一社会信用代码 unified social credit code
  name: {_text(beginning.name)}
  # headcount: 96                # 从业人数 employees: robot density is worked out by it
  # timezone: Asia/Shanghai      # 班次与日期所用时区 by whose clocks days and shifts are meant

data_dir: data                   # 日志队列与历史 journal and history, beside this file

# 设备台账：全部设备，无论是否联网；联网率、数控化率的分母由此得来。
# The asset register: ALL machines, connected or not; the rates are taken over these.
register: {_text(register)}
{_processes(beginning.processes)}

# 连接 How machines are reached, by file 20-connections.yaml of this folder. It is made by
#   edge-agent discover 192.168.0.0/24 --json found.json
#   edge-agent match <this folder> found.json --snippet 20-connections.yaml
# or by hand:
# connections:
#   - id: lathe-1
#     driver: modbus             # or opcua
#     host: 192.168.0.20
#     equipment:
#       - {{id: EX-01, unit: 1, tags: [{{id: status, table: holding, address: 0}}]}}

{_uplinks(beginning.broker)}
# 网页 The agent's own page, on this computer only: http://127.0.0.1:8080
console: {{listen: 127.0.0.1:8080}}

# 计划日历 When machines are meant to work: availability and OEE need it.
# calendars:
#   default:
#     shifts:
#       - {{id: day, days: [mon, tue, wed, thu, fri], start: "08:00", end: "16:30"}}
"""


def _processes(file: Path | None) -> str:
    if file is None:
        return ""
    return f"processes: {_text(str(file))}    # 工序 which are key, and what they are controlled by\n"


def _uplinks(broker: Broker | None) -> str:
    if broker is None:
        return (
            "# 上行 Where figures go; without one nothing is sent. 未配置则不上报。\n"
            "# uplinks:\n"
            "#   - {id: region, type: mqtt, host: mqtt.example.com, port: 8883, tls: {}}\n"
        )
    lines = [
        "# 上行 Where figures go. The topics and what is in them: docs/contract.md",
        "uplinks:",
        "  - id: region",
        "    type: mqtt",
        f"    host: {_text(broker.host)}",
        f"    port: {broker.port}",
    ]
    if broker.username:
        file = PASSWORD if broker.password_file is None else str(broker.password_file)
        lines += [f"    username: {_text(broker.username)}", f"    password: {_text(f'file:{file}')}"]
    if broker.tls:
        lines.append(
            "    tls: {}                      # 按系统根证书验证 the system's authorities; or ca: FILE"
        )
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """`text` as a YAML scalar in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
