"""The configuration of a network as one document: what is live, and what an apply comes to."""
