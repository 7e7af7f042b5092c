# Sourced by the scripts beside it: messages, Debian packages with or without root, programs for arm64.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
    exit 1
}

can_be_root() {
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt_install PACKAGE...: installs them for the whole system. Services that come with them are not started:
# a broker that takes port 1883 is not what somebody who runs tests has asked for.
apt_install() {
    say "installing Debian packages (a minute or more on a slow line): $*"
    as_root sh -s -- "$@" <<'ROOT'
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update </dev/null || echo 'apt-get update failed; trying with the package lists that are here' >&2
apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" </dev/null >/dev/null
ROOT
}

# apt_unpack PACKAGE...: without root; unpacks them, and what they depend on and is not installed, into .tools/.
# The lists and the cache are apt's own in .tools/apt; sources, proxies and keys are the system's.
apt_unpack() {
    say "no root here, so unpacking Debian packages into .tools (a minute or more on a slow line): $*"
    local home=$PWD/.tools/apt
    local apt=(apt-get -qq -o "Dir::State::lists=$home/lists" -o "Dir::Cache=$home/cache")
    mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/debs"
    "${apt[@]}" update >&2 || return 1

    # "Inst gcc (4:12.2.0-3 Debian:12/stable [amd64])", with "[old version]" before the bracket if it is an
    # upgrade. The C library has to match the system's loader, so the installed one stays.
    local plan packages
    plan=$("${apt[@]}" --simulate install --no-install-recommends "$@") || return 1
    mapfile -t packages < <(sed -nE '/^Inst libc(6|-bin) /d; s/^Inst ([^ ]+) [^(]*\(([^ ]+) .*/\1=\2/p' <<<"$plan")
    [ ${#packages[@]} -gt 0 ] || return 0
    (cd "$home/debs" && rm -f -- *.deb && "${apt[@]}" download "${packages[@]}" >&2) || return 1
    local deb
    for deb in "$home"/debs/*.deb; do
        dpkg -x "$deb" .tools || return 1
    done
    rm -rf "$home/debs"
}

# emulate_arm64: has the kernel hand programs for arm64 to qemu, until stop_emulating; as root.
handlers=/proc/sys/fs/binfmt_misc
emulating=
emulate_arm64() {
    command -v qemu-aarch64-static >/dev/null || die "qemu-aarch64-static is needed (apt-get install qemu-user-static)"
    [ -e $handlers/register ] || mount -t binfmt_misc binfmt_misc $handlers
    if [ ! -e $handlers/qemu-aarch64 ]; then
        cat /usr/lib/binfmt.d/qemu-aarch64.conf >$handlers/register
        emulating=yes
    fi
}
stop_emulating() {
    [ -z "$emulating" ] || echo -1 >$handlers/qemu-aarch64
}

# make_debian_arm64 DIR: a Debian 12 for arm64, with Python and systemd, unless it is there already.
make_debian_arm64() {
    [ ! -d "$1" ] || return 0
    say "making a Debian 12 for arm64 in $1 (half an hour)"
    rm -rf "$1.new"
    debootstrap --arch=arm64 --variant=minbase --include=python3,systemd,systemd-sysv bookworm "$1.new" >"$1.log" ||
        die "debootstrap could not; see $1.log"
    mv "$1.new" "$1"
}
