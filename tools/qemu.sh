#!/bin/sh
# usage: tools/qemu.sh DIR
#
# Puts Debian's user-mode emulator of arm64 into DIR. Nothing is installed, and the kernel
# is not told to use it for programs of that architecture.
set -eu

dir=$1
[ -x "$dir/qemu-aarch64-static" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
	echo "tools/qemu.sh unpacks a package of Debian; elsewhere put qemu-aarch64-static into $dir" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && { apt-get -qq download qemu-user-static || { apt-get -qq update && apt-get -qq download qemu-user-static; }; }) >/dev/null
dpkg -x "$work"/qemu-user-static_*.deb "$work/root"
mkdir -p "$dir"
cp "$work/root/usr/bin/qemu-aarch64-static" "$dir"
