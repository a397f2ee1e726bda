"""What processes print: one stream per run, written by one writer, read by position.

`segments` and `lines` are stdlib-only, because the shim of every process imports them and has to start fast and stay
small. `reader` is for the node.
"""
