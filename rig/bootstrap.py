"""The composition root: builds the adapters on first use."""
