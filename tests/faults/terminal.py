"""rig as a process on a terminal of its own, with somebody who presses Ctrl-C."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Mapping
from types import TracebackType

from tests.e2e.rig import RIG
from tests.support import TIMEOUT, wait_until


class OnTerminal:
    """One command on a terminal, as no CI job has one. A context manager: it does not outlive the block."""

    def __init__(self, *argv: str, env: Mapping[str, str]) -> None:
        self._ours, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        self._after: list[object] | None = None
        self._shown: list[str] = []
        terminal = self._theirs
        self._process = subprocess.Popen(
            [RIG, *argv],
            env={name: text for name, text in env.items() if name != "CI"} | {"TERM": "xterm"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # The terminal becomes the session's own, so that it turns Ctrl-C into a signal.
            preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self._looking = threading.Thread(target=self._look)

    def __enter__(self) -> OnTerminal:
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._ended()
        os.close(self._ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        """All that was on the terminal."""
        return "".join(self._shown)

    @property
    def settings(self) -> list[object]:
        """How the terminal is set now, or was when the command had ended; see tcgetattr(3)."""
        return termios.tcgetattr(self._theirs) if self._after is None else self._after

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text, f"{text!r} on the terminal, which shows {self.text!r}")

    def press_ctrl_c(self) -> None:
        os.write(self._ours, b"\x03")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> tuple[int, float]:
        """Wait for its end; gives the exit code and the seconds that it took. From then on ``text`` is whole."""
        began = time.monotonic()
        code = self._process.wait(TIMEOUT)
        seconds = time.monotonic() - began
        self._ended()
        return code, seconds

    def _ended(self) -> None:
        self._process.wait()
        if self._after is None:
            self._after = termios.tcgetattr(self._theirs)
            os.close(self._theirs)  # the last one: what is there is read, and reading ends
            self._looking.join()

    def _look(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two pieces
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # Linux: nobody has the other side open
                return
            if not data:
                return
            self._shown.append(decoder.decode(data))
