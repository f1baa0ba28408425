#!/bin/sh
# install_package.sh PACKAGE [UNIT…]: installs one of the system's packages, as root, and leaves its services neither
# started nor enabled: the lab runs servers of its own. Init scripts ask /usr/sbin/policy-rc.d whether they may start
# something; for this one install the answer is no, and whatever answered before answers again afterwards.
set -eu

package=$1
shift
policy=/usr/sbin/policy-rc.d
aside=$policy.before-wallet-lab

restore() {
    rm -f "$policy"
    if [ -e "$aside" ]; then mv "$aside" "$policy"; fi
}

if [ -e "$policy" ]; then mv "$policy" "$aside"; fi
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
# Package lists may be missing or old on a fresh machine, so the first failure only means: fetch them.
apt-get install -y -qq --no-install-recommends "$package" ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; }

# Installed is also enabled, for the next boot: not wanted either.
for unit; do
    if [ -d /run/systemd/system ]; then
        systemctl disable "$unit" || true
    else
        update-rc.d "${unit%.*}" disable || true
    fi
done
