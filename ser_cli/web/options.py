"""The options of `ser predict` that the page offers, below the recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ser_cli.web import limits
from ser_cli.web.listening import BY_LENGTH, LONG_S, ROW, TIMELINE, Wish
from ser_cli.web.session import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from ser_cli.model.trained import Model

ROWS = {
    BY_LENGTH: f"A timeline of what is longer than {LONG_S:g} s",
    TIMELINE: "A timeline of each",
    ROW: "One emotion for each",
}
UNKNOWN, ONE, OTHERS = (
    "Not known",
    "All recordings are of one speaker",
    "Here are other recordings of the one speaker of all",
)


def asked(model: Model, uploads: Sequence[UploadedFile]) -> tuple[Wish, Sequence[UploadedFile]]:
    """Ask how recordings are to be heard; return that, and the recordings that are enrolled."""
    with st.expander("Options", key="options"):
        rows = st.radio("What to make of a recording", [*ROWS], format_func=ROWS.__getitem__)
        wish = Wish(_labels(model), _min_confidence(), rows or BY_LENGTH)
        return wish, _speaker(uploads) if model.can_enrol else ()


def _labels(model: Model) -> tuple[str, ...]:
    chosen = st.multiselect(
        "Choose among these emotions only",
        model.classes,
        placeholder="all",
        help="Their probabilities then add up to 100 %, as with `ser predict --labels`.",
    )
    if len(chosen) == 1:
        st.warning("One must be chosen among some: name a second one. Until then it is all.")
        return ()
    return tuple(chosen)


def _min_confidence() -> float:
    least: int = st.slider(
        "Call an emotion uncertain below",
        0,
        100,
        0,
        5,
        format="%d %%",
        help="As `ser predict --min-confidence`; at 0 % the likeliest one is always told.",
    )
    return least / 100


def _speaker(uploads: Sequence[UploadedFile]) -> Sequence[UploadedFile]:
    whose = st.radio(
        "Speaker",
        [UNKNOWN, ONE, OTHERS],
        help="Recordings are then heard against that voice, which ten of them make surer; no "
        "labels are needed (`ser predict --same-speaker`, `--enrol`).",
    )
    if whose == ONE:
        return uploads
    if whose == UNKNOWN:
        return ()
    files = st.file_uploader(
        "Recordings of the speaker", accept_multiple_files=True, max_upload_size=limits.UPLOAD_MB
    )
    if not files:
        st.info("Until there are some, the speaker is not known.")
    for file in files:
        file.name = clean(file.name)
    return files[: limits.VISITOR_FILES]
