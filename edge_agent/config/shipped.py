"""Data files that come with the agent."""

from pathlib import Path

import edge_agent


def shipped(*parts: str) -> Path:
    """A file or folder under `configs/` of the source tree, which an installed package has in itself."""
    package = Path(edge_agent.__file__).parent
    installed = package / "shipped"
    return (installed if installed.is_dir() else package.parent / "configs").joinpath(*parts)
