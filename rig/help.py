"""The page that `rig --help` prints. The front door shows it, so nothing is imported here but the table of verbs."""

from rig.verbs import VERBS

BEGINNING = (
    "Usage: rig VERB ...",
    "",
    "To begin: rig node start, rig login, rig deploy FOLDER --app demo/hello --create",
)
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
    lines = ["rig deploys and operates applications, and can prove afterwards who did what.", "", *BEGINNING]
    group = ""
    for verb, (_, summary, its_group) in VERBS.items():
        if its_group != group:
            group = its_group
            lines += ["", f"{group}:"]
        lines.append(f"  {verb:<12}{summary}")
    return "\n".join([*lines, "", GLOBAL_HELP])
