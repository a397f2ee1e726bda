"""The source of a deployment: which files belong to it, what they hold, where they came from."""
