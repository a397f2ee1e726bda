"""The edge: Caddy, through which every request to an app comes in.

:mod:`.config` turns routes into Caddy's configuration and does nothing else; :mod:`.caddy` runs the process, which goes
on when the node is gone; :mod:`.binary` finds the program.
"""
