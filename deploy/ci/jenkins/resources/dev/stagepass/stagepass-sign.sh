#!/bin/sh
# Signs how an image was built, or that it passed a stage. Every setting is a variable: docs/ci/shell.md.
# This file stands in the steps of other systems byte for byte, so it has no percent sign (TeamCity's),
# no doubled dollar or less-than sign (Tekton's, CircleCI's), and no value in it that a template filled in.
set -eu

fail() {
  echo "stagepass-sign: $1" >&2
  exit 64
}

[ -n "${STAGEPASS_IMAGE:-}" ] || fail "set STAGEPASS_IMAGE to IMAGE@sha256:... as the build printed it"
case "${STAGEPASS_STAGE:+stage}${STAGEPASS_PREDICATE:+predicate}${STAGEPASS_POLICY:+policy}" in
  stage | stagepolicy | predicate | predicatepolicy) ;;
  *) fail "set either STAGEPASS_PREDICATE (a file: how it was built) or STAGEPASS_STAGE (what it passed)" ;;
esac
case "${STAGEPASS_IDENTITY:-}" in
  true) identity=identity ;;
  '' | false) identity='' ;;
  *) fail "STAGEPASS_IDENTITY is true or false" ;;
esac

# The working directory is a repository that others write to: Python looks for no code in it. A job often sets
# these for its own tests; PYTHONPATH=. alone would have stagepass import what lies there.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE PYTHONPYCACHEPREFIX PYTHONPLATLIBDIR

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
python=${STAGEPASS_PYTHON:-python3}

# Asked for by name, never by default: a secret that a fork does not get must not end in a public log.
by=${STAGEPASS_KEY:+key}${STAGEPASS_KEY_FILE:+file}${STAGEPASS_IDENTITY_TOKEN_FILE:+token}$identity
case "$by" in
  key | file) extra='' ;;
  identity | token) extra='[keyless]' ;;
  '') fail "nothing to sign with: set STAGEPASS_KEY_FILE, STAGEPASS_KEY, STAGEPASS_IDENTITY=true or STAGEPASS_IDENTITY_TOKEN_FILE" ;;
  *) fail "more than one thing to sign with: set one of STAGEPASS_KEY_FILE, STAGEPASS_KEY, STAGEPASS_IDENTITY, STAGEPASS_IDENTITY_TOKEN_FILE" ;;
esac

install() {
  "$work/venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: "$@" ||
    fail "pip could not install it, see above"
}

# A subshell: what is installed has no business with a key, nor with what asks for the job's identity.
provide() (
  unset STAGEPASS_KEY STAGEPASS_KEY_PASSPHRASE SIGSTORE_ID_TOKEN CIRCLE_OIDC_TOKEN CIRCLE_OIDC_TOKEN_V2 \
    ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_ID_TOKEN_REQUEST_URL BUILDKITE_AGENT_ACCESS_TOKEN
  # A directory of the repository must not stand for the requirement of its name.
  case "$STAGEPASS_INSTALL" in
    -*) fail "STAGEPASS_INSTALL is a wheel, a directory of wheels, or a requirement" ;;
    /* | ./* | ../*) form=path ;;
    *://* | *['=~@;<>![ ']* | [Ss][Tt][Aa][Gg][Ee][Pp][Aa][Ss][Ss]) form=requirement ;;
    *) form=path ;;
  esac
  "$python" -I -m venv "$work/venv" || fail "needs Python 3.11 with venv (Debian: python3-venv)"
  locked=''
  if [ -n "${STAGEPASS_REQUIREMENTS:-}" ]; then
    install --require-hashes --requirement "$STAGEPASS_REQUIREMENTS"
    locked=--no-deps
  fi
  if [ "$form" = path ] && [ -d "$STAGEPASS_INSTALL" ]; then
    install ${locked:+"$locked"} --no-index --find-links "$STAGEPASS_INSTALL" "stagepass$extra"
  elif [ "$form" = path ] && [ -f "$STAGEPASS_INSTALL" ]; then
    install ${locked:+"$locked"} "$STAGEPASS_INSTALL$extra"
  else
    install ${locked:+"$locked"} "$STAGEPASS_INSTALL"
  fi
)

stagepass=stagepass
if [ -n "${STAGEPASS_INSTALL:-}" ]; then
  provide
  stagepass=$work/venv/bin/stagepass
fi
command -v "$stagepass" >/dev/null || fail "there is no stagepass on PATH: set STAGEPASS_INSTALL"

case "$by" in
  key)
    # Some systems keep a secret on one line. Python writes it, so that no trace of this shell shows it.
    "$python" -I -c 'import os; print(os.environ["STAGEPASS_KEY"].replace("\\n", "\n"))' >"$work/key"
    unset STAGEPASS_KEY
    set -- --key "$work/key"
    ;;
  file) set -- --key "$STAGEPASS_KEY_FILE" ;;
  identity) set -- --identity ;;
  token) set -- --identity-token "$STAGEPASS_IDENTITY_TOKEN_FILE" ;;
esac
set -- "$@" \
  ${STAGEPASS_STAGE:+--stage "$STAGEPASS_STAGE"} \
  ${STAGEPASS_PREDICATE:+--predicate "$STAGEPASS_PREDICATE"} \
  ${STAGEPASS_PREDICATE:+--type "${STAGEPASS_TYPE:-https://slsa.dev/provenance/v1}"} \
  ${STAGEPASS_PIPELINE:+--pipeline "$STAGEPASS_PIPELINE"} \
  ${STAGEPASS_CLUSTER:+--cluster "$STAGEPASS_CLUSTER"} \
  ${STAGEPASS_NAMESPACE:+--namespace "$STAGEPASS_NAMESPACE"} \
  ${STAGEPASS_RELEASE:+--release "$STAGEPASS_RELEASE"} \
  ${STAGEPASS_POLICY:+--policy "$STAGEPASS_POLICY"} \
  ${STAGEPASS_EVIDENCE:+--evidence "$STAGEPASS_EVIDENCE"} \
  ${STAGEPASS_TRUST_CONFIG:+--trust-config "$STAGEPASS_TRUST_CONFIG"} \
  ${STAGEPASS_KEY_PASSPHRASE:+--passphrase-env STAGEPASS_KEY_PASSPHRASE}
"$stagepass" attest "$@" -- "$STAGEPASS_IMAGE"
