"""`edge-agent console`: what the agent's own page needs before it may be seen from elsewhere."""

import sys

import click

from edge_agent.console.passwords import SHORTEST, hashed, weakness

EXIT_REFUSED = 1


@click.group()
def console() -> None:
    """The agent's own page: passwords for signing in to it. 代理自带页面的登录密码。"""


@console.command()
@click.option("--user", default="", help="Who it is for: a password with the user's name in it is refused.")
def password(user: str) -> None:
    """Ask for a password twice, and print its hash for `console.sign_in.users` of the configuration.

    The password itself is kept nowhere. 只输出密码的哈希值，不保存密码本身。

    Exit status: 0 printed, 1 refused as easily guessed.
    """
    click.echo(f"密码至少 {SHORTEST} 个字符 At least {SHORTEST} characters.", err=True)
    chosen = click.prompt("密码 Password", hide_input=True, err=True)
    reason = weakness(chosen, user)
    if reason:
        click.echo(f"密码太弱，未采用 Refused: {reason}", err=True)
        sys.exit(EXIT_REFUSED)
    again = click.prompt("再输一次 Once more", hide_input=True, err=True)
    if again != chosen:
        click.echo("两次输入不一致 Refused: they differ", err=True)
        sys.exit(EXIT_REFUSED)
    click.echo(hashed(chosen))
