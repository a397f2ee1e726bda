"""Where the shim process begins: ``python -I -S shim.py RUN_ID``, see `rig.node.runtime.keeper`.

Python compiles the file that it is given at every start, and keeps the compiled form of what that one imports; so the
work is over there, and this stays small.
"""

import os
import sys

if __name__ == "__main__":
    # At the end: nothing that stands beside our packages may shadow the standard library.
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

    from rig.node.runtime.keeper import main

    main()
