"""Keeps what should run running: desired state in, running instances out."""
