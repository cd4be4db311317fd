package integration

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// Each TestCVE_… is an attack of the history of containers, as far as it can be
// carried out without harm when it succeeds. docs/threat-model.md lists them.

// TestCVE_2019_5736 overwrites the runtime's binary through /proc/PID/exe of the
// processes that it sends into the container.
func TestCVE_2019_5736(t *testing.T) {
	d := bed(t)
	before := hashOf(t, d.Programs.Runc)
	victim := start(t, d, testbed.Container{Privileged: true, Args: []string{"sh", "-c", `
while :; do
	for p in /proc/[0-9]*; do
		case $(readlink $p/exe) in */busybox|/bin/sh|"") ;; *) (echo '#!/bin/false' >$p/exe) 2>/dev/null && echo overwrote $(readlink $p/exe) ;; esac
	done
done`}})
	for range 10 {
		// The interpreter of the script is whatever executes it: runc's init.
		_, _ = victim.Exec(deadline(t), "sh", "-c", "printf '#!/proc/self/exe\n' >/evil; chmod 755 /evil")
		_, _ = victim.Exec(deadline(t), "/evil")
		_, _ = victim.Exec(deadline(t), "/proc/self/exe", "--version")
	}
	if after := hashOf(t, d.Programs.Runc); after != before {
		t.Error("runc was overwritten")
	}
	run(t, d, testbed.Container{})
}

// TestCVE_2021_30465 swaps a mount point in a shared volume for a link that leads
// out of the container, while another container is created that mounts there.
func TestCVE_2021_30465(t *testing.T) {
	d := bed(t)
	shared, outside, inner := t.TempDir(), t.TempDir(), volumeWithFile(t)
	start(t, d, testbed.Container{
		Mounts: []specs.Mount{testbed.Bind(shared, "/shared")},
		Args: []string{"sh", "-c", "cd /shared; while :; do rm -rf swap; ln -s /../../../../../../.." + outside +
			" swap; rm -f swap; ln -s " + outside + " swap; rm -f swap; mkdir swap; done"},
	})
	for range 20 {
		_, _ = d.Run(deadline(t), withRuntime(testbed.Container{
			Args:   []string{"sh", "-c", "echo leaked >/shared/swap/here/leak"},
			Mounts: []specs.Mount{testbed.Bind(shared, "/shared"), testbed.Bind(inner, "/shared/swap/here")},
		}))
		for _, entry := range entriesOf(t, outside) {
			t.Fatalf("made outside of the container: %s", entry)
		}
	}
}

// TestCVE_2024_21626 begins in a directory of the host that the runtime has open.
func TestCVE_2024_21626(t *testing.T) {
	d := bed(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of-the-host"), 0o644); err != nil {
		t.Fatal(err)
	}
	look := []string{"sh", "-c", "for up in . .. ../.. ../../.. ../../../../../../../..; do cat $up" + secret + "; done 2>/dev/null; true"}
	long := start(t, d, testbed.Container{})
	for n := 3; n < 32; n++ {
		for _, cwd := range []string{fmt.Sprintf("/proc/self/fd/%d", n), fmt.Sprintf("/proc/self/fd/%d/../../..", n)} {
			result, _ := d.Run(deadline(t), withRuntime(testbed.Container{Args: look, Spec: func(s *specs.Spec) { s.Process.Cwd = cwd }}))
			if strings.Contains(result.Stdout, "of-the-host") {
				t.Errorf("a container with the working directory %s reads the host's files", cwd)
			}
			if n%4 != 0 {
				continue
			}
			result, _ = long.ExecSpec(deadline(t), nil, func(p *specs.Process) { p.Args, p.Cwd = look, cwd })
			if strings.Contains(result.Stdout, "of-the-host") {
				t.Errorf("a process with the working directory %s reads the host's files", cwd)
			}
		}
	}
}

// kernelSettings are what the attacks of 2025 wrote to.
var kernelSettings = []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug"}

// checkSettings asserts that the settings are the same after the test.
func checkSettings(t *testing.T) {
	t.Helper()
	for _, name := range kernelSettings {
		before, err := os.ReadFile(name)
		if err != nil {
			continue // this kernel does not have it
		}
		t.Cleanup(func() {
			if after, _ := os.ReadFile(name); string(after) != string(before) {
				t.Errorf("%s is %q now, and was %q", name, after, before)
				_ = os.WriteFile(name, before, 0o644)
			}
		})
	}
}

// TestCVE_2025_31133 has the image bring a /dev/null that is a link to a setting of
// the kernel, which the runtime then binds over the paths to be masked.
func TestCVE_2025_31133(t *testing.T) {
	d := bed(t)
	checkSettings(t)
	root := hostileDev(t, "null", "/proc/sys/kernel/core_pattern")
	result, err := d.Run(deadline(t), withRuntime(testbed.Container{
		Rootfs: root, CapAdd: []string{"CAP_SYS_ADMIN"},
		Args: []string{"sh", "-c", "for f in /proc/kcore /proc/keys /proc/timer_list; do [ -e $f ] && stat -c '%n %t:%T' $f; done; (printf core >/proc/kcore) 2>&1; stat -c '%n %t:%T' /dev/null"},
	}))
	if err != nil {
		t.Logf("not created: %v", err)
		return
	}
	t.Log(result.Stdout)
	for line := range strings.Lines(result.Stdout) {
		if strings.HasPrefix(line, "/") && !strings.HasSuffix(strings.TrimSpace(line), " 1:3") {
			t.Errorf("not the null device: %s", line)
		}
	}
}

// TestCVE_2025_52565 does the same with /dev/console.
func TestCVE_2025_52565(t *testing.T) {
	d := bed(t)
	checkSettings(t)
	for _, name := range []string{"console", "pts", "ptmx"} {
		root := hostileDev(t, name, "/proc/sys/kernel")
		result, err := d.Run(deadline(t), withRuntime(testbed.Container{
			Rootfs: root, Terminal: true, Args: []string{"sh", "-c", "stat -c '%n %F' /dev/console; stat -c '%n %F' /dev/pts/ptmx"},
		}))
		if err != nil {
			t.Logf("%s: not created: %v", name, err)
			continue
		}
		if n := strings.Count(result.Stdout, "character special file"); n != 2 {
			t.Errorf("%s: %s", name, result.Stdout)
		}
	}
}

// TestCVE_2025_52881 redirects what runc writes below /proc (labels, settings): by
// a /proc that is none, and by files of the image in the place of others.
func TestCVE_2025_52881(t *testing.T) {
	d := bed(t)
	checkSettings(t)
	for name, edit := range map[string]func(*specs.Spec){
		"tmpfs for proc": func(s *specs.Spec) {
			for i := range s.Mounts {
				if s.Mounts[i].Destination == "/proc" {
					s.Mounts[i].Type, s.Mounts[i].Source, s.Mounts[i].Options = "tmpfs", "tmpfs", nil
				}
			}
		},
		"volume over attr": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, testbed.Bind("/etc/hostname", "/proc/self/attr/exec"))
		},
		"volume over sys": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, testbed.Bind(t.TempDir(), "/proc/sys/net"))
			s.Linux.Sysctl = map[string]string{"net.core.somaxconn": "128"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, d, testbed.Container{Spec: edit})
		})
	}
}

// TestCVE_2025_23266 has a hook without an environment of its own inherit that of
// the image, LD_PRELOAD in it. What such a hook loads runs as the container's root,
// who is nobody on the host.
func TestCVE_2025_23266(t *testing.T) {
	d := bed(t)
	dir := t.TempDir()
	for _, open := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	seen := filepath.Join(dir, "seen")
	result, err := d.Run(deadline(t), withRuntime(testbed.Container{
		Env: []string{"LD_PRELOAD=/evil.so"},
		Spec: func(s *specs.Spec) {
			s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{
				Path: "/bin/sh", Args: []string{"sh", "-c", "{ cat /proc/self/uid_map; env; } >" + seen + " 2>&1"},
			}}}
		},
	}))
	text, _ := os.ReadFile(seen)
	if err != nil || result.Code != 0 {
		t.Fatalf("status %d, %v", result.Code, err)
	}
	mapping, env, _ := strings.Cut(string(text), "\n")
	if fields := strings.Fields(mapping); len(fields) != 3 || fields[1] == "0" {
		t.Errorf("the hook runs as a user of the host: its mapping is %q", mapping)
	}
	if strings.Contains(env, "LD_PRELOAD") {
		t.Logf("the hook has the image's environment, which gives it no more than the container has: %s", env)
	}
}

// TestCVE_2025_9074 asks an engine that listens on the host's loopback: a container
// has a loopback of its own.
func TestCVE_2025_9074(t *testing.T) {
	d := bed(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			asked <- c.RemoteAddr().String()
			_ = c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	result := runAny(t, d, testbed.Container{Args: []string{"wget", "-T", "5", "-O", "-", "http://127.0.0.1:" + port + "/containers/json"}})
	select {
	case who := <-asked:
		t.Errorf("the host was asked by %s", who)
	default:
	}
	if result.Code == 0 {
		t.Errorf("an answer: %s", result.Stdout)
	}
}

// hostileDev is a root file system with a link in /dev.
func hostileDev(t *testing.T, name, target string) string {
	t.Helper()
	root := plainRootfs(t)
	path := filepath.Join(root, "dev", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.RemoveAll(path)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return root
}

func hashOf(t *testing.T, name string) [sha256.Size]byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}
