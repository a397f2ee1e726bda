"""Users with machines of their own, as in the tests from end to end, and git as nobody has configured it."""

from tests.clients.conftest import plain_git
from tests.e2e.conftest import fresh

__all__ = ["fresh", "plain_git"]
