"""Passwords as argon2id hashes: made, checked, and refused when they are easily guessed.

Cost as OWASP advises for argon2id with the least memory: 19 MiB, two passes, 25 to 40 ms of a small server.
"""

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST = 12
_LONGEST_BYTES = 1024
_FEWEST_CHARACTERS = 6
"""Different ones."""
_COMMON = (
    "password", "passw0rd", "qwerty", "asdfgh", "123456", "abcdef", "admin", "letmein", "welcome", "mima",
    "technician", "edgeagent", "edge-agent",
)  # fmt: skip

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hashed(password: str) -> str:
    """What stands in the configuration in its place; another one each time, as its salt is random."""
    return _HASHER.hash(password)


def fits(password: str, known_hash: str) -> bool:
    """Whether it is the password of the hash. Takes tens of milliseconds and 19 MiB: no work for a loop."""
    if len(password.encode()) > _LONGEST_BYTES:
        return False
    try:
        return _HASHER.verify(known_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def weakness(password: str, user: str = "") -> str:
    """Why it is easily guessed, in words for the one who chose it; empty if it is not."""
    folded = password.casefold()
    if len(password) < SHORTEST:
        return f"shorter than {SHORTEST} characters"
    if len(password.encode()) > _LONGEST_BYTES:
        return f"longer than {_LONGEST_BYTES} bytes"
    if len(set(folded)) < _FEWEST_CHARACTERS:
        return f"fewer than {_FEWEST_CHARACTERS} different characters"
    if user and user.casefold() in folded:
        return "the name of the user is in it"
    # What is left without the words that everybody tries first must still be something to guess.
    rest = folded
    for word in _COMMON:
        rest = rest.replace(word, "")
    if len(rest) < SHORTEST // 2:
        return "little more than a word that everybody tries first"
    return ""
