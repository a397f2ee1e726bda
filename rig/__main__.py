"""The front door. `--version` and `--help` are answered here, with nothing imported but the table of verbs."""

import sys

from rig import __version__
from rig.help import help_text


def main() -> int:
    """The entry point of the `rig` command; gives the exit code."""
    argv = sys.argv[1:]
    if argv in ([], ["--help"], ["-h"], ["help"]):
        sys.stdout.write(help_text())
        return 0
    if argv in (["--version"], ["-V"]):
        sys.stdout.write(f"rig {__version__}\n")
        return 0
    if argv[0] == "help":
        argv = [*argv[1:], "--help"]
    from rig.cli.run import run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
