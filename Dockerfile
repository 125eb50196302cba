# An image that predicts, on any processor, without TensorFlow:
#   docker build -t ser . && docker run --rm -v "$PWD:/data" ser predict /data --csv /data/out.csv
FROM python:3.12-slim

COPY . /tmp/source
RUN pip install --no-cache-dir --no-deps /tmp/source \
    && python -c "from ser_cli.health import requirements as r; print(*r.lines(), sep='\n')" \
        > /tmp/needed.txt \
    && pip install --no-cache-dir -r /tmp/needed.txt \
    && rm -r /tmp/source /tmp/needed.txt

RUN useradd --create-home ser
USER ser
WORKDIR /data
ENTRYPOINT ["ser"]
CMD ["--help"]
