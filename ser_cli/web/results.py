"""What the page shows of recordings that were heard: one after the other, then all in a table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import streamlit as st

from ser_cli.model.rows import as_record
from ser_cli.model.votes import is_unheard
from ser_cli.report.rows import csv_writer
from ser_cli.web import charts, limits, time_charts, words
from ser_cli.web import session as stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from ser_cli.model.trained import Model
    from ser_cli.types import Prediction
    from ser_cli.web.listening import Listened
    from ser_cli.web.preview import Sketch

MOST_STRETCHES = 500  # in the table of a timeline; a browser takes its time for more


def show(uploads: Sequence[UploadedFile], heard: Sequence[Listened], model: Model) -> None:
    """Show recordings, the first one open, and all rows."""
    st.header("Emotions")
    left_s = limits.DRAWN_TOGETHER_S
    for place, (upload, own) in enumerate(zip(uploads, heard, strict=True)):
        for row in own.rows:
            if row.status == "error":
                st.error(stage.plain(row.error), icon=":material/error:")
        if not own.is_timeline and own.rows[0].status == "error":
            continue
        title = words.headline(own, upload.name, model.classes)
        # Only an open one is drawn and sent.
        opened = st.expander(
            title, expanded=place == 0, key=f"file-{upload.file_id}", on_change="rerun"
        )
        if opened.open:
            with opened:
                left_s -= _recording(upload, own, model, left_s)
    _all(heard, model)


def _recording(upload: UploadedFile, heard: Listened, model: Model, left_s: float) -> float:
    """Show one recording, drawn if it is no longer than what is left; return what that takes."""
    for note, warns in words.notes(heard):
        (st.warning if warns else st.caption)(stage.plain(note))
    drawn = None
    if heard.seconds <= min(limits.DRAWN_S, left_s):
        drawn = _sketch(upload, model)
    _player(upload, heard, drawn)
    if heard.is_timeline:
        _timeline(upload, heard, model)
    elif not is_unheard(heard.rows[0]):
        _shares(heard.rows[0], model)
    if not drawn:
        return 0.0
    _chart(time_charts.waveform(drawn), f"Waveform of {upload.name}")
    _chart(time_charts.mel(drawn), f"Log-mel spectrum of {upload.name}")
    return heard.seconds


def _player(upload: UploadedFile, heard: Listened, drawn: Sketch | None) -> None:
    if drawn:
        n_samples = round(drawn.seconds * drawn.sample_rate)
        media = stage.played_as(upload.name, upload.size, 2 * n_samples)  # of 16 bits
        if media:
            st.audio(upload, format=media)
        else:
            waveform = stage.played(upload, drawn.sample_rate)
            st.audio(waveform, sample_rate=drawn.sample_rate)
    elif media := stage.played_as(upload.name, upload.size, upload.size):
        st.audio(upload, format=media)
        st.caption(_not_drawn("Neither waveform nor spectrum is drawn"))
    else:
        st.caption(_not_drawn("It is not played here; neither waveform nor spectrum is drawn"))


def _not_drawn(what: str) -> str:
    return (
        f"{what} of what is longer than {limits.DRAWN_S / 60:g} minutes, or "
        f"{limits.DRAWN_TOGETHER_S / 60:g} together."
    )


def _shares(row: Prediction, model: Model) -> None:
    shares = stage.shares(row, model.classes)
    left, right = st.columns(2)
    with left:
        _chart(charts.bars(shares), f"Probabilities of {row.file} as bars")
    with right:
        _chart(charts.pie(shares), f"Probabilities of {row.file} as a pie")


def _timeline(upload: UploadedFile, heard: Listened, model: Model) -> None:
    rows = [row for row in heard.rows if row.status != "error"]
    if not rows:
        return
    told = words.summary(heard)
    st.markdown(stage.plain(told))
    _chart(
        time_charts.timeline(rows, model.classes, heard.seconds),
        f"{upload.name}: what it sounds like, and when. {told} The table below has the same.",
    )
    with st.container(height=300):
        st.table([words.stretch(row) for row in rows[:MOST_STRETCHES]])
    if len(rows) > MOST_STRETCHES:
        st.caption(f"The first {MOST_STRETCHES} of {len(rows):,} stretches; the CSV has all.")
    name = f"{upload.name}.timeline.csv"
    _download("Download this timeline as CSV", heard.rows, model, name)


def _sketch(upload: UploadedFile, model: Model) -> Sketch:
    """Draw a recording once, for as long as the uploads stay the same."""
    drawn: dict[str, Sketch] = st.session_state["drawn"]
    if upload.file_id not in drawn:
        drawn[upload.file_id] = stage.draw(upload, model.frontend.sample_rate)
    return drawn[upload.file_id]


def _chart(spec: dict[str, Any], alt: str) -> None:
    # Streamlit's theme leaves text inside a chart black.
    ink = "#fafafa" if st.context.theme.type == "dark" else "#31333f"
    st.vega_lite_chart(spec | {"config": {"text": {"color": ink}}}, width="stretch", alt=alt)


def _all(heard: Sequence[Listened], model: Model) -> None:
    """Show all rows in a table, and how many recordings have each emotion."""
    single = [own.rows[0] for own in heard if not own.is_timeline]
    if len(single) > 1:
        st.header("All files")
        _chart(charts.counts(words.counts(single, model.classes)), "Files per emotion")
    rows = [row for own in heard for row in own.rows]
    records = [as_record(row, model.classes) for row in rows]
    st.dataframe(records, hide_index=True, width="stretch", placeholder="")
    _download("Download as CSV", rows, model, "emotions.csv")


def _download(label: str, rows: Sequence[Prediction], model: Model, name: str) -> None:
    text = io.StringIO()
    write = csv_writer(text, model.classes)
    for row in rows:
        write(row)
    st.download_button(
        label,
        text.getvalue().encode(),
        file_name=name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{name}",
    )
