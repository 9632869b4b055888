# The hub: one image for all of its processes. From the root of the project:
#   podman build -t avrop .          (or docker build)
# Run it with a read-only root, no capabilities, a volume at /var/lib/avrop and a tmpfs at /tmp;
# docs/how-to/run-with-compose.md and docs/how-to/install-with-helm.md do.
#
# BASE is a Python 3.11 or later on glibc; give it by digest for anything but a try.
ARG BASE=docker.io/library/python:3.11-slim

# -- the packages, exactly as they are pinned ---------------------------------------------------------
FROM ${BASE} AS packages
# A hospital's own index or folder of wheels in place of PyPI. One that needs a password is given
# as a secret instead (--secret id=pip,src=pip.conf), which stays out of the image and its history.
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /requirements.txt
# Debug symbols and the tests of packages are a quarter of their size, and nothing at run time asks
# for either. Nothing can be written later, so all is compiled now, and held against no source.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=false \
    python -m venv /opt/hub \
    && /opt/hub/bin/python -m pip install --no-compile --only-binary :all: \
        --prefer-binary --no-deps -r /requirements.txt \
    && /opt/hub/bin/python -m pip check \
    && /opt/hub/bin/python -m pip uninstall --quiet --yes pip setuptools \
    && find /opt/hub/lib -type d -name tests -prune -exec rm -rf {} + \
    && /opt/hub/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/hub/lib

# -- the hub ------------------------------------------------------------------------------------------
FROM packages AS hub
WORKDIR /app
COPY LICENSE manage.py /app/
COPY contracts /app/contracts
COPY examples/plans /app/examples/plans
COPY hub /app/hub
COPY marketplace /app/marketplace
COPY routing /app/routing
COPY vendors /app/vendors
# The key is of this step alone: it lies in a state folder that is thrown away.
RUN mkdir staticfiles \
    && export HUB_STATE_DIR=/tmp/state \
    && /opt/hub/bin/python manage.py collectstatic --no-input --verbosity 0 \
    && /opt/hub/bin/python -m whitenoise.compress --quiet staticfiles \
    && rm -rf /tmp/state \
    && find . -name __pycache__ -type d -prune -exec rm -rf {} + \
    && /opt/hub/bin/python -m compileall -q --invalidation-mode unchecked-hash /app \
    && mkdir --mode 0700 /var/lib/avrop && chown 65532:65532 /var/lib/avrop

# -- what is shipped ----------------------------------------------------------------------------------
FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Avrop" \
      org.opencontainers.image.description="A vendor-neutral AI hub for medical imaging" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=packages /opt/hub /opt/hub
COPY --from=hub /app /app
# Of the hub's account from the start: a new volume takes its owner from here.
COPY --from=hub --chown=65532:65532 /var/lib/avrop /var/lib/avrop
ENV PATH=/opt/hub/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HUB_STATE_DIR=/var/lib/avrop \
    HUB_BIND=0.0.0.0
WORKDIR /app
# By number: only so can Kubernetes see that it is not root. It has no line in /etc/passwd.
USER 65532:65532
EXPOSE 8000 11112 2575
STOPSIGNAL SIGTERM
# No HEALTHCHECK: one image has many processes, each with a check of its own (compose.yaml, the
# chart), Kubernetes heeds none, and an image in the OCI format cannot hold one.
ENTRYPOINT ["python", "manage.py"]
CMD ["hub"]
