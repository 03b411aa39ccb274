# The images of ttpscribe: engine, connector, misp, trainer, and cli for the admin's commands.
#
#   docker compose --profile '*' build                              all of them
#   docker build --target engine --tag ttpscribe/engine:0.1.0 .     one
#
# Each final image holds Python, one virtual environment and our code: no compiler, no pip, and, but
# for the trainer, no torch. Everything is installed at the versions of constraints.txt. They run as
# user 10001, write only below /var/lib/ttpscribe and /tmp, and need no capability.
#
# The base is named by tag and digest. A digest stands still: raise both together to take up
# Debian's security updates (docs/operations.md), or give your own with --build-arg PYTHON_IMAGE=…
ARG PYTHON_IMAGE=python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84


# ---- what is built, and thrown away ----

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_CONSTRAINT=/src/constraints.txt \
    PIP_BUILD_CONSTRAINT=/src/constraints.txt
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY connector ./connector
COPY engine ./engine
COPY misp_module ./misp_module
COPY training ./training
RUN pip wheel --no-deps --wheel-dir /src/wheels . \
 && python -m venv --without-pip /opt/ttpscribe

FROM builder AS engine-built
RUN pip --python /opt/ttpscribe/bin/python install "$(ls /src/wheels/ttpscribe-*.whl)[postgres,service]"

FROM builder AS cli-built
RUN pip --python /opt/ttpscribe/bin/python install \
        "$(ls /src/wheels/ttpscribe-*.whl)[misp,opencti,postgres,service]"

FROM builder AS connector-built
RUN pip --python /opt/ttpscribe/bin/python install "$(ls /src/wheels/ttpscribe-*.whl)[opencti,postgres]"

# torch comes from PyPI with its libraries for GPUs. For a machine without one, take the smaller
# build: --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
FROM builder AS trainer-built
ARG PIP_EXTRA_INDEX_URL=
RUN pip --python /opt/ttpscribe/bin/python install "$(ls /src/wheels/ttpscribe-*.whl)[misp,opencti,postgres,train]"

# MISP's modules server is a work of others under the AGPL-3.0. Nothing of it is part of ttpscribe or
# its repository: it is fetched from PyPI while this image is built, into an environment of its own,
# and speaks to ours over a socket. Who passes the built image on passes on misp-modules with it, and
# has to meet its licence. With --build-arg MISP_MODULES_EXTRA=[all] it also serves the modules that
# need further packages (some need Debian packages as well), so that it can take the place of a
# server that you have.
FROM builder AS misp-built
ARG MISP_MODULES_EXTRA=
COPY .ci/misp-modules.txt ./misp-modules.txt
RUN pip --python /opt/ttpscribe/bin/python install "$(ls /src/wheels/ttpscribe-*.whl)[misp,postgres]" \
 && python -m venv --without-pip /opt/misp-modules \
 && PIP_CONSTRAINT=/src/misp-modules.txt pip --python /opt/misp-modules/bin/python install \
        --requirement misp-modules.txt "misp-modules${MISP_MODULES_EXTRA}" \
 && /opt/ttpscribe/bin/ttpscribe misp install --root /opt/misp-custom


# ---- what runs ----

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS runtime
RUN python -m pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip \
 && groupadd --gid 10001 ttpscribe \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/ttpscribe \
        --shell /usr/sbin/nologin ttpscribe \
 && install -d -o 10001 -g 10001 -m 0750 /var/lib/ttpscribe /var/lib/ttpscribe/cards \
        /var/lib/ttpscribe/encoder /var/lib/ttpscribe/keys /var/lib/ttpscribe/knowledge \
        /var/lib/ttpscribe/labels \
        /var/lib/ttpscribe/misp /var/lib/ttpscribe/nightly /var/lib/ttpscribe/releases
ENV PATH=/opt/ttpscribe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    TTPSCRIBE_DATA_DIR=/var/lib/ttpscribe
WORKDIR /var/lib/ttpscribe
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS engine
COPY --from=engine-built /opt/ttpscribe /opt/ttpscribe
ENV TTPSCRIBE_SERVICE_HOST=0.0.0.0 \
    TTPSCRIBE_SERVICE_PORT=8321
EXPOSE 8321
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8321/health', timeout=4)"]
ENTRYPOINT ["ttpscribe"]
CMD ["serve"]

FROM runtime AS cli
COPY --from=cli-built /opt/ttpscribe /opt/ttpscribe
ENTRYPOINT ["ttpscribe"]
CMD ["doctor"]

FROM runtime AS connector
COPY --from=connector-built /opt/ttpscribe /opt/ttpscribe
ENV TTPSCRIBE_METRICS_HOST=0.0.0.0 \
    TTPSCRIBE_METRICS_PORT=9464
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/health', timeout=4)"]
ENTRYPOINT ["ttpscribe"]
CMD ["connector", "run"]

FROM runtime AS misp
COPY --from=misp-built /opt/ttpscribe /opt/ttpscribe
COPY --from=misp-built /opt/misp-modules /opt/misp-modules
COPY --from=misp-built /opt/misp-custom /opt/misp-custom
EXPOSE 6666
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:6666/healthcheck', timeout=4)"]
ENTRYPOINT []
CMD ["/opt/misp-modules/bin/misp-modules", "-l", "0.0.0.0", "-p", "6666", "-c", "/opt/misp-custom"]

FROM runtime AS trainer
COPY --from=trainer-built /opt/ttpscribe /opt/ttpscribe
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["ttpscribe", "doctor", "--only", "ledger"]
ENTRYPOINT ["ttpscribe"]
CMD ["train", "schedule"]
