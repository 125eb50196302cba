"""Pieces of HTML that stand alone: a page, tables, pictures and sound, all text escaped."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ser_cli.report import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def document(title: str, body: str) -> str:
    """Return a whole page, fit for narrow and wide screens, light and dark."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        # An empty icon: a browser would ask the server for one.
        f'<link rel="icon" href="data:,">\n<style>{_CSS}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return parts under a heading, or nothing where all parts are empty."""
    body = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def beside(*parts: str) -> str:
    """Lay parts side by side where the screen is wide enough."""
    return f'<div class="beside">{"".join(parts)}</div>' if any(parts) else ""


def quiet(text: str) -> str:
    """Return a remark in small grey print."""
    return f'<p class="quiet">{escape(text)}</p>'


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose first column names the row; the rest stand right."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figure(picture: Figure, name: str, caption: str) -> str:
    """Return a picture with its caption; `name` must be unique on the page."""
    drawing = plotting.svg(picture, name=name)
    text = escape(caption)
    return (
        f'<figure><div role="img" aria-label="{text}">{drawing}</div>'
        f"<figcaption>{text}</figcaption></figure>"
    )


def items(lines: Sequence[str]) -> str:
    """Return a bulleted list, or nothing where there are no lines."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def audio(path: Path, *, folder: Path | None = None, embed: bool = False) -> str:
    """Return a player.

    Args:
        path: The sound file.
        folder: Where the page will lie, for a relative link; None links absolutely.
        embed: Put the sound itself into the page.
    """
    source = _embedded(path) if embed else _link(path, folder)
    name = escape(path.name)
    return f'<audio controls preload="none" src="{escape(source)}" aria-label="{name}"></audio>'


def _link(path: Path, folder: Path | None) -> str:
    if folder is not None:
        try:
            return quote(Path(os.path.relpath(path, folder)).as_posix())
        except ValueError:
            pass  # Windows: on another drive than the page
    return path.resolve().as_uri()


def _embedded(path: Path) -> str:
    kind = _MEDIA.get(path.suffix.lower(), "audio/*")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


_MEDIA = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".webm": "audio/webm",
}


_CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --quiet: #57606a;
  --line: #d0d7de; --panel: #f6f8fa; --alarm: #8a1c00; --alarm-ink: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117;
  --quiet: #9aa4af; --line: #30363d; --panel: #161b22; --alarm: #ffb199; --alarm-ink: #2b0900; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0 0; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
.quiet, figcaption, dt { color: var(--quiet); font-size: .9rem; }
.leaky { padding: .8rem 1rem; border-radius: .4rem; font-size: 1.1rem;
  background: var(--alarm); color: var(--alarm-ink); }
.cards { display: grid; gap: .8rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); }
.cards div { padding: .7rem 1rem; border-radius: .4rem; background: var(--panel);
  border: 1px solid var(--line); }
dd { margin: 0; font-size: 1.6rem; font-weight: 600; }
dd small { display: block; font-size: .9rem; font-weight: 400; }
figure { margin: 1rem 0; }
figure svg { display: block; max-width: 100%; height: auto; }
figure svg text { font-family: inherit !important; }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
.beside > * { max-width: 100%; }
.beside figcaption { max-width: 34rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; }
pre { padding: .8rem 1rem; border-radius: .4rem; background: var(--panel); overflow-x: auto; }
.worst li { margin: .6rem 0; }
.worst span { display: inline-block; width: 22rem; max-width: 100%; vertical-align: middle; }
@media (max-width: 30rem) { th, td { padding: .3rem .45rem; font-size: .9rem; } }
audio { width: 20rem; max-width: 100%; height: 2.5rem; vertical-align: middle; }
"""
