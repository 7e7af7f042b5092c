"""What failed at a connection and what to do about it, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause
from edge_agent.words import Words

CAUSES: Mapping[UnknownCause, Words] = {
    UnknownCause.NOT_CONNECTED: Words("未配置连接", "no connection configured"),
    UnknownCause.DISABLED: Words("配置中停用", "switched off in the configuration"),
    UnknownCause.NO_DATA: Words("尚无数据", "no data yet"),
    UnknownCause.UNREACHABLE: Words("端口连不上", "endpoint cannot be reached"),
    UnknownCause.TIMEOUT: Words("设备不应答", "does not answer"),
    UnknownCause.PROTOCOL_ERROR: Words("应答不合协议", "answers against the protocol"),
    UnknownCause.REFUSED: Words("控制器拒绝", "controller refuses"),
    UnknownCause.STALE: Words("数据过时", "data is stale"),
    UnknownCause.BAD_QUALITY: Words("点位质量差", "a tag is bad"),
    UnknownCause.UNDECIDED: Words("规则无法判定", "no rule decides"),
    UnknownCause.GATEWAY_DOWN: Words("网关未运行", "gateway was not running"),
    UnknownCause.CLOCK_STEP: Words("系统时钟被调整", "system clock was set"),
}
"""Why a state is unknown."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`what` is so, and what `todo` about it."""

    what: Words
    todo: Words


_ON_AND_ADDRESS = Words(
    "检查设备是否上电、地址和端口是否正确、网线和交换机是否正常",
    "check that the device is on, that address and port are right, and the cables and switches between",
)
_BY_ITSELF = Words("无需处理，代理会自动重连", "nothing: the agent connects again by itself")

FAILURES: Mapping[FailureKind, Failure] = {
    FailureKind.HOST_UNKNOWN: Failure(
        Words("找不到这个主机名", "the host name is unknown"),
        Words("检查拼写和 DNS，或直接写 IP 地址", "check the spelling and the DNS, or write the IP address"),
    ),
    FailureKind.PORT_CLOSED: Failure(
        Words("主机在，但这个端口没有服务", "the host is there, and nothing listens on this port"),
        Words(
            "检查端口号，确认设备上的通信服务已启用",
            "check the port, and that the service is switched on at the device",
        ),
    ),
    FailureKind.NO_ROUTE: Failure(
        Words("没有到这个地址的网络通路", "there is no way through the network to this address"),
        Words("检查网线、交换机、网段和网关设置", "check cables, switches, subnet and router settings"),
    ),
    FailureKind.NOT_ACCEPTED: Failure(
        Words("在限定时间内没有连上", "no connection came about in time"), _ON_AND_ADDRESS
    ),
    FailureKind.CUT: Failure(
        Words("连接被对方或网络中断", "the other side or the network ended the connection"),
        Words(
            "代理会自动重连；经常发生时，检查网线，以及设备是否只允许一个连接",
            "the agent connects again; if it happens often, check the cables, and whether the device allows"
            " one connection only",
        ),
    ),
    FailureKind.SILENT: Failure(
        Words("接受连接，但不应答任何请求", "accepts the connection, and answers nothing"),
        Words(
            "检查单元号和协议；有的设备只允许一个连接，先关闭其他上位机",
            "check unit id and protocol; some devices allow one connection only: close other clients",
        ),
    ),
    FailureKind.NO_ANSWER: Failure(
        Words("这台设备不应答，连接本身正常", "this machine does not answer; the connection stands"),
        Words(
            "检查设备是否开机、单元号是否正确、总线接线是否松动",
            "check that the machine is on, that the unit id is right, and the wiring of the bus",
        ),
    ),
    FailureKind.TOO_SLOW: Failure(
        Words("没有在限定时间内给出完整应答", "no complete answer came in time"),
        Words(
            "设备或网络太慢时，放宽 timeout 或加长 period",
            "if device or network are slow, allow a longer timeout or period",
        ),
    ),
    FailureKind.WRONG_ANSWER: Failure(
        Words("收到的应答不是所问的", "the answer is not to what was asked"),
        Words(
            "检查总线上是否有两个设备用同一单元号，或另有主站在用这条线",
            "check whether two devices have the same unit id, or another master uses the line",
        ),
    ),
    FailureKind.GARBLED: Failure(
        Words("收到的数据无法解析", "what comes cannot be understood"),
        Words(
            "检查 framing、波特率和校验位，以及屏蔽与接地",
            "check framing, baudrate and parity, and shield and earth of the cable",
        ),
    ),
    FailureKind.GATEWAY_NO_PATH: Failure(
        Words("串口网关没有到这个单元的通路", "the serial gateway has no path to this unit"),
        Words("在串口网关里配置这个单元号", "set this unit id up in the serial gateway"),
    ),
    FailureKind.GATEWAY_NO_ANSWER: Failure(
        Words("串口网关在，它后面的设备不应答", "the serial gateway is there, the machine behind it is not"),
        Words(
            "检查设备是否开机、串口线是否接好", "check that the machine is on, and its serial line connected"
        ),
    ),
    FailureKind.PORT_MISSING: Failure(
        Words("没有这个串口", "there is no such serial port"),
        Words(
            "检查转换器是否插好，在 /dev/serial/by-id/ 里查看名称",
            "check that the adapter is plugged in; /dev/serial/by-id/ has the names",
        ),
    ),
    FailureKind.PORT_FORBIDDEN: Failure(
        Words("没有使用这个串口的权限", "the agent may not use this serial port"),
        Words("把代理的用户加入 dialout 组", "add the agent's user to the group dialout"),
    ),
    FailureKind.PORT_BUSY: Failure(
        Words("串口被另一个程序占用", "another program uses the serial port"),
        Words("关闭占用它的程序；同一串口只能写一个连接", "end that program; a port serves one connection"),
    ),
    FailureKind.NO_SERIAL_PORT: Failure(
        Words("这不是串口", "this is no serial port"),
        Words("检查 device 写的路径", "check the path given as device"),
    ),
    FailureKind.NOT_TRUSTED: Failure(
        Words("对方的证书不可信", "the certificate of the other side is not trusted"),
        Words(
            "确认对方身份后接受它的证书，或检查证书的有效期与名称",
            "make sure who it is, then accept its certificate; or check its dates and names",
        ),
    ),
    FailureKind.OURS_REFUSED: Failure(
        Words("服务器不接受本网关的证书", "the server does not accept this gateway's certificate"),
        Words(
            "在服务器的“被拒绝证书”里信任本网关的证书",
            "trust this gateway's certificate among those that the server has rejected",
        ),
    ),
    FailureKind.LOGIN_REFUSED: Failure(
        Words("服务器拒绝这个用户", "the server refuses this user"),
        Words("检查用户名、密码和该用户的登录权限", "check user name, password, and the user's rights"),
    ),
    FailureKind.LOGIN_NOT_OFFERED: Failure(
        Words("服务器不提供这种登录方式", "the server does not offer this way to log in"),
        Words(
            "改用它提供的登录方式，或在服务器上启用", "use one that it offers, or switch this one on there"
        ),
    ),
    FailureKind.NO_ROOM: Failure(
        Words("对方的连接数已满", "the other side has no connection left"),
        Words("关闭其他客户端，或调高它的上限", "close other clients, or raise its limit"),
    ),
    FailureKind.SECURITY_DEMANDED: Failure(
        Words("服务器要求加密连接", "the server demands a connection with security"),
        Words("去掉 security: none", "leave security: none out"),
    ),
    FailureKind.SECURITY_NOT_OFFERED: Failure(
        Words("服务器不提供所要求的加密方式", "the server does not offer the security that is asked for"),
        Words("改用它提供的方式，或在服务器上启用", "choose one that it offers, or switch this one on there"),
    ),
    FailureKind.WRONG_PROTOCOL: Failure(
        Words("对方一收到报文就断开", "the other side hangs up at the first message"),
        Words(
            "检查端口是否属于这种协议，以及对方是否还有空闲连接",
            "check that the port is one of this protocol, and that the device has a connection left",
        ),
    ),
    FailureKind.ENDPOINT_UNKNOWN: Failure(
        Words("服务器不认识这个端点地址", "the server does not know this endpoint"),
        Words("按服务器列出的写法填写 endpoint", "write the endpoint as the server lists it"),
    ),
    FailureKind.STOPPED: Failure(
        Words("服务器正在停机或暂无数据", "the server is going down, or has no data now"), _BY_ITSELF
    ),
    FailureKind.SESSION_LOST: Failure(Words("服务器结束了会话", "the server ended the session"), _BY_ITSELF),
    FailureKind.SUBSCRIPTION_LOST: Failure(
        Words("服务器不再发送订阅的数据", "the server no longer sends what is subscribed to"), _BY_ITSELF
    ),
    FailureKind.FILES: Failure(
        Words("网关上的文件或文件夹无法使用", "a file or folder on this gateway cannot be used"),
        Words("检查路径和权限", "check path and rights"),
    ),
    FailureKind.FAULT: Failure(
        Words("驱动程序出错", "a mistake in the driver"),
        Words("代理会重连；请把日志交给开发者", "the agent connects again; send the log to the developers"),
    ),
}

_TODO_BY_CAUSE: Mapping[UnknownCause, Words] = {
    UnknownCause.UNREACHABLE: _ON_AND_ADDRESS,
    UnknownCause.TIMEOUT: FAILURES[FailureKind.NO_ANSWER].todo,
    UnknownCause.REFUSED: Words(
        "检查用户、密码、证书，以及是否还有空闲连接",
        "check user, password and certificate, and whether a connection is left",
    ),
}
_NOTHING = Words("", "")


def failure_of(kind: str, cause: str) -> Failure:
    """What a failure of this kind is; where the driver names no kind that is known, what its cause means."""
    if kind in set(FailureKind):
        return FAILURES[FailureKind(kind)]
    if cause in set(UnknownCause):
        of_cause = UnknownCause(cause)
        return Failure(CAUSES[of_cause], _TODO_BY_CAUSE.get(of_cause, _NOTHING))
    return Failure(Words(cause, cause), _NOTHING)
