"""The web page of `ser app`. Nothing imports this file; Streamlit runs it for every visitor.

From top to bottom, again after each click: what a visitor has uploaded is labelled once and
stored in the visitor's own session. On a host that runs `streamlit run`, point it at this file, or
at one of two lines: `from ser_cli.web.page import main` and `main()`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

import ser_cli
from ser_cli import process
from ser_cli.errors import SerError
from ser_cli.model.trained import Model
from ser_cli.sound.sniff import ENDINGS
from ser_cli.web import limits, options, results, server, words
from ser_cli.web import session as stage
from ser_cli.web.listening import Work, listen, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from ser_cli.web.listening import Listened, Tell, Wish

TITLE = "Speech emotion recognition"
NOTICE = """
**This page infers emotions from voices by machine** (an emotion recognition system, EU AI Act
Art. 50(3)). A label is a guess about how a voice sounds, not about what a person feels, and it
is often wrong. Upload only voices of people who know about it.

**Recordings stay in this server's memory.** They are written to no disk, sent to nobody, and
forgotten {when}.
"""
USUAL = ("WAV", "FLAC", "MP3", "OGG", "OPUS", "M4A", "AAC", "WEBM", "MP4")
KINDS = f"{', '.join(USUAL)} and {len(ENDINGS) - len(USUAL)} other kinds of files."
SELDOM_S = 0.3  # between two steps of the progress bar
SOON, SOME_TIME = "within a minute after you close the page", "some time after you close the page"


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title=TITLE, layout="centered")
    _keep_uploads_off_the_disk()
    process.return_memory()
    st.title(TITLE)
    when = SOON if _is_forgotten() else SOME_TIME
    st.info(NOTICE.format(when=when), icon=":material/info:")
    folder = _chosen_model()
    uploads = _uploads()
    try:
        if folder and uploads:
            model = _model(str(folder), stage.seal(folder))
            wish, speaker = options.asked(model, uploads)
            results.show(uploads, *_listened(uploads, model, wish, speaker))
    except SerError as error:
        st.error(stage.plain(f"{error}. {error.hint}"), icon=":material/error:")


def _keep_uploads_off_the_disk() -> None:
    """Let the server hold an upload in memory while it arrives, whatever its size.

    Its parser of forms would put anything above 1 MB into a temporary file.
    """
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = 2 * st.get_option("server.maxUploadSize") * 2**20


def _is_forgotten() -> bool:
    """Tell the server whose page this is; return whether it forgets it once the page is closed."""
    context = get_script_run_ctx()
    return bool(context and server.seen(context.session_id))


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _model(folder: str, seal: bytes) -> Model:
    """Load a model once for all visitors; another `seal` is another model in the same folder."""
    return ser_cli.load(folder)


def _chosen_model() -> Path | None:
    choices = stage.folders()
    if not choices:
        st.error("There is no trained model here. Run `ser train` first.")
        return None
    name = st.selectbox("Model", [*choices], help="Finished artifacts folders on this server.")
    return choices.get(name)


def _uploads() -> list[UploadedFile]:
    # Without a list of endings: Streamlit would show it cut, and all may be tried.
    files = st.file_uploader(
        "Recordings", accept_multiple_files=True, max_upload_size=limits.UPLOAD_MB
    )
    # Of a file that is too large, Streamlit shows a red sign alone.
    st.caption(
        f"{KINDS} A file may have {limits.UPLOAD_MB} MB; whoever runs this page may raise that: "
        "`ser app --max-upload MB`."
    )
    spoken = st.audio_input("Or record your voice")
    uploads = [*files, *([spoken] if spoken else [])][: limits.VISITOR_FILES]
    for upload in uploads:
        upload.name = stage.clean(upload.name)
    return uploads


def _listened(
    uploads: Sequence[UploadedFile], model: Model, wish: Wish, speaker: Sequence[UploadedFile]
) -> tuple[list[Listened], Model]:
    """Hear the uploads, unless they were heard in this way when the page last ran.

    Returns:
        What was heard, and the model as it hears them: with the speaker enrolled, if there is one.
    """
    kept = st.session_state
    how = (model, wish, *(file.file_id for file in speaker))
    if kept.get("how") != how:
        kept.update(how=None, uploads=(), timelines={}, drawn={})
    ids = tuple(upload.file_id for upload in uploads)
    if kept["how"] is None or kept["uploads"] != ids:
        with _progress() as tell:
            work = Work(tell)
            heard_by = prepared(model, wish, speaker, work)
            known: dict[BinaryIO, Listened | None] = {
                file: kept["timelines"].get(file.file_id) for file in uploads
            }
            found = listen(uploads, heard_by, work, rows=wish.rows, known=known)
        # A visitor's session holds the statistics of the speaker, and no network of its own.
        kept.update(how=how, uploads=ids, heard=found, hearing=heard_by.hearing)
        kept["refused"] = work.refused
        kept["timelines"] = {at: own for at, own in zip(ids, found, strict=True) if own.is_timeline}
    for reason in kept["refused"]:
        st.warning(stage.plain(f"Not enrolled: {reason}"))
    return kept["heard"], Model(model.artifacts, kept["hearing"])


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show how far a recording is heard, and take that away in the end."""
    bar = st.progress(0.0, "Listening …")
    last = time.monotonic()

    def tell(name: str, seconds: float, stated_s: float) -> None:
        nonlocal last
        if time.monotonic() - last > SELDOM_S:
            last = time.monotonic()
            of = f" of {words.clock(stated_s)}" if stated_s else ""
            text = f"Listening to {stage.plain(name)}, {words.clock(seconds)}{of}"
            bar.progress(min(1.0, seconds / stated_s) if stated_s else 0.0, text)

    try:
        yield tell
    finally:
        bar.empty()


if __name__ == "__main__":
    main()
