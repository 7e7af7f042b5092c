"""How the commands get to a server: the options of the configuration, by the same names."""

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from pydantic import ValidationError

from drivers.opcua.errors import connection_failed
from drivers.opcua.options import OpcuaConnection, SecurityName, ServerAccess
from drivers.opcua.session import Session
from edge_agent.driver import DriverError

R = TypeVar("R")

_OPTIONS = (
    click.option(
        "--security",
        type=click.Choice(get_args(SecurityName)),
        help="Security policy. Default: the strongest that the server offers. 'none' lets anybody listen.",
    ),
    click.option("--mode", type=click.Choice(["SignAndEncrypt", "Sign"]), help="Default: SignAndEncrypt."),
    click.option("--pki", type=click.Path(path_type=Path), help="Folder of own and trusted certificates."),
    click.option("--username", help="Log in as this user; the password is asked for. Default: anonymous."),
    click.option("--password-env", metavar="NAME", help="Take the password from this environment variable."),
    click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--plain-password", is_flag=True, help="Let the password travel readable (security none)."),
    click.option("--user-certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--user-key", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--timeout", metavar="DURATION", help="Limit for one answer: 3s, 500ms."),
)


def server_access(command: Callable[..., R]) -> Callable[..., R]:
    """Decorates a click command: adds the argument URL and the options of access; the function gets them
    checked, as `access: ServerAccess`."""

    @functools.wraps(command)
    def with_access(url: str, *arguments: object, **given: Any) -> R:
        of_access = {name: given.pop(name) for name in _names()}
        return command(*arguments, access=_access(url, of_access), **given)

    decorated: Callable[..., R] = with_access
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return click.argument("url", metavar="URL")(decorated)


def run(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a command's work; what a server does wrong ends it with a sentence and exit status 1."""
    try:
        return asyncio.run(coroutine)
    except DriverError as error:
        raise click.ClickException(f"{error}. {error.remedy}" if error.remedy else str(error)) from None


@asynccontextmanager
async def opened(access: ServerAccess) -> AsyncIterator[Session]:
    """A session that is closed afterwards. Raises ConnectionFailed."""
    session = Session(connection(access, []))
    try:
        await session.open()
        yield session
    except (DriverError, click.ClickException):
        raise
    except Exception as error:  # see `errors.explained`
        raise connection_failed(access.endpoint, error) from error
    finally:
        await session.close()


def connection(access: ServerAccess, tags: list[dict[str, object]], **more: object) -> OpcuaConnection:
    """A connection that does not stand in a configuration, with one equipment of `tags`."""
    equipment = [{"id": "commissioning", "tags": tags}]
    given = {name: getattr(access, name) for name in access.model_fields_set if name != "timeout"}
    made = {"id": "commissioning", "driver": "opcua", "equipment": equipment, **given, **more}
    return OpcuaConnection.model_validate(made).model_copy(update={"timeout": access.timeout})


def _names() -> list[str]:
    return [
        "security",
        "mode",
        "pki",
        "username",
        "password_env",
        "password_file",
        "plain_password",
        "user_certificate",
        "user_key",
        "timeout",
    ]


def _access(url: str, given: dict[str, Any]) -> ServerAccess:
    environment, file = given.pop("password_env"), given.pop("password_file")
    wanted = {name: value for name, value in given.items() if value not in (None, False)}
    if environment is not None:
        if environment not in os.environ:
            raise click.UsageError(f"the environment variable {environment} is not set")
        wanted["password"] = os.environ[environment]
    elif file is not None:
        wanted["password"] = file.read_text(encoding="utf-8").rstrip("\r\n")
    elif given["username"] is not None:
        wanted["password"] = click.prompt(f"Password of {given['username']} 密码", hide_input=True, err=True)
    try:
        return ServerAccess(endpoint=url if "://" in url else f"opc.tcp://{url}", **wanted)
    except ValidationError as error:
        mistakes = (
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False)
        )
        raise click.UsageError("; ".join(mistakes)) from None
