FROM python:3.11-slim-bookworm AS build
WORKDIR /src

COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv /opt/edge-agent \
    && /opt/edge-agent/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/run.txt

COPY . .
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/edge-agent/bin/python -m pip install --no-cache-dir --no-index --no-deps dist/*.whl \
    && /opt/edge-agent/bin/edge-agent --version


FROM python:3.11-slim-bookworm

# Serial ports belong to the group dialout.
RUN useradd --system --uid 10001 --groups dialout --home-dir /var/lib/edge-agent --create-home edge-agent
COPY --from=build /opt/edge-agent /opt/edge-agent
ENV PATH=/opt/edge-agent/bin:$PATH

USER 10001
WORKDIR /var/lib/edge-agent
VOLUME /var/lib/edge-agent

# The configuration is mounted read-only; `data_dir: /var/lib/edge-agent` in it keeps the journal in the volume.
ENTRYPOINT ["edge-agent"]
CMD ["run", "/etc/edge-agent"]
