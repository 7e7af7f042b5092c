# A release names the base by its digest: --build-arg BASE=debian:bookworm-slim@sha256:...
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
WORKDIR /src

# Debian keeps only its newest versions, so none can be pinned.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3.11-venv

# What Debian's Python and the libraries need to run: no shell, no package manager. Scanners find what is there, and of
# which version, in status.d.
WORKDIR /image
RUN apt-get download base-files ca-certificates libbz2-1.0 libc6 libcrypt1 libexpat1 libffi8 libgcc-s1 liblzma5 \
        libpython3.11-minimal libpython3.11-stdlib libsqlite3-0 libssl3 libstdc++6 libuuid1 media-types \
        python3.11-minimal zlib1g \
    && mkdir -p var/lib/dpkg/status.d \
    && for deb in *.deb; do dpkg -x "$deb" . && dpkg -f "$deb" >"var/lib/dpkg/status.d/${deb%%_*}" || exit 1; done \
    && find usr/share/doc -type f ! -name copyright -delete \
    && mkdir -p usr/lib/ssl \
    && cat usr/share/ca-certificates/mozilla/*.crt >usr/lib/ssl/cert.pem \
    && rm -r ./*.deb usr/lib/*/gconv usr/lib/python3.11/pydoc_data usr/lib/python3.11/test \
        usr/share/ca-certificates usr/share/lintian usr/share/man \
    && ln -s /opt/edge-agent/lib/python3.11/site-packages/tzdata/zoneinfo usr/share/zoneinfo

WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
COPY packaging/slim packaging/
# The environment gets no pip of its own. Symbols for debuggers would be a tenth of the image; what numpy has brought from
# elsewhere has none, and does not bear the attempt.
RUN python3.11 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python3.11 -m venv --without-pip /opt/edge-agent \
    && /opt/build/bin/python -m pip --python /opt/edge-agent/bin/python install \
        --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/run.txt \
    && packaging/slim /opt/edge-agent/lib/python3.11/site-packages \
    && find /opt/edge-agent/lib -name '*.so*' ! -path '*/numpy.libs/*' -exec strip --strip-unneeded {} +

# Nothing can be compiled when it runs, so that is done here; files get other times later, so those are not looked at. Of
# Python and the libraries only what was compiled is kept, of the agent the text, too: messages quote it.
RUN python3.11 -m compileall -q -b --invalidation-mode unchecked-hash -s /image /image/usr/lib/python3.11 \
    && python3.11 -m compileall -q -b --invalidation-mode unchecked-hash /opt/edge-agent/lib \
    && find /image/usr/lib/python3.11 /opt/edge-agent/lib -name '*.py' -delete

COPY . .
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/build/bin/python -m pip --python /opt/edge-agent/bin/python install \
        --no-cache-dir --no-compile --no-index --no-deps dist/*.whl \
    && python3.11 -m compileall -q --invalidation-mode unchecked-hash /opt/edge-agent/lib

# Serial ports belong to the group dialout.
RUN printf '%s\n' root:x:0:0:root:/root:/sbin/nologin \
        edge-agent:x:10001:10001:edge-agent:/var/lib/edge-agent:/sbin/nologin >/image/etc/passwd \
    && printf '%s\n' root:x:0: dialout:x:20:edge-agent edge-agent:x:10001: >/image/etc/group \
    && mkdir -p /src/data


FROM scratch
LABEL org.opencontainers.image.title="edge-agent" \
      org.opencontainers.image.description="Reads shop-floor machines and reports their figures with evidence" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /image /
COPY --from=build /opt/edge-agent /opt/edge-agent
COPY --from=build --chown=10001:10001 /src/data /var/lib/edge-agent
ENV PATH=/opt/edge-agent/bin:/usr/bin:/bin \
    PYTHONFAULTHANDLER=1
RUN ["edge-agent", "check", "/opt/edge-agent/lib/python3.11/site-packages/edge_agent/shipped/demo"]

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
