"""The front door. `--version` and `--help` are answered here, with nothing imported but the table of verbs."""

import sys

from rig import __version__
from rig.help import help_text

COLLECT_AFTER = 10_000
"""New objects after which Python looks for cycles; its own 700 are reached again and again while modules load."""


def main() -> int:
    """The entry point of the `rig` command; gives the exit code."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from rig.stdio import complete

        complete()
    try:
        return _answer(sys.argv[1:])
    except KeyboardInterrupt:  # before there was anything to interrupt, or twice
        return 130


def _answer(argv: list[str]) -> int:
    if argv in ([], ["--help"], ["-h"], ["help"]):
        return _print(help_text())
    if argv in (["--version"], ["-V"]):
        return _print(f"rig {__version__}\n")
    if argv[0] == "help":
        argv = [*argv[1:], "--help"]
    import gc

    # Imports leave thousands of objects and no cycle: looking for some took a tenth of a short command, half of it at
    # its very end.
    gc.set_threshold(COLLECT_AFTER)
    try:
        from rig.light import import_msgspec

        import_msgspec()
        from rig.cli.run import run

        return run(argv)
    finally:
        gc.freeze()


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        from rig.stdio import give_up

        return give_up(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
