"""Variables and secrets: which value wins, and where the values of secrets are kept."""
