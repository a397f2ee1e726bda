"""Collecting garbage: what the node keeps for its apps, and nothing needs any more.

`survey` finds what is there, `plan` decides what goes and why, `collector` carries it out; `rounds` says when.
"""
