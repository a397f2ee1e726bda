"""The edge: Caddy, through which every request to an app comes in.

:mod:`.caddy` is what the node uses. :mod:`.slots` says what of a route stands in files, :mod:`.config` turns the rest
into Caddy's configuration and does nothing else; :mod:`.process` is the program, which goes on when the node is gone,
:mod:`.binary` finds it, and :mod:`.admin` talks to it.
"""
