"""A Report as plain text: the table people know, and the two text files next to it."""

from __future__ import annotations

from ser_cli.report.metrics import HEADLINE, Report, averages

_HEADLINE = HEADLINE | {"war": "Overall accuracy"}  # as the usual scripts write it
_COLUMNS = ("precision", "recall", "f1-score", "support")


def table(report: Report) -> str:
    """Return precision, recall, F1 and support a class, then accuracy and averages.

    Laid out as sklearn's `classification_report` with three digits.
    """
    width = max(len(name) for name in (*report.labels, "weighted avg"))
    lines = [f"{'':>{width}}  " + " ".join(f"{h:>9}" for h in _COLUMNS), ""]
    for item in report.per_class:
        lines.append(_row(item.label, (item.precision, item.recall, item.f1), item.support, width))
    lines += ["", f"{'accuracy':>{width}}  {'':>9} {'':>9} {report.war:>9.3f} {report.n:>9}"]
    for name, values in averages(report).items():
        lines.append(_row(name, values, report.n, width))
    return "\n".join(lines) + "\n"


def metrics_text(report: Report) -> str:
    """Return the contents of test_metrics.txt: overall, then F1 and accuracy of each class."""
    lines = [f"Clips: {report.n}"]
    if report.absent:
        lines.append(f"Classes without a clip: {', '.join(report.absent)}")
    for name, title in _HEADLINE.items():
        low, high = report.intervals[name]
        over = f" {report.scope}" if name == "uar" and report.scope else ""
        lines.append(f"{title}{over}: {getattr(report, name):.4f} (95 % {low:.4f} to {high:.4f})")
    lines += [f"Micro F1: {report.micro_f1:.4f}", f"Calibration error (ECE): {report.ece:.4f}"]
    lines.append(f"Intervals: bootstrap over {report.resampled}")
    lines += ["", "F1 per class:", *(f"  {c.label}: {c.f1:.4f}" for c in report.per_class)]
    lines += ["", "Accuracy per class (share of clips labelled correctly):"]
    lines += [f"  {c.label}: {c.accuracy:.4f}" for c in report.per_class]
    return "\n".join(lines) + "\n"


def confusion_text(report: Report) -> str:
    """Return the contents of test_confusion_matrix.txt: counts, rows truth, columns predicted."""
    counts = [[str(count) for count in row] for row in report.confusion.tolist()]
    width = max(len(cell) for cell in (*report.labels, *(c for row in counts for c in row)))
    rows = [("", *report.labels), *((n, *r) for n, r in zip(report.labels, counts, strict=True))]
    lines = [" ".join(f"{cell:>{width}}" for cell in row) for row in rows]
    return "\n".join(["Rows: truth. Columns: predicted.", *lines]) + "\n"


def _row(name: str, values: tuple[float, float, float], support: int, width: int) -> str:
    return f"{name:>{width}}  " + " ".join(f"{v:>9.3f}" for v in values) + f" {support:>9}"
