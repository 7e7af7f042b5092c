# A release names the base by its digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src

COPY requirements/build.txt requirements/run.txt requirements/
# The environment gets no pip of its own, and a sixth of numpy is its own tests. Nothing can be compiled when it runs,
# so that is done below, but for what the agent does not load.
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/edge-agent \
    && /opt/build/bin/python -m pip --python /opt/edge-agent/bin/python install \
        --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/run.txt \
    && find /opt/edge-agent/lib/python3.11/site-packages/numpy -type d -name tests -prune -exec rm -r {} +

COPY . .
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/build/bin/python -m pip --python /opt/edge-agent/bin/python install \
        --no-cache-dir --no-compile --no-index --no-deps dist/*.whl \
    && /opt/edge-agent/bin/edge-agent --version \
    && /opt/edge-agent/bin/python -m compileall -q \
        -x 'standard_address_space|pygments|prompt_toolkit|typer|numpy/f2py' /opt/edge-agent/lib


FROM ${BASE}
LABEL org.opencontainers.image.title="edge-agent" \
      org.opencontainers.image.description="Reads shop-floor machines and reports their figures with evidence" \
      org.opencontainers.image.licenses="Apache-2.0"

# Serial ports belong to the group dialout.
RUN useradd --system --uid 10001 --groups dialout --home-dir /var/lib/edge-agent --create-home edge-agent
COPY --from=build /opt/edge-agent /opt/edge-agent
ENV PATH=/opt/edge-agent/bin:$PATH \
    PYTHONFAULTHANDLER=1

USER 10001
WORKDIR /var/lib/edge-agent
VOLUME /var/lib/edge-agent

# It is ill when acquisition or keeping stands still, not when a machine is off.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["edge-agent", "health", "/var/lib/edge-agent"]

# The configuration is mounted read-only; `data_dir: /var/lib/edge-agent` in it keeps the journal in the volume.
# Nothing else is written: run it with --read-only.
ENTRYPOINT ["edge-agent"]
CMD ["run", "/etc/edge-agent"]
