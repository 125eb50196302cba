"""The web page of `ser app`. Nothing imports this file; Streamlit runs it for every visitor.

From top to bottom, again after each click: what a visitor has uploaded is labelled once and
stored in the visitor's own session. On a host that runs `streamlit run`, point it at this file, or
at one of two lines: `from ser_cli.web.page import main` and `main()`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

import ser_cli
from ser_cli import process
from ser_cli.errors import SerError
from ser_cli.model.rows import as_record
from ser_cli.model.trained import Model
from ser_cli.report.rows import csv_writer
from ser_cli.sound.sniff import ENDINGS
from ser_cli.web import charts, limits, server
from ser_cli.web import session as stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from ser_cli.types import Prediction
    from ser_cli.web.preview import Sketch

TITLE = "Speech emotion recognition"
NOTICE = """
**This page infers emotions from voices by machine** (an emotion recognition system, EU AI Act
Art. 50(3)). A label is a guess about how a voice sounds, not about what a person feels, and it
is often wrong. Upload only voices of people who know about it.

**Recordings stay in this server's memory.** They are written to no disk, sent to nobody, and
forgotten {when}.
"""
SOON, SOME_TIME = "within a minute after you close the page", "some time after you close the page"
FLAGS = {
    "short": "It is shorter than half a second.",
    "silent": "It is silent.",
    "no speech": "Nobody speaks in it.",
    "narrow-band": "It has the band of a telephone.",
    "clipped": "It is overloaded.",
    "channels differ": "Each channel has sound of its own, as in a call: both were mixed.",
    "antiphase": "Its channels cancel each other: only the loudest one was used.",
    "non-finite": "It holds samples that are not finite numbers.",
    "damaged": "Parts of it are damaged and were passed over.",
    "tracks": "It has several tracks: the first that holds sound was heard.",
    "truncated": "It ends earlier than its header states.",
    "cut": "It is longer than what is heard of a recording.",
    "long": "It is longer than the network's input: the result is an average over windows.",
}


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
            same = len(uploads) > 1 and model.can_enrol and _same_speaker()
            _show(uploads, *_labelled(uploads, model, same))
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
    files = st.file_uploader(
        "Recordings",
        type=[*stage.PLAYED, *sorted(ENDINGS - stage.PLAYED.keys())],  # the usual ones first
        accept_multiple_files=True,
        max_upload_size=limits.UPLOAD_MB,
    )
    spoken = st.audio_input("Or record your voice")
    uploads = [*files, *([spoken] if spoken else [])][: limits.VISITOR_FILES]
    for upload in uploads:
        upload.name = stage.clean(upload.name)
    return uploads


def _same_speaker() -> bool:
    return st.checkbox(
        "All recordings are of one speaker",
        help="Each is then heard against all of them, which ten recordings make surer.",
    )


def _labelled(
    uploads: Sequence[UploadedFile], model: Model, same: bool
) -> tuple[list[Prediction], Model]:
    """Label the uploads, unless these were labelled by this model when the page last ran.

    Returns:
        Their rows, and the model as it hears them: with the speaker enrolled, if there is one.
    """
    key = (model, same, *(upload.file_id for upload in uploads))
    if st.session_state.get("labelled", (None,))[0] != key:
        with st.spinner("Listening …"):
            heard = stage.enrolled(uploads, model) if same else model
            st.session_state["labelled"] = (key, stage.label(uploads, heard), heard.hearing)
        st.session_state["drawn"], st.session_state["heard"] = {}, {}
    _, rows, hearing = st.session_state["labelled"]
    # A visitor's session holds the statistics of the speaker, and no network of its own.
    return rows, Model(model.artifacts, hearing) if same else model


def _show(uploads: Sequence[UploadedFile], rows: Sequence[Prediction], model: Model) -> None:
    st.header("Emotions")
    for place, (upload, row) in enumerate(zip(uploads, rows, strict=True)):
        if row.status == "error":
            st.error(stage.plain(row.error), icon=":material/error:")
            continue
        # Only an open one is drawn and sent.
        opened = st.expander(
            _headline(row), expanded=place == 0, key=f"file-{upload.file_id}", on_change="rerun"
        )
        if opened.open:
            with opened:
                _file(upload, row, model)
    if len(rows) > 1:
        st.header("All files")
        _chart(charts.counts(stage.counts(rows, model.classes)), "Files per emotion")
    _table(rows, model)


def _headline(row: Prediction) -> str:
    return f"**{stage.plain(row.emotion)}** {row.confidence:.0%} · {stage.plain(row.file)}"


def _file(upload: UploadedFile, row: Prediction, model: Model) -> None:
    for flag in row.flags:
        shown = st.caption if flag == "long" else st.warning
        shown(stage.plain(FLAGS.get(flag, flag)))
    drawn = _sketch(upload, model)
    _player(upload, drawn)
    shares = stage.shares(row, model.classes)
    left, right = st.columns(2)
    with left:
        _chart(charts.bars(shares), f"Probabilities of {row.file} as bars")
    with right:
        _chart(charts.pie(shares), f"Probabilities of {row.file} as a pie")
    if "long" in row.flags:
        found = _timeline(upload, model)
        _chart(charts.timeline(found, model.classes, drawn.seconds), f"Emotions of {row.file}")
    _chart(charts.waveform(drawn), f"Waveform of {row.file}")
    _chart(charts.mel(drawn), f"Log-mel spectrum of {row.file}")


def _player(upload: UploadedFile, drawn: Sketch) -> None:
    n_samples = round(drawn.seconds * drawn.sample_rate)
    media = stage.played_as(upload.name, upload.size, 2 * n_samples)  # of 16 bits
    if media:
        st.audio(upload, format=media)
    else:
        waveform = stage.played(upload, drawn.sample_rate)
        st.audio(waveform, sample_rate=drawn.sample_rate)


def _sketch(upload: UploadedFile, model: Model) -> Sketch:
    """Draw a recording once, for as long as the uploads stay the same."""
    drawn: dict[str, Sketch] = st.session_state["drawn"]
    if upload.file_id not in drawn:
        drawn[upload.file_id] = stage.draw(upload, model.frontend.sample_rate)
    return drawn[upload.file_id]


def _timeline(upload: UploadedFile, model: Model) -> list[Prediction]:
    """Hear when who sounds like what, once for as long as the uploads stay the same."""
    heard: dict[str, list[Prediction]] = st.session_state["heard"]
    if upload.file_id not in heard:
        heard[upload.file_id] = stage.timeline(upload, model)
    return heard[upload.file_id]


def _chart(spec: dict[str, Any], alt: str) -> None:
    # Streamlit's theme leaves text inside a chart black.
    ink = "#fafafa" if st.context.theme.type == "dark" else "#31333f"
    st.vega_lite_chart(spec | {"config": {"text": {"color": ink}}}, width="stretch", alt=alt)


def _table(rows: Sequence[Prediction], model: Model) -> None:
    records = [as_record(row, model.classes) for row in rows]
    st.dataframe(records, hide_index=True, width="stretch", placeholder="")
    text = io.StringIO()
    write = csv_writer(text, model.classes)
    for row in rows:
        write(row)
    st.download_button(
        "Download as CSV",
        text.getvalue().encode(),
        file_name="emotions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


if __name__ == "__main__":
    main()
