#!/bin/sh
# Holds a node's mounts and host name: runs in fresh mount and UTS namespaces, lays the node's own
# folders over the machine's, then sleeps. The node's programs join these namespaces; when the last
# of them and this one have ended, the kernel takes every mount away.
#
# Arguments: the node's folder, the state folder of the lab (which holds it), the node's name.
set -eu
folder=$1 state=$2 name=$3

hostname "$name"

# The lab's state must stay where it is, under the new /var/lib too.
mkdir -p "$folder/fs$state" "$folder/fs/var/log" "$folder/fs/run"
mount --bind "$state" "$folder/fs$state"
for path in /var/lib /var/log /run; do
    mount --rbind "$folder/fs$path" "$path"
done

# A kubelet sets these for the whole machine unless it finds what it expects.
for setting in $(cd "$folder/kernel-settings" && find . -type f); do
    if [ -e "/proc/sys/$setting" ]; then
        mount --bind "$folder/kernel-settings/$setting" "/proc/sys/$setting"
    fi
done

# Volumes with mount propagation need it; nothing goes back to the machine, as unshare cut that.
mount --make-rshared /

touch "$folder/mounts-ready"
exec sleep infinity
