#!/bin/sh
# usage: tools/deps.sh build|test|packages|programs...
#
# Provides the packages of the distribution that building the peers (build), running
# containers (test) or making the image of programs (programs) needs. Does nothing, and
# says nothing, where they are there. Debian and its descendants get them installed if
# the caller is root; everyone else is told the exact names.
set -eu

# Group, how to see that it is there, what it is for, and its package with
# Debian, Fedora, Alpine, Arch and openSUSE. Alpine's headers of the C library and
# the kernel are packages of their own.
needs() {
	cat <<'EOF'
build|command -v gcc|a C compiler, for runc and the race detector|gcc libc6-dev|gcc|gcc musl-dev linux-headers|gcc|gcc
build|command -v make|make|make|make|make|make|make
build|command -v pkg-config|finds libseccomp|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf|pkg-config
build|pkg-config --exists libseccomp|the headers that runc is built with|libseccomp-dev|libseccomp-devel|libseccomp-dev|libseccomp|libseccomp-devel
test|static_busybox|the image that the containers run|busybox-static|busybox|busybox-static|busybox|busybox-static
test|command -v ip|network namespaces|iproute2|iproute|iproute2|iproute2|iproute2
test|command -v mount unshare nsenter losetup setpriv|mounts and namespaces|util-linux mount|util-linux|util-linux|util-linux|util-linux
test|command -v nft|ports of pods|nftables|nftables|nftables|nftables|nftables
test|command -v mkfs.ext4|a file system in a loop device|e2fsprogs|e2fsprogs|e2fsprogs|e2fsprogs|e2fsprogs
packages|command -v mmdebstrap|a root file system to install packages in|mmdebstrap|mmdebstrap|mmdebstrap|mmdebstrap|mmdebstrap
packages|command -v rpm|reads and installs packages of Fedora's family|rpm|rpm|rpm|rpm-tools|rpm
programs|command -v mmdebstrap|an image of Debian with the programs that tests run|mmdebstrap|mmdebstrap|mmdebstrap|mmdebstrap|mmdebstrap
EOF
}

# static_busybox finds a busybox without an interpreter: what a container runs
# must not need the host's libraries. The interpreter's path stands right after
# the program headers.
static_busybox() {
	for f in "$(command -v busybox.static)" "$(command -v busybox)"; do
		[ -n "$f" ] && ! head -c 4096 "$f" | grep -q '/ld-' && return 0
	done
	return 1
}

# present runs one check of the table.
present() {
	case $1 in
	'command -v '*) for c in ${1#command -v }; do command -v "$c" || return 1; done ;;
	*) $1 ;;
	esac >/dev/null 2>&1
}

# missing prints the rows of the groups that are not there.
missing() {
	needs | while IFS='|' read -r group check rest; do
		case " $* " in *" $group "*) present "$check" || printf '%s|%s|%s\n' "$group" "$check" "$rest" ;; esac
	done
}

# column joins one field of the missing rows.
column() {
	printf '%s\n' "$rows" | cut -d'|' -f"$1" | tr '\n' ' '
}

PATH=$PATH:/usr/sbin:/sbin
rows=$(missing "$@")
[ -n "$rows" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "  deps   apt-get install $(column 4)"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# Word splitting of the names is meant.
	# shellcheck disable=SC2046
	{ apt-get -q update && apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $(column 4); } >"$log" 2>&1 ||
		{ cat "$log" >&2; exit 1; }
	rows=$(missing "$@")
	[ -n "$rows" ] || exit 0
fi

{
	echo 'Missing:'
	printf '%s\n' "$rows" | awk -F'|' '{ sub(/^command -v /, "", $2); gsub(/_/, " ", $2); printf "  %s: %s\n", $2, $3 }'
	echo 'Install, as root:'
	echo "  Debian, Ubuntu   apt-get install $(column 4)"
	echo "  Fedora, RHEL     dnf install $(column 5)"
	echo "  Alpine           apk add $(column 6)"
	echo "  Arch             pacman -S $(column 7)"
	echo "  openSUSE         zypper install $(column 8)"
} >&2
exit 1
