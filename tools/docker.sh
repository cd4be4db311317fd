#!/bin/sh
# usage: tools/docker.sh DIR
#
# Puts Debian's Docker into DIR: dockerd, docker, and the containerd that dockerd
# starts for itself. Nothing is installed and no service begins. One test runs it,
# and is skipped where it is not there.
set -eu

dir=$1
[ -x "$dir/dockerd" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
	echo "tools/docker.sh unpacks packages of Debian; elsewhere put dockerd, docker, docker-init and containerd into $dir" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
fetch() {
	for name in docker.io docker-cli containerd tini; do
		# docker-cli is part of docker.io until Debian 13.
		apt-get -qq download "$name" || [ "$name" = docker-cli ] || return 1
	done
}
log=$work/log
fetch >"$log" 2>&1 || { apt-get -qq update && fetch; } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
for package in *.deb; do
	dpkg -x "$package" root
done
cd - >/dev/null
mkdir -p "$dir"
for path in "$work"/root/usr/sbin/dockerd "$work"/root/usr/bin/docker "$work"/root/usr/bin/docker-init \
	"$work"/root/usr/bin/containerd "$work"/root/usr/bin/containerd-shim-runc-v2; do
	[ ! -e "$path" ] || cp -L "$path" "$dir"
done
