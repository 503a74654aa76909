#!/bin/sh
# Starts HAProxy on the node's last configuration. POD_NAME names this pod's sockets: during an upgrade
# two gateways share the directory, and the agent drives both.
set -eu
umask 077
: "${POD_NAME:?must be set: it names the sockets}" "${NODE_NAME:?must be set: answers carry it}"
state=${SKERRY_STATE_DIR:-/var/lib/skerry}
config=$state/haproxy.cfg
default=${SKERRY_DEFAULT_CONFIG:-/etc/skerry/haproxy.cfg}

accepted() {
    haproxy -q -c -f "$1"
}

say() {
    echo "skerry-gateway: $*" >&2
}

# Puts a file in the configuration's place, unless the agent was faster: a hard link fails then.
begin_with() {
    cp "$1" "$state/.haproxy.cfg.$POD_NAME"
    ln "$state/.haproxy.cfg.$POD_NAME" "$config" 2> /dev/null || true
    rm "$state/.haproxy.cfg.$POD_NAME"
}

mkdir -p "$state/run"
for map in callers reasons checks; do
    [ -e "$state/$map.map" ] || : > "$state/$map.map"
done
if [ -e "$config" ] && ! accepted "$config"; then
    if ! accepted "$default"; then
        # then it is not the configuration: a map, which both read
        for map in callers reasons checks; do
            say "$state/$map.map is kept as $map.map.refused; the agent writes it again"
            mv "$state/$map.map" "$state/$map.map.refused"
            : > "$state/$map.map"
        done
    fi
    if ! accepted "$config"; then
        say "$config is refused by this HAProxy and kept as $config.refused"
        mv "$config" "$config.refused"
    fi
fi
if [ ! -e "$config" ] && [ -e "$config.good" ] && accepted "$config.good"; then
    say "starting with $config.good, the last configuration that a gateway took"
    begin_with "$config.good"
fi
if [ ! -e "$config" ]; then
    say "starting without models until the agent writes $config"
    begin_with "$default"
fi
rm -f "$state/run/$POD_NAME.admin" "$state/run/$POD_NAME.master"
exec haproxy -W -db -S "$state/run/$POD_NAME.master,mode,600" -f "$config"
