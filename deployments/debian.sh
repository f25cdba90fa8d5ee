#!/bin/sh
# Makes sure of a program that pip cannot bring: installs Debian's where it may, otherwise says how. Never fails.
#   debian.sh browser   Chromium, for the browser tests
#   debian.sh load      wrk, for the API's benches
set -eu

case "${1:-}" in
    browser) names="chromium chromium-browser google-chrome" packages="chromium fonts-dejavu-core"
        without="no Chromium on PATH, the browser tests are skipped" ;;
    load) names=wrk packages=wrk
        without="no wrk on PATH, the API cannot be measured" ;;
    *) echo "usage: debian.sh browser|load" >&2; exit 2 ;;
esac

for name in $names; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

# Ubuntu's chromium is a pointer to a snap, which containers cannot run.
system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-}") || system=
if [ "$(id -u)" = 0 ] && [ "$system" = debian ] && command -v apt-get >/dev/null 2>&1; then
    echo "$1: installing Debian's $packages (once)"
    export DEBIAN_FRONTEND=noninteractive
    quick="-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120"
    # shellcheck disable=SC2086
    if said=$(apt-get update $quick 2>&1 && apt-get install $quick -y --no-install-recommends $packages 2>&1); then
        exit 0
    fi
    echo "$1: apt-get could not: $(echo "$said" | tail -n 1)" >&2
fi
echo "$1: $without (Debian, as root: apt-get install $packages)"
