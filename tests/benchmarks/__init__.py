"""What `ser` costs against the usual script: `nox -s bench`, or `python tests/benchmarks`.

    __main__.py    options, and what is done in which order
    rows.py        the table: what is measured, floor and goal; ratios and verdicts
    measures.py    how each row is measured
    labels.py      whether both sides say the same
    bench.py       the folder it happens in, and what is run there
    material.py    the clips and the network they are measured on (a process of its own)
    processes.py   processes, timed from outside
    report.py      the printed table, benchmark.json, the table in docs/speed.md
    tables.py      tables as text and as Markdown, and their places in documents

    usual.py       A: the usual script
    empty_app.py   A of `--help`
    sides.py       A and B in warm processes;  equality.py  whether their features are equal
    epochs.py      epochs of a training;       tuning.py    a study, and its trials once more

    reference.py   another program: the reference systems, run where results.csv lacks them
    claims.py      what their documents claim, beside results.csv
    published.py   results.csv as docs/results.md shows it

    detectors.py   another program: detectors of speech, compared

This process imports nothing large: Linux counts the memory of a process that starts another
into the peak of the other.
"""
