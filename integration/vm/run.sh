#!/bin/sh
# Runs the integration tests on another kernel: a Debian machine with systemd, unified
# cgroup v2 and AppArmor, emulated by qemu (no KVM needed), without a network.
#
#   run.sh [test [FLAG…]]   the integration tests (default), with flags of go test: -v -run P08
#   run.sh exec COMMAND     one shell command, with the project in /eci and bin/ in PATH
#   run.sh image            only make the machine's disk and kernel
#
# Variables:
#   KERNEL   Debian kernel package, or PACKAGE/RELEASE (default linux-image-cloud-amd64)
#   SUITE    Debian release of the machine (default bookworm: Linux 6.1, systemd 252)
#   CACHE    where machines are kept (default ~/.cache/eci-vm); remade when its scripts change
#   CPUS     virtual CPUs (default: as many as here, at least 2)
#   MEMORY   MiB (default 3072)
#   TIMEOUT  seconds until the machine is ended (default 3600)
#   IMAGES   images to take along, of bin/images: "systems.tar" (default none)
#   ECI_BIN  directory of the built programs (default bin/ of the checkout)
#   APPEND   more words for the kernel's command line
#
# What the command prints goes to standard output, and its status is the script's.
# The first run needs Debian's mirror, and takes half a minute more. Examples:
#   run.sh test -v -run P08
#   KERNEL=linux-image-cloud-amd64/bookworm-backports run.sh
#   SUITE=trixie KERNEL=linux-image-cloud-amd64/trixie-backports run.sh   (the newest)
# Status 2: something is missing here; 124: TIMEOUT; 125: the machine ended without a status.
set -eu
PATH=$PATH:/usr/sbin:/sbin # mkfs, for users
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
kernel=${KERNEL:-linux-image-cloud-amd64}
suite=${SUITE:-bookworm}
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eci-vm}
memory=${MEMORY:-3072}
timeout=${TIMEOUT:-3600}
bin=${ECI_BIN:-$project/bin}
cpus=${CPUS:-$(nproc)}
[ "$cpus" -ge 2 ] || cpus=2

say() { echo "eci-vm: $*" >&2; }
fail() {
    say "$*"
    exit 2
}

# need COMMAND PACKAGE…: installs what is missing as root on Debian, else names it.
need() {
    command -v "$1" >/dev/null && return
    command=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $*"
        { apt-get update -q && apt-get install -qy --no-install-recommends "$@"; } >&2 </dev/null
    else
        fail "$command is missing: install the Debian package(s) $* (or your distribution's)"
    fi
}

# machine: sets $machine to the directory with vmlinuz, initrd.img and root.img.
machine() {
    name=$suite-$(echo "$kernel" | tr / _)
    hash=$(cat "$here/image.sh" "$here"/guest/* | sha256sum | cut -c 1-12)
    machine=$cache/$name-$hash
    mkdir -p "$cache"
    # Two runs at a time make it once.
    (
        flock 9
        [ -e "$machine" ] || make_machine
    ) 9>"$cache/lock"
}

make_machine() {
    need mmdebstrap mmdebstrap
    need mkfs.ext4 e2fsprogs
    if [ "$(id -u)" != 0 ]; then
        need fakeroot fakeroot
        need newuidmap uidmap
    fi
    say "making the machine ($suite, $kernel) in $cache"
    rm -rf "$cache/$name"-???????????? "$cache"/.new.*
    new=$(mktemp -d "$cache/.new.XXXXXX")
    sh "$here/image.sh" "$new" "$suite" "$kernel" >&2 </dev/null || {
        rm -rf "$new"
        fail "the machine could not be made"
    }
    chmod 755 "$new"
    mv -T "$new" "$machine"
}

# compile: the tests, and what they would build with a go command, which the machine has
# not: guest/go hands it out.
compile() {
    (
        cd "$project"
        export CGO_ENABLED=0
        mkdir -p "$tmp/built/integration"
        ${GO:-go} test -c -o "$tmp/built/integration.test" ./integration
        ${GO:-go} build -trimpath -ldflags='-s -w' -o "$tmp/built/integration/probe" ./integration/probe
    ) >&2
}

# payload COMMAND: a disk with the project's files, its binaries and the command.
payload() {
    mkdir "$tmp/eci"
    (cd "$project" && tar -cf - --exclude=./.git --exclude=./bin .) | tar -C "$tmp/eci" -xf -
    if [ -d "$bin" ]; then
        mkdir "$tmp/eci/bin"
        (cd "$bin" && tar -chf - --exclude=./compat --exclude=./images --exclude=./kubernetes .) | tar -C "$tmp/eci/bin" -xf -
        for image in ${IMAGES:-}; do
            mkdir -p "$tmp/eci/bin/images"
            cp "$bin/images/$image" "$tmp/eci/bin/images/"
        done
    fi
    [ ! -d "$tmp/built" ] || mv "$tmp/built" "$tmp/eci/vm-built"
    printf '%s\n' "$1" >"$tmp/eci/vm-command"
    need mkfs.ext4 e2fsprogs
    truncate -s 8G "$tmp/eci.img"
    mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -d "$tmp/eci" "$tmp/eci.img"
    rm -rf "$tmp/eci"
}

# QEMU 7.2's cmpxchg16b leaves garbage in the flags: Linux 6.12 oopses while it boots.
# erms tells the kernel to copy with rep movsb, which the emulator does byte by byte.
cpu=max,cx16=off,erms=off

# boot: runs the machine, and returns the status that it reported.
boot() {
    need qemu-system-x86_64 qemu-system-x86
    : >"$tmp/status"
    # setpriv: the machine ends with this script, however that ends.
    TMPDIR=$tmp setpriv --pdeathsig TERM timeout -k 10 "$timeout" qemu-system-x86_64 \
        -nodefaults -no-user-config -display none -no-reboot -name eci-vm \
        -machine q35 -accel tcg,thread=multi -cpu "$cpu" -smp "$cpus" -m "$memory" \
        -kernel "$machine/vmlinuz" -initrd "$machine/initrd.img" \
        -append "console=ttyS1 panic=-1 mitigations=off systemd.show_status=false ${APPEND:-}" \
        -drive "if=virtio,format=raw,snapshot=on,cache=unsafe,file=$machine/root.img" \
        -drive "if=virtio,format=raw,cache=unsafe,file=$tmp/eci.img" \
        -chardev stdio,id=output,signal=off -serial chardev:output \
        -serial "file:$tmp/console" -serial "file:$tmp/status" </dev/null &
    qemu=$!
    code=0
    wait "$qemu" || code=$?
    qemu=
    grep -aE 'BUG:|Oops|Kernel panic|WARNING: CPU|blocked for more than' "$tmp/console" >&2 || true
    [ "$code" != 124 ] || say "ended after $timeout s (TIMEOUT)"
    status=$(cat "$tmp/status")
    [ -z "$status" ] || return "$status"
    say "no status came from the machine; the end of its console:"
    tail -n 40 "$tmp/console" >&2
    [ "$code" != 124 ] || return 124
    return 125
}

finish() {
    trap - EXIT INT TERM HUP
    if [ -n "$qemu" ]; then
        kill "$qemu" 2>/dev/null || true
        wait "$qemu" || true
    fi
    rm -rf "$tmp"
}

# sweep: removes what runs that were killed have left.
sweep() {
    for lock in "${TMPDIR:-/tmp}"/eci-vm.*/lock; do
        [ ! -e "$lock" ] || ! flock -n "$lock" true || rm -rf "${lock%/lock}"
    done
}

# In one piece: the shell has read all of this file before it runs any of it.
main() {
    sweep
    qemu=
    tmp=$(mktemp -d "${TMPDIR:-/tmp}/eci-vm.XXXXXX")
    exec 8>"$tmp/lock" && flock 8 # held until this script and its qemu have ended
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    [ "$(uname -m)" = x86_64 ] || fail "the machine is x86_64, this one is $(uname -m)"
    mode=${1:-test}
    [ $# = 0 ] || shift
    case $mode in
    image)
        machine
        echo "$machine"
        exit 0
        ;;
    exec)
        [ $# = 1 ] || fail "exec takes one shell command"
        command="cd /eci && $1"
        ;;
    test)
        for file in containerd ctr runc containerd-shim-runc-v2 containerd-shim-eci-v2; do
            [ -x "$bin/$file" ] || fail "$bin/$file is missing: make peers build"
        done
        compile
        command="cd /eci/integration && exec /eci/vm-built/integration.test -test.timeout=${timeout}s"
        for flag; do
            case $flag in -test.*) ;; -*) flag=-test.${flag#-} ;; esac
            command="$command '$flag'"
        done
        ;;
    *) fail "unknown: $mode (test, exec or image)" ;;
    esac
    machine
    payload "$command"
    boot
}

main "$@"
exit
