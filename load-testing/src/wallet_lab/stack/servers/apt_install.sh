#!/bin/sh
# apt_install.sh PACKAGE…: installs packages of the system, as root. The script retries while another program holds the
# locks of the package lists or archives, because apt waits only for the lock of dpkg.
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

# On a new machine the package lists may be missing or old. If the first attempt fails, update the lists and retry.
apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
