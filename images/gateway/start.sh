#!/bin/sh
# Starts HAProxy on the node's last configuration. POD_NAME names this pod's sockets: during an upgrade
# two gateways share the directory, and the agent drives both.
set -eu
: "${POD_NAME:?must be set: it names the sockets}" "${NODE_NAME:?must be set: answers carry it}"
state=${SKERRY_STATE_DIR:-/var/lib/skerry}
config=$state/haproxy.cfg
default=${SKERRY_DEFAULT_CONFIG:-/etc/skerry/haproxy.cfg}
mkdir -p "$state/run"
for map in callers reasons; do
    [ -e "$state/$map.map" ] || : > "$state/$map.map"
done
if [ -e "$config" ] && ! haproxy -q -c -f "$config"; then
    echo "skerry-gateway: $config is refused by this HAProxy and kept as $config.refused;" \
        "starting without models until the agent writes it anew" >&2
    mv "$config" "$config.refused"
fi
if [ ! -e "$config" ]; then
    # a hard link fails where the agent was faster
    cp "$default" "$state/.haproxy.cfg.$POD_NAME"
    ln "$state/.haproxy.cfg.$POD_NAME" "$config" 2> /dev/null || true
    rm "$state/.haproxy.cfg.$POD_NAME"
fi
rm -f "$state/run/$POD_NAME.admin" "$state/run/$POD_NAME.master"
exec haproxy -W -db -S "$state/run/$POD_NAME.master,mode,600" -f "$config"
