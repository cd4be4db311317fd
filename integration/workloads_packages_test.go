package integration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// fast leaves out what dpkg waits for the disk, which is not what these tests are about.
const fast = "export DPKG_FORCE=unsafe-io\n"

// local is the only source of packages in a container without a network. Policies that start
// services are those of a container without an init.
const local = fast + `echo 'deb [trusted=yes] copy:/repository bookworm main' >/etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*; printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
`

// TestWorkloads_AptReinstall: the base system is installed anew: owners, set-uid programs, PAM, and
// the C library under everything that runs.
func TestWorkloads_AptReinstall(t *testing.T) {
	task := workloads(t, testbed.Container{})
	out := workload(t, task, local+`apt-get -qq update
stat -c '%n %U:%G %a' /usr/bin/passwd /usr/bin/su /etc/shadow /usr/bin/chage >/tmp/before
apt-get -q -y -o Dpkg::Options::=--force-confold install --reinstall apt base-files base-passwd bash coreutils dash debianutils dpkg libc-bin libc6 libpam-modules libpam-runtime login mount passwd perl-base tar util-linux >/tmp/log 2>&1 || { tail -n 30 /tmp/log; exit 1; }
stat -c '%n %U:%G %a' /usr/bin/passwd /usr/bin/su /etc/shadow /usr/bin/chage | diff /tmp/before -
grep -c '^Unpacking .* over ' /tmp/log
dpkg --audit; dpkg --verify libc6 coreutils passwd util-linux | grep -v ' /usr/share/' || true`)
	if !regexp.MustCompile(`^18\n$`).MatchString(out) {
		t.Errorf("got %s", out)
	}
}

// TestWorkloads_AptUpgrade: packages of the base system are upgraded, as a later point release does.
func TestWorkloads_AptUpgrade(t *testing.T) {
	task := workloads(t, testbed.Container{})
	out := workload(t, task, local+`cp -a /repository /new; cd /new
for p in libc6 libc-bin coreutils dpkg bash base-files login passwd util-linux mount; do
	for f in pool/${p}_*.deb; do [ -e "$f" ] || continue
		dpkg-deb -R "$f" /tmp/x; v=$(sed -n 's/^Version: //p' /tmp/x/DEBIAN/control)
		sed -i -E 's/^Version: .*/&+eci1/; s/\(= [^)]*\)/(>= 0)/g' /tmp/x/DEBIAN/control
		rm "$f"; dpkg-deb -Znone -b /tmp/x pool/ >/dev/null; rm -r /tmp/x
	done
done
apt-ftparchive packages pool 2>/dev/null >dists/bookworm/main/binary-amd64/Packages || dpkg-scanpackages pool >dists/bookworm/main/binary-amd64/Packages 2>/dev/null
cat >dists/bookworm/Release <<END
Suite: bookworm
Codename: bookworm
Architectures: amd64
Components: main
Date: $(date -uR)
SHA256:
 $(sha256sum dists/bookworm/main/binary-amd64/Packages | cut -d' ' -f1) $(wc -c <dists/bookworm/main/binary-amd64/Packages) main/binary-amd64/Packages
END
sed -i 's,/repository,/new,' /etc/apt/sources.list
apt-get -qq update
apt-get -q -y -o Dpkg::Options::=--force-confold dist-upgrade >/tmp/log 2>&1 || { tail -n 30 /tmp/log; exit 1; }
dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' | grep eci1 | cut -d' ' -f1,3; dpkg --audit`)
	for _, p := range []string{"libc6", "coreutils", "dpkg", "bash", "base-files", "passwd", "util-linux"} {
		if !strings.Contains(out, p+" installed\n") {
			t.Errorf("%s was not upgraded:\n%s", p, out)
		}
	}
}

// TestWorkloads_Debootstrap: a Debian is made inside, and run in a chroot. It makes device nodes and
// mounts, so that it needs more than an engine gives: CAP_SYS_ADMIN.
func TestWorkloads_Debootstrap(t *testing.T) {
	task := workloads(t, testbed.Container{CapAdd: systemAdmin})
	workload(t, task, `debootstrap --foreign --no-check-gpg --variant=minbase bookworm /tmp/root file:///repository >/tmp/log 2>&1 || { tail -n 20 /tmp/log; exit 1; }`)
	out := workload(t, task, fast+`chroot /tmp/root /debootstrap/debootstrap --second-stage >/tmp/log 2>&1 || { tail -n 20 /tmp/log; tail -n 20 /tmp/root/debootstrap/debootstrap.log; exit 1; }
stat -c '%F %t:%T' /tmp/root/dev/null /tmp/root/dev/urandom; stat -c '%U:%G %a' /tmp/root/usr/bin/passwd
chroot /tmp/root sh -ec 'apt-get --version | head -n 1; echo x >/dev/null; mount -t proc proc /proc; head -n 1 /proc/meminfo; umount /proc'
grep -c /tmp/root /proc/self/mountinfo || true`)
	if !regexp.MustCompile(`^character special file 1:3\ncharacter special file 1:9\nroot:root 4755\napt 2\..*\nMemTotal: +\d+ kB\n0\n$`).MatchString(out) {
		t.Errorf("got %s", out)
	}
}

// TestWorkloads_Dnf: packages of another family, into a root file system of their own and upgraded there.
func TestWorkloads_Dnf(t *testing.T) {
	task := workloads(t, testbed.Container{})
	out := workload(t, task, `cd /tmp
pack() { # name, version, requirement
cat >$1.spec <<END
Name: $1
Version: $2
Release: 1
Summary: a package
License: none
BuildArch: noarch
$3
%description
A package.
%install
mkdir -p %{buildroot}/opt/$1; echo $2 >%{buildroot}/opt/$1/version
%files
%attr(4755,root,daemon) /opt/$1/version
END
rpmbuild --quiet -bb --define '_topdir /tmp/rpm' --define '_rpmdir /tmp/repo' $1.spec >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
}
repo() { createrepo_c --quiet /tmp/repo; }
d() { dnf -q -y --installroot=/tmp/root --repofrompath=r,file:///tmp/repo --repo=r --nogpgcheck --releasever=1 --setopt=reposdir=/none --setopt=cachedir=/tmp/dnf --setopt=tsflags=noscripts "$@" >/tmp/dnf.log 2>&1 || { cat /tmp/dnf.log; exit 1; }; }
mkdir -p /tmp/root/etc; cp /etc/passwd /etc/group /tmp/root/etc
pack base 1; pack tool 1 'Requires: base >= 1'; repo; d install tool
cat /tmp/root/opt/base/version; stat -c %U:%G:%a /tmp/root/opt/tool/version
pack base 2; repo; d --refresh upgrade; cat /tmp/root/opt/base/version
rpm --root /tmp/root -V base tool`)
	wantText(t, "packages", out, "1\nroot:daemon:4755\n2")
}

// TestWorkloads_Build: what a runner of continuous integration does, by an ordinary user in a user
// namespace of its own: clone, compile, test.
func TestWorkloads_Build(t *testing.T) {
	task := workloads(t, testbed.Container{})
	out := workload(t, task, `useradd -m runner
su runner -c 'git init -q /home/runner/origin; cd /home/runner/origin
cat >Makefile <<END
test: hello
	./hello | grep "hello from"
hello: hello.c
	gcc -O2 -Wall -Werror -o \$@ \$<
END
cat >hello.c <<END
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("hello from %d\n", getuid()); return 0; }
END
git add .; git -c user.name=a -c user.email=a@example.com commit -q -m first'
su runner -c 'unshare --user --map-root-user --mount --pid --fork --mount-proc sh -ec "
mount -t tmpfs work /mnt; cd /mnt; git clone -q file:///home/runner/origin work 2>&1; cd work; make -s -j2 test; ps ax | grep -c make"'`)
	if !regexp.MustCompile(`^hello from 0\n\d+\n$`).MatchString(out) {
		t.Errorf("got %q", out)
	}
}
