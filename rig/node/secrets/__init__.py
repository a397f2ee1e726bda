"""The vault: values of secrets, encrypted at rest."""
