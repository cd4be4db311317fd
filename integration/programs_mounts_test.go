package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// newMount runs the programs of a newer util-linux with their own C library.
const newMount = `n() { p=$1; shift; /new/usr/lib64/ld-linux-x86-64.so.2 --library-path /new/usr/lib/x86_64-linux-gnu /new/usr/bin/$p "$@"; }
`

// theView is what a procfs shows first with 256 MiB.
var theView = fmt.Sprintf("MemTotal: %d kB", mebibytes<<10)

// wantView asserts that each line of a text is theView.
func wantView(t *testing.T, text string, times int) {
	t.Helper()
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != times {
		t.Errorf("got %q, want %d times the view", text, times)
	}
	for line := range strings.Lines(text) {
		wantText(t, "a procfs", strings.Join(strings.Fields(line), " "), theView)
	}
}

// mount(8) of util-linux mounts a procfs by mount(2) before 2.39, and by fsopen(2) since.
func TestPrograms_MountProc(t *testing.T) {
	task := programs(t, testbed.Container{Spec: limited(smallMemory), CapAdd: []string{"CAP_SYS_ADMIN"}})
	for name, m := range map[string]string{"2.38, by mount(2)": "mount", "2.41, by fsopen(2)": "n mount", "busybox": "/bin/busybox mount"} {
		t.Run(name, func(t *testing.T) {
			u := strings.Replace(m, "mount", "umount", 1)
			out := shell(t, task, newMount+`mkdir -p /p /s
`+m+` -t proc proc /p; head -n 1 /p/meminfo; `+u+` /p; ls -A /p
`+m+` -t proc -o nosuid,nodev,noexec proc /p; head -n 1 /p/meminfo; `+u+` /p
`+m+` --bind /proc /p; head -n 1 /p/meminfo; `+u+` -l /p
`+m+` --rbind /proc /p; head -n 1 /p/meminfo; `+u+` -l /p
`+m+` -t sysfs sysfs /s; cat /s/devices/system/cpu/online >/dev/null; `+u+` /s; ls -A /s`)
			wantView(t, out, 4)
			if out, code := shellAny(t, task, newMount+u+" /proc/meminfo"); code == 0 {
				t.Errorf("a pseudo-file was unmounted: %s", out)
			}
			wantView(t, shell(t, task, "head -n 1 /proc/meminfo"), 1)
		})
	}
}

// Sandboxes make a procfs of their own in new user and pid namespaces.
func TestPrograms_Sandboxes(t *testing.T) {
	for name, c := range map[string]testbed.Container{
		"by default": {Spec: limited(smallMemory)},
		"privileged": {Spec: specOf(limited(smallMemory), withPrivileges), Privileged: true},
	} {
		t.Run(name, func(t *testing.T) {
			task := programs(t, c)
			shell(t, task, "useradd --create-home somebody; echo somebody:100000:1000 >/etc/subuid; cp /etc/subuid /etc/subgid; sed -i s/100000/10000/ /etc/subuid /etc/subgid")
			for _, script := range []string{
				"unshare -Urpf --mount-proc head -n 1 /proc/meminfo",
				"unshare -Urpfm sh -c 'mount -t proc proc /proc && head -n 1 /proc/meminfo'",
				"bwrap --unshare-user --unshare-pid --ro-bind / / --proc /proc --dev /dev head -n 1 /proc/meminfo",
				"bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp head -n 1 /proc/meminfo",
				"unshare -U --map-auto --map-root-user -pf --mount-proc head -n 1 /proc/meminfo",
			} {
				for _, user := range []string{"", "setpriv --reuid=somebody --regid=somebody --init-groups --reset-env -- "} {
					t.Run(user+script, func(t *testing.T) {
						if strings.Contains(script, "map-auto") && (user == "" || name != "privileged") {
							return // root has no subordinate IDs here, and newuidmap needs CAP_SYS_ADMIN
						}
						shell(t, task, "rm -f /tmp/script; cat >/tmp/script <<'END'\n"+script+"\nEND\nchmod 755 /tmp/script")
						wantView(t, shell(t, task, user+"sh -e /tmp/script"), 1)
					})
				}
			}
			if name == "privileged" {
				wantView(t, shell(t, task, "unshare -pf --mount-proc head -n 1 /proc/meminfo; bwrap --unshare-pid --bind / / --proc /proc --dev-bind /dev /dev head -n 1 /proc/meminfo; chroot / unshare -mpf --mount-proc head -n1 /proc/meminfo"), 3)
			}
		})
	}
}
