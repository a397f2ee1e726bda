"""Users with machines of their own, as in the tests from end to end."""

from tests.e2e.conftest import fresh

__all__ = ["fresh"]
