#!/bin/sh
# usage: tools/workloads.sh FILE
#
# Makes FILE, a tar archive of a Debian root file system with what people run in system
# containers: tunnels and firewalls, FUSE file systems, NFS, servers with many users,
# compilers, package managers. /repository is a repository with the packages of a minimal Debian, for one
# to be made, and for its packages to be upgraded, inside a container without a network.
# Needs Debian's mirror.
set -eu

out=$1
tools/deps.sh programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"

packages=procps,iproute2,iputils-ping,netcat-openbsd,libseccomp2,busybox-static,python3-minimal,uidmap
packages=$packages,iptables,nftables,conntrack,wireguard-tools,wireguard-go,openvpn
packages=$packages,fuse3,squashfuse,squashfs-tools,fuse2fs,e2fsprogs,nfs-common,nfs-ganesha,nfs-ganesha-mem,libnfs-utils
packages=$packages,openssh-server,openssh-client,openssh-sftp-server,cron,git,make,gcc,libc6-dev,strace
packages=$packages,mmdebstrap,debootstrap,dpkg-dev,rpm,dnf,createrepo-c

# A minimal Debian is what is essential or required, and apt, with all that they depend on. debootstrap
# wants the tree of a mirror. Engines link /etc/mtab in every container that they start.
mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty --include="$packages" \
	--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
	--customize-hook='export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; d=dists/bookworm/main/binary-amd64
	mkdir -p "$1/repository/pool" "$1/repository/$d" && cd "$1/repository/pool"
	required=$(dpkg-query --admindir="$1/var/lib/dpkg" -W -f "\${Package} \${Priority} \${Essential}\n" | sed -nE "s/ (required .*|.* yes)$//p")
	apt-get -qq -o APT::Sandbox::User=root download usr-is-merged $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances apt $required |
		grep "^[a-z]" | sort -u | while read -r p; do [ ! -e "$1/var/lib/dpkg/info/$p.list" ] && [ ! -e "$1/var/lib/dpkg/info/$p:amd64.list" ] || echo "$p"; done)
	cd .. && for f in pool/*.deb; do
		dpkg-deb --field "$f"
		printf "Filename: %s\nSize: %s\nSHA256: %s\n\n" "$f" "$(wc -c <"$f")" "$(sha256sum "$f" | cut -d" " -f1)"
	done >"$d/Packages"
	printf "Suite: bookworm\nCodename: bookworm\nArchitectures: amd64\nComponents: main\nDate: %s\nSHA256:\n %s %s main/binary-amd64/Packages\n" \
		"$(date -uR)" "$(sha256sum "$d/Packages" | cut -d" " -f1)" "$(wc -c <"$d/Packages")" >dists/bookworm/Release' \
	--customize-hook='ln -s ../proc/self/mounts "$1/etc/mtab"' \
	--customize-hook='rm -rf "$1"/usr/share/man/* "$1"/usr/share/doc/* "$1"/usr/share/fonts "$1"/etc/ssh/ssh_host_*' \
	bookworm "$work/root"

mkdir -p "$(dirname "$out")"
tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='security.capability' --exclude=./dev/* -cf "$out.part" .
mv "$out.part" "$out"
