# The applier's image. From the root of the clone, after `python -m build --wheel`, and with a verified
# kubectl for Linux, of the cluster's version, as dist/kubectl:
#   docker build --file deploy/applier.Dockerfile --tag registry.example.com/stagepass/applier .
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/stagepass
WORKDIR /build
# With sigstore, or a policy that names identities would not load.
COPY requirements/applier.txt requirements/keyless.txt ./
RUN /opt/stagepass/bin/pip install --require-hashes --only-binary :all: --requirement applier.txt --requirement keyless.txt
COPY dist/stagepass-*.whl ./
RUN /opt/stagepass/bin/pip install --no-deps --no-index stagepass-*.whl
COPY applier/ /app/applier/
COPY dist/kubectl /opt/stagepass/bin/kubectl
# Compiled here: at run time the root file system is read-only. The modes: a clone made under umask
# 077 would be unreadable to the user below.
RUN /opt/stagepass/bin/python -m compileall -q /app && chmod -R a+rX,go-w /app /opt/stagepass \
 && chmod 0755 /opt/stagepass/bin/kubectl

FROM ${BASE}
# git and ssh fetch, gpg and ssh-keygen verify commits; unshare, setpriv and prlimit are util-linux.
RUN apt-get update && apt-get install --yes --no-install-recommends git gpg openssh-client util-linux \
 && rm -rf /var/lib/apt/lists/*
# "No user exists for uid 65532": ssh and ssh-keygen want an entry, and look for ~/.ssh where it says.
RUN echo 'stagepass:x:65532:65532::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'stagepass:x:65532:' >> /etc/group
ENV PATH=/opt/stagepass/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/stagepass /opt/stagepass
COPY --from=build /app /app
WORKDIR /app
# A number: `runAsNonRoot` cannot check a name.
USER 65532:65532
ENTRYPOINT ["python", "-m", "applier"]
CMD ["run"]
