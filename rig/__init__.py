"""rig: deploys and operates applications, and can prove afterwards who did what."""

import os
import sys

__version__ = "0.1.0"

# `python -m rig` puts the current directory first on the path, and what lies there may be a stranger's: its `json.py`
# would run. (A `rig/` there is found before this line is; the `rig` command has neither problem.)
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and "rig" in sys.orig_argv:
    del sys.path[0]

# A project may have an `events/` folder of its own in the current directory. Our sibling packages are bound here,
# from our own root, before anything else can be found under their names.
_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, _root)
try:
    import events
    import handlers
    import storage
finally:
    sys.path.remove(_root)

__all__ = ["__version__", "events", "handlers", "storage"]
