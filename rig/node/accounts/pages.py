"""The pages on which people answer: plain HTML that works without JavaScript and loads nothing.

Every value is escaped on its way in; the Content-Security-Policy allows this one style sheet and forms to ourselves.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from rig.node.accounts.devices import Asker
from rig.node.accounts.passphrases import MIN_LENGTH
from rig.node.accounts.people import Invited

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b646d;--line:#8a949e;--paper:#fff;--wash:#f2f4f6;--go:#0b6b3a}
@media(prefers-color-scheme:dark){:root{--ink:#eceff2;--soft:#aab3bc;--line:#7b8691;--paper:#1d2125;--wash:#121518;
--go:#2a9d63}}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:30rem;margin:8vh auto;padding:2rem;background:var(--paper);border-radius:.75rem}
h1{font-size:1.4rem;margin:0 0 1rem}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{width:100%;padding:.6rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);
border-radius:.4rem}
input.code{font:1.5rem ui-monospace,monospace;letter-spacing:.15em;text-transform:uppercase}
button{margin:1.5rem .75rem 0 0;padding:.6rem 1.4rem;font:inherit;font-weight:600;border-radius:.4rem;
border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}
button.go{background:var(--go);border-color:var(--go);color:#fff}
:focus-visible{outline:3px solid #3b82f6;outline-offset:2px}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.hint{color:var(--soft);font-size:.9rem}
[role=alert]{margin:0 0 1rem;padding:.75rem 1rem;border-left:4px solid #c2410c;background:var(--wash)}
code{font-family:ui-monospace,monospace}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of every page. An invitation's code stands in the path, so no referrer is ever sent."""


def _page(title: str, body: str, problem: str = "") -> str:
    alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · rig</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{alert}{body}</main></body></html>"
    )


def _hidden(**fields: str) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())


def enter_code(csrf: str, code: str = "", problem: str = "") -> str:
    """Asks for the code that the terminal shows."""
    return _page(
        "Log in to rig",
        f'<form method="post" action="/device">{_hidden(csrf=csrf, step="look")}'
        '<label for="user_code">The code that your terminal shows</label>'
        f'<input class="code" id="user_code" name="user_code" value="{escape(code)}" required autofocus'
        ' autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20">'
        '<button class="go" type="submit">Continue</button></form>',
        problem,
    )


def approve(csrf: str, asker: Asker, ago: int, name: str = "", problem: str = "") -> str:
    """Says who asks, and takes name and passphrase as the answer. ``ago``: seconds since it was asked."""
    host = escape(asker.host) or "an unnamed machine"
    return _page(
        "Let this terminal in?",
        f"<p>A terminal asks to act in your name. Go on only if you have just run <code>rig login</code> there, and it "
        f"shows this code:</p><dl><dt>Code</dt><dd><code>{escape(asker.user_code)}</code></dd>"
        f"<dt>Machine</dt><dd>{host}</dd><dt>Address</dt><dd>{escape(asker.src)}</dd>"
        f"<dt>Asked</dt><dd>{ago} seconds ago</dd></dl>"
        f'<form method="post" action="/device">{_hidden(csrf=csrf, user_code=asker.user_code)}'
        '<label for="name">Your name</label>'
        f'<input id="name" name="name" value="{escape(name)}" autocomplete="username" maxlength="63" autofocus>'
        '<label for="passphrase">Your passphrase</label>'
        '<input id="passphrase" name="passphrase" type="password" autocomplete="current-password" maxlength="1000">'
        '<button class="go" type="submit" name="step" value="approve">Approve</button>'
        '<button type="submit" name="step" value="deny">Deny</button></form>',
        problem,
    )


def approved(asker: Asker, name: str) -> str:
    return _page(
        "You are logged in",
        f"<p>{escape(asker.host) or 'The terminal'} acts as <strong>{escape(name)}</strong> now. You can close this"
        " page and go back to your terminal.</p>",
    )


def denied() -> str:
    return _page("Turned away", "<p>The terminal was not let in. You can close this page.</p>")


def invitation(csrf: str, invited: Invited, problem: str = "") -> str:
    """Asks for the passphrase of a new account, or for a new one of an account that is there."""
    where = "all networks" if invited.network == "*" else f"the network <strong>{escape(invited.network)}</strong>"
    again = (
        "<p>You have an account here already. This replaces its passphrase and ends its logins.</p>"
        if invited.again
        else ""
    )
    return _page(
        f"Welcome, {invited.name}",
        f"<p>{escape(invited.invited_by.removeprefix('user:'))} invites you as"
        f" <strong>{escape(invited.role)}</strong> in {where}. Choose a passphrase; you will need it to log in.</p>"
        f"{again}"
        f'<form method="post">{_hidden(csrf=csrf)}'
        f'<input type="hidden" name="username" value="{escape(invited.name)}" autocomplete="username">'
        '<label for="passphrase">Passphrase</label>'
        '<input id="passphrase" name="passphrase" type="password" required autofocus autocomplete="new-password"'
        f' minlength="{MIN_LENGTH}" maxlength="1000" aria-describedby="rule">'
        f'<p class="hint" id="rule">At least {MIN_LENGTH} characters. Four unrelated words are good.</p>'
        '<label for="again">The same once more</label>'
        '<input id="again" name="again" type="password" required autocomplete="new-password" maxlength="1000">'
        '<button class="go" type="submit">Set it</button></form>',
        problem,
    )


def joined(invited: Invited, url: str) -> str:
    return _page(
        "You are in",
        f"<p>Your name here is <strong>{escape(invited.name)}</strong>. In your terminal, run</p>"
        f"<p><code>rig login {escape(url)}</code></p>",
    )


def failed(title: str, problem: str) -> str:
    """Nothing to do here but to read why."""
    return _page(title, "", problem)
