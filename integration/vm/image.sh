#!/bin/sh
# Makes the machine that run.sh boots: vmlinuz, initrd.img and root.img (ext4, sparse).
#
#   image.sh DIRECTORY SUITE KERNEL
#
# KERNEL is a Debian kernel package, or PACKAGE/RELEASE for one of another release
# (linux-image-cloud-amd64/bookworm-backports); only the kernel then comes from there.
# Needs mmdebstrap and mkfs.ext4; without root also fakeroot and newuidmap (uidmap).
set -eu
out=$1 suite=$2 kernel=$3
here=$(cd "$(dirname "$0")" && pwd)

# What a containerd host has, and what the tests call. No udev: its coldplug costs
# seconds under emulation, and devtmpfs names every device the tests use.
packages=systemd-sysv,dbus,apparmor,kmod,iproute2,iptables,procps,fuse3
packages=$packages,busybox-static,e2fsprogs,xz-utils,zstd,libseccomp2,ca-certificates

work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mmdebstrap --quiet --variant=minbase --skip=check/empty --include="$packages" \
    --customize-hook="copy-in '$here/guest' /tmp" \
    --customize-hook="chroot \"\$1\" sh /tmp/guest/setup.sh '$kernel'" \
    "$suite" "$work/root.tar"

# One shell for both steps: without root, fakeroot remembers the owners between them.
fakeroot=
[ "$(id -u)" = 0 ] || fakeroot=fakeroot
$fakeroot sh -eu -c '
    mkdir "$1/root"
    tar -C "$1/root" -xpf "$1/root.tar"
    mv "$1/root/boot/vmlinuz" "$1/root/boot/initrd.img" "$1/"
    # The image is opened as a snapshot and thrown away: a journal would only cost time.
    truncate -s 8G "$1/root.img"
    mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1 -L root -d "$1/root" "$1/root.img"
' sh "$work"
mv "$work/vmlinuz" "$work/initrd.img" "$work/root.img" "$out/"
