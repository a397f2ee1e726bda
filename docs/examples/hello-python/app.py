"""A page that greets, and tells a little of where it runs."""

import os
import platform
from datetime import UTC, datetime

from flask import Flask, jsonify, render_template

app = Flask(__name__)
STARTED = datetime.now(UTC)


@app.get("/")
def index() -> str:
    return render_template(
        "index.html",
        greeting=os.environ.get("GREETING", "Hello"),
        python=platform.python_version(),
        started=STARTED,
    )


@app.get("/healthz")
def healthz():
    return jsonify(status="ok")
