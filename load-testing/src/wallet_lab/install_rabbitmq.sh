#!/bin/sh
# Installs the system's rabbitmq-server, as root, and leaves its service neither started nor enabled: the lab runs a
# node of its own. Init scripts ask /usr/sbin/policy-rc.d whether they may start something; for this one install the
# answer is no, and whatever answered before answers again afterwards.
set -eu

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
apt-get install -y -qq --no-install-recommends rabbitmq-server ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server; }

# Installed is also enabled, for the next boot: not wanted either.
if [ -d /run/systemd/system ]; then
    systemctl disable rabbitmq-server.service epmd.service epmd.socket || true
else
    update-rc.d rabbitmq-server disable || true
fi
