"""Each in a process of its own: what is set holds for a whole process."""

import platform
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest


def said_by(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_what_is_lost_after_the_start_is_found_however_much_was_loaded() -> None:
    """Connections that are closed leave cycles, some thousand objects a day, which only it frees."""
    alive = said_by(
        """
        import gc
        from edge_agent.memory import settle

        class Lost:
            def __init__(self) -> None:
                self.itself = self

        loaded = [[] for _ in range(400_000)]
        settle()
        for day in range(60):
            lost = [Lost() for _ in range(2_000)]
            passing = [[] for _ in range(1_000)]
            del lost, passing
        print(sum(type(one) is Lost for one in gc.get_objects()))
        """
    )
    assert int(alive) < 8_000, "of 120,000"


@pytest.mark.skipif(sys.platform != "linux", reason="it is told to Linux")
def test_code_that_only_the_start_needs_is_given_back_and_runs_again() -> None:
    before, after, works = said_by(
        """
        import re
        from pathlib import Path
        import numpy
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from edge_agent.memory import give_back

        def files_kb() -> int:
            return int(re.search(r"RssFile:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

        def work() -> float:
            key = Ed25519PrivateKey.from_private_bytes(bytes(32))
            key.public_key().verify(key.sign(b"1"), b"1")
            return float(numpy.linalg.det(numpy.array([[1.0, 2.0], [3.0, 4.0]])))

        first, before = work(), files_kb()
        give_back()
        print(before, files_kb(), work() == first)
        """
    ).split()
    assert int(after) < int(before) / 2
    assert works == "True"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it alone has several heaps")
def test_threads_share_one_heap(tmp_path: Path) -> None:
    told = tmp_path / "heaps.xml"
    said_by(
        """
        import ctypes
        import sys
        import threading
        from edge_agent.memory import share_one_heap

        share_one_heap()
        full, done = threading.Barrier(5), threading.Event()

        def take() -> None:
            taken = [bytearray(10_000) for _ in range(100)]
            full.wait(10)
            done.wait(10)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        full.wait(10)
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
        libc.malloc_info(0, file)
        libc.fclose(file)
        done.set()
        """,
        str(told),
    )
    assert told.read_text().count("<heap nr=") == 1
