#!/bin/sh
# install_package.sh PACKAGE [UNIT…]: installs one of the system's packages, as root, and leaves its services neither
# started nor enabled: the lab runs servers of its own. Init scripts ask /usr/sbin/policy-rc.d whether they may start
# something; for this one install the answer is no, and whatever answered before answers again afterwards.
set -eu

# Two labs at once would take each other's answer for the one from before.
if [ -z "${WALLET_INSTALL_LOCKED:-}" ]; then
    WALLET_INSTALL_LOCKED=1 exec flock --close --wait 600 /run/lock/wallet-lab-install.lock /bin/sh "$0" "$@"
fi

package=$1
shift
policy=/usr/sbin/policy-rc.d
aside=$policy.before-wallet-lab

restore() {
    rm -f "$policy"
    if [ -e "$aside" ]; then mv "$aside" "$policy"; fi
}

# An install that was killed could not put things back: what it left is not the answer from before.
if grep -qs wallet-lab "$policy"; then restore; fi
if [ -e "$policy" ]; then mv "$policy" "$aside"; fi
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\n# wallet-lab installs a package\nexit 101\n' > "$policy"
chmod 755 "$policy"

/bin/sh "$(dirname "$0")/apt_install.sh" "$package"

# Installed is also enabled, for the next boot: not wanted either.
for unit; do
    if [ -d /run/systemd/system ]; then
        systemctl disable "$unit" || true
    else
        update-rc.d "${unit%.*}" disable || true
    fi
done
