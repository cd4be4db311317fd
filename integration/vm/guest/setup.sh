#!/bin/sh
# Runs in the new system's chroot: fetches the kernel, makes the initrd, enables the unit.
#
#   setup.sh PACKAGE[/RELEASE]
set -eu
package=${1%%/*} release=
case $1 in */*) release=${1#*/} ;; esac
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"

# Another release comes from the mirror that the system itself came from.
if [ -n "$release" ]; then
    awk -v release="$release" '$1 == "deb" { $3 = release; print; exit }' \
        /etc/apt/sources.list >/etc/apt/sources.list.d/kernel.list
    apt-get update -q
    set -- -t "$release"
else
    set --
fi

# The packages are unpacked, not installed: one of their dependencies makes an initrd of
# its own kind, which takes longer to make and longer to boot than the one below.
# A package without a version in its name stands for one with; since Linux 7 that one
# stands for three, with the kernel, its modules, and the list of those built in.
packages=$package
for _ in 1 2; do
    # shellcheck disable=SC2086 # a list
    packages="$packages $(apt-cache "$@" show --no-all-versions $packages |
        sed -n 's/^Depends: //p' | tr -s ', |' '\n' |
        grep -E '^linux-(base|image|binary|modules)-[0-9]' | sort -u | tr '\n' ' ')"
done
for name in $(echo "$packages" | tr ' ' '\n' | sort -u); do
    case $name in *-[0-9]*) apt-get download -q -o APT::Sandbox::User=root "$@" "$name" ;; esac
done
for file in linux-*.deb; do
    dpkg-deb -x "$file" kernel
done
modules=$(find kernel -type d -path '*/lib/modules/*' -prune)
version=$(basename "$modules")
mkdir -p /lib/modules
cp -a "$modules" /lib/modules/
cp "$(find kernel -name 'vmlinuz*')" /boot/vmlinuz
depmod "$version"

# The initrd: busybox, a script, and the modules that reach the root disk, in order.
mkdir -p initrd/bin initrd/dev initrd/root
cp /bin/busybox initrd/bin/
cp init initrd/init
chmod 755 initrd/init
for module in virtio_pci virtio_blk ext4; do
    modprobe --set-version "$version" --show-depends "$module" >>modules
done
awk '$1 == "insmod" && !seen[$2]++ { print $2 }' modules >order
: >initrd/order
while read -r file; do
    case $file in
    *.xz) xz -dc "$file" >"initrd/$(basename "${file%.xz}")" ;;
    *.zst) zstd -qdc "$file" >"initrd/$(basename "${file%.zst}")" ;;
    *) cp "$file" initrd/ ;;
    esac
    file=${file%.xz}
    basename "${file%.zst}" >>initrd/order
done <order
(cd initrd && find . | busybox cpio -o -H newc | gzip -1) >/boot/initrd.img

install -m 755 agent.sh /usr/local/sbin/eci-vm-agent
install -m 755 go /usr/local/bin/go
install -m 644 eci-vm.service /etc/systemd/system/
systemctl enable eci-vm.service
# No terminal to log in on, no timers: what runs in the machine is the tests.
systemctl mask getty.target timers.target console-getty.service
echo eci-vm >/etc/hostname
printf '127.0.0.1 localhost eci-vm\n::1 localhost\n' >/etc/hosts
rm -f /etc/apt/sources.list.d/kernel.list
cd /
rm -rf "$here"
