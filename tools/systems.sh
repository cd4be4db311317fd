#!/bin/sh
# usage: tools/systems.sh FILE
#
# Makes FILE, a tar archive of a Debian root file system that is a whole system: systemd and
# what belongs to a Debian that is installed, sshd, cron, the engines of Debian (dockerd,
# containerd, podman, buildah), and what uses the network and FUSE. Nothing of it is changed
# for containers: no unit is masked. The engines are not enabled, for tests to start them.
# /new has what is newer than Debian's: Docker's client and its plugins. /inner.tar is the root file system of
# what the engines run: busybox. Needs Debian's mirror.
set -eu

out=$1
tools/deps.sh programs
work=$(mktemp -d)
new=
trap '[ -z "$new" ] || { kill "$new" && wait "$new"; } 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"

packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,systemd-timesyncd,polkitd
packages=$packages,openssh-server,openssh-client,cron,sudo,busybox-static,curl,ca-certificates,python3-minimal
packages=$packages,iptables,nftables,iproute2,iputils-ping,wireguard-tools,socat
packages=$packages,docker.io,runc,podman,crun,buildah,uidmap,slirp4netns,passt,fuse-overlayfs,rootlesskit,aardvark-dns,netavark,catatonit
packages=$packages,fuse3,squashfuse,squashfs-tools,sshfs,openssh-sftp-server,e2fsprogs,debootstrap,mmdebstrap

# Unpacked, not installed: it only gives files. The newer C library comes with it.
mmdebstrap --quiet --mode=root --variant=extract --skip=check/empty --aptopt='Acquire::Languages "none"' \
	--dpkgopt='path-exclude=/usr/share/*' --include=docker-cli,docker-buildx,docker-compose,libc6 trixie "$work/new" &
new=$!

mmdebstrap --quiet --mode=root --variant=important --skip=check/empty --include="$packages" \
	--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--customize-hook='chroot "$1" systemctl disable docker.service docker.socket containerd.service podman.service podman.socket \
		podman-auto-update.timer podman-auto-update.service podman-restart.service ssh.service nftables.service' \
	--customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id; : >"$1/etc/machine-id"' \
	--customize-hook='chroot "$1" useradd -m -s /bin/bash user' \
	--customize-hook='cd "$1" && mkdir -p inner/bin inner/etc inner/tmp inner/www && chmod 1777 inner/tmp && cp bin/busybox inner/bin/ &&
		for f in $(bin/busybox --list); do [ "$f" = busybox ] || ln -s busybox "inner/bin/$f"; done &&
		echo root:x:0:0:root:/:/bin/sh >inner/etc/passwd && echo inner >inner/www/index.html &&
		tar -C inner -cf inner.tar . && rm -r inner' \
	bookworm "$work/root"

wait "$new"
new=
mkdir "$work/root/new"
cp -a "$work/new/usr" "$work/root/new/"
mkdir -p "$work/root/usr/libexec/docker"
ln -s /new/usr/libexec/docker/cli-plugins "$work/root/usr/libexec/docker/cli-plugins"
mkdir -p "$(dirname "$out")"
tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='security.capability' --exclude=./dev/* -cf "$out.part" .
mv "$out.part" "$out"
