"""How guessing is slowed down. Pure: the state comes in and goes out."""

from __future__ import annotations

import msgspec

SECOND = 1_000_000_000


class Policy(msgspec.Struct, frozen=True):
    """``free`` failures cost nothing; each one after that doubles the wait, from ``base`` to ``cap`` seconds. After
    ``forget`` seconds without a failure it all begins anew."""

    free: int
    base: int
    cap: int
    forget: int = 3600


class Guesses(msgspec.Struct, frozen=True):
    """Failures so far, the last one's time and the end of the wait, in nanoseconds since the epoch."""

    failures: int = 0
    last_at: int = 0
    until: int = 0


PASSPHRASE_HERE = Policy(free=4, base=5, cap=900)
"""For one name from one address."""
PASSPHRASE_ANYWHERE = Policy(free=30, base=5, cap=300)
"""For one name from everywhere. Looser, so that a stranger cannot easily keep somebody out of the login page."""
PASSPHRASE_FROM = Policy(free=50, base=5, cap=300)
"""For all names from one address: one passphrase can be tried on many names, and each try keeps the node busy."""
USER_CODE = Policy(free=9, base=10, cap=3600)
"""For user codes from one address."""
SECRET = Policy(free=9, base=5, cap=300)
"""For the bootstrap secret from one address."""


def wait(guesses: Guesses, now: int) -> int:
    """Whole seconds to wait before another try, 0 for none."""
    return max(0, -((now - guesses.until) // SECOND)) if guesses.until > now else 0


def failed(guesses: Guesses, policy: Policy, now: int) -> Guesses:
    """The state after one more failure."""
    before = 0 if now - guesses.last_at > policy.forget * SECOND else guesses.failures
    failures = before + 1
    over = failures - policy.free
    seconds = min(policy.cap, policy.base << min(over - 1, 30)) if over > 0 else 0
    return Guesses(failures=failures, last_at=now, until=now + seconds * SECOND if seconds else 0)
