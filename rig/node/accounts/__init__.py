"""Who may use this node: people, invitations, logins and their tokens.

`accounts.py` puts the parts together, `oauth.py` is the token endpoint without HTTP, `http.py` its routes and pages.
"""
