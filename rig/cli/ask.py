"""Questions. Nothing is asked without a terminal: the error names the option that answers."""

from __future__ import annotations

import os
import sys

from rig.cli.output import Output
from rig.kernel.errors import RigError, declined


class Terminal:
    """Whoever sits in front of it, if anybody does."""

    def __init__(self, output: Output, *, may_ask: bool) -> None:
        self._output = output
        self.interactive = may_ask and sys.stdin.isatty() and output.stderr.isatty() and not os.environ.get("CI")

    def agree(self, question: str, *, default: bool = False) -> bool:
        """Ask a yes-or-no question; ``default`` is what a bare return means. False where nobody can be asked."""
        if not self.interactive:
            return False
        answer = self._answer(question + (" [Y/n]" if default else " [y/N]")).lower()
        return answer in {"y", "yes"} or (default and not answer)

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        """See `rig.kernel.client.Terminal.confirm`."""
        if not self.interactive:
            shows = f"; `{look}` shows what it would do" if look else ""
            raise RigError(
                "input_required", f"{question} There is no terminal to ask on.", f"Say it with `{flag}`{shows}."
            )
        yes = self._answer(f"{question} Type `{word}` to go on:") == word if word else self.agree(question)
        if not yes:
            raise declined()

    def _answer(self, question: str) -> str:
        """What is typed. Raises `RigError` ``cancelled`` on Ctrl-C: while a question is open nothing has been sent."""
        self._output.stderr.write(self._output.prose(question) + " ")
        self._output.stderr.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            self._output.stderr.write("\n")
            raise declined() from None
        if not line.endswith("\n"):
            self._output.stderr.write("\n")  # Ctrl-D leaves the cursor behind the question
        return line.strip()

    def tell(self, text: str) -> None:
        """Say on stderr what must be read for things to go on, even with --quiet."""
        self._output.stderr.write(self._output.prose(text) + "\n")
        self._output.stderr.flush()

    def note(self, text: str) -> None:
        """Say something on stderr."""
        self._output.note(text)
