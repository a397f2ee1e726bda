"""The front door. `--version` and `--help` are answered here, with nothing imported but the table of verbs."""

import sys

from rig import __version__
from rig.verbs import VERBS

GLOBAL_HELP = """\
Everywhere:
  -o, --output FORMAT   table, json, jsonl, yaml or csv; --json is -o json
  -q, --query EXPR      Part of the data, by a JMESPath expression
      --context NAME    Use this platform
      --config FILE     Use this settings file
      --no-input        Never ask; fail and name the option instead
      --no-color        No colour (as NO_COLOR does)
      --quiet, -v       Say less; say more
      --help            Help; of a verb: `rig deploy --help`, `rig help deploy`
      --version         Print the version
"""


def help_text() -> str:
    """The page that `rig --help` prints."""
    lines = ["rig deploys and operates applications, and can prove afterwards who did what.", "", "Usage: rig VERB ..."]
    group = ""
    for verb, (_, summary, its_group) in VERBS.items():
        if its_group != group:
            group = its_group
            lines += ["", f"{group}:"]
        lines.append(f"  {verb:<12}{summary}")
    return "\n".join([*lines, "", GLOBAL_HELP])


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
