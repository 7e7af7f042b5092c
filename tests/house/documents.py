"""What the pages for people say, in pieces that tests can hold against the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = (*READMES, *sorted((ROOT / "docs").rglob("*.md")))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def event_kinds() -> set[str]:
    """All that the contract with the region names."""
    table = text_of(ROOT / "docs" / "contract.md").split("| kind | subject | detail |")[1].split("\n\n")[0]
    return {kind for row in table.splitlines()[2:] for kind in re.findall(r"`(\w+)`", row.split("|")[1])}


TWINS = tuple(
    (chinese.with_name(chinese.name.replace(".zh-CN", "")), chinese)
    for chinese in sorted((ROOT / "docs").glob("*.zh-CN.md"))
)
"""Pages of docs/ that are there in both languages: the English one, the Chinese one."""


def fences(page: Path) -> list[str]:
    """All fenced blocks, with their language, in their order."""
    return re.findall(r"^```.*?^```$", text_of(page), re.MULTILINE | re.DOTALL)


def outline(page: Path) -> list[int]:
    """The levels of the headings, in their order."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return [len(signs) for signs in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def table_rows(page: Path) -> int:
    return len(re.findall(r"^\|", text_of(page), re.MULTILINE))
