#!/bin/sh
# Makes sure of a Chromium for the browser tests: installs Debian's where it may, otherwise says how. Never fails.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

# Ubuntu's package of that name is a pointer to a snap, which containers cannot run.
system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-}") || system=
if [ "$(id -u)" = 0 ] && [ "$system" = debian ] && command -v apt-get >/dev/null 2>&1; then
    echo "browser: installing Debian's chromium (once)"
    export DEBIAN_FRONTEND=noninteractive
    quick="-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120"
    # shellcheck disable=SC2086
    if said=$(apt-get update $quick 2>&1 && apt-get install $quick -y --no-install-recommends chromium fonts-dejavu-core 2>&1); then
        exit 0
    fi
    echo "browser: apt-get could not: $(echo "$said" | tail -n 1)" >&2
fi
echo "browser: no Chromium on PATH, the browser tests are skipped (Debian, as root: apt-get install chromium)"
