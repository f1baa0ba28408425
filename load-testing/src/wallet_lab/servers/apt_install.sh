#!/bin/sh
# apt_install.sh PACKAGE…: installs packages of the system, as root. Another program that installs something is waited
# for: apt itself waits for the lock of dpkg, but gives up at once when the package lists or archives are locked.
set -u

deadline=$(($(date +%s) + ${WALLET_APT_TIMEOUT_S:-300}))
said=$(mktemp)
trap 'rm -f "$said"' EXIT

apt() {
    until DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -o DPkg::Lock::Timeout=30 "$@" > "$said" 2>&1; do
        cat "$said"
        grep -q 'Could not get lock\|Unable to lock\|Unable to acquire' "$said" || return 1
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 3
    done
}

# Package lists may be missing or old on a fresh machine, so the first failure only means: fetch them.
apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
