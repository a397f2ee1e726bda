"""From an empty machine to a served application, as `make demo` does it: the commands a person would type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

EXAMPLE = Path(__file__).parent / "hello-python"
APP = "demo/hello"


def rig(*arguments: str) -> None:
    """Run one command, and show it first."""
    print("\n$ rig " + " ".join(arguments), flush=True)
    if subprocess.run(["rig", *arguments], check=False).returncode:
        sys.exit("The demo stopped at this command; what it says above tells why.")


def page(url: str) -> str:
    """The app's page. `*.localhost` does not resolve everywhere, so this machine is reached by its number."""
    host = url.removeprefix("http://").rstrip("/")
    port = host.partition(":")[2]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the address is the node's own
        return str(answer.read().decode())


def main() -> None:
    rig("node", "start")
    rig("login")
    rig("deploy", os.path.relpath(EXAMPLE), "--app", APP, "--create")
    details = subprocess.run(["rig", "details", "app", APP, "-o", "json"], check=True, capture_output=True)
    url = json.loads(details.stdout)["data"]["url"]
    html = page(url)
    heading = html.partition("<h1>")[2].partition("</h1>")[0]
    print(f"\nIts page has {len(html)} bytes and begins: {heading}\n\nOpen it in a browser:  {url}\n")
    print("What to try next:\n")
    print(f"  export RIG_HOME={os.environ.get('RIG_HOME', '')} PATH={Path(sys.executable).parent}:$PATH")
    print(f"  rig status app {APP}        how it is doing")
    print(f"  rig history {APP}           its releases")
    print(f"  rig rollback {APP}          the release before, once there are two")
    print("  rig audit                        what was done so far, and by whom")
    print("  make demo-stop                   stop it all and remove what it kept")


if __name__ == "__main__":
    main()
