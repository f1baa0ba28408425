#!/bin/sh
# install_package.sh PACKAGE [UNIT…]: installs one of the system's packages, as root. Its services are neither started
# nor enabled, because the lab runs its own servers. Init scripts call /usr/sbin/policy-rc.d before they start a service.
# During this install the script replaces policy-rc.d with one that forbids starts, and restores it afterwards.
set -eu

# A lock, because two labs at the same time would save each other's temporary policy as the original.
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

# A killed install leaves its temporary policy behind. Restore the original first.
if grep -qs wallet-lab "$policy"; then restore; fi
if [ -e "$policy" ]; then mv "$policy" "$aside"; fi
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\n# wallet-lab installs a package\nexit 101\n' > "$policy"
chmod 755 "$policy"

/bin/sh "$(dirname "$0")/apt_install.sh" "$package"

# The installation also enables the services for the next boot. Disable them.
for unit; do
    if [ -d /run/systemd/system ]; then
        systemctl disable "$unit" || true
    else
        update-rc.d "${unit%.*}" disable || true
    fi
done
