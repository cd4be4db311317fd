package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// withoutRun makes a spec as Docker does, which mounts nothing at /run, and cgroups read-only.
func withoutRun(s *specs.Spec) {
	s.Process.NoNewPrivileges = false
	s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == "/run" })
	s.Mounts = append(s.Mounts, specs.Mount{
		Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
	})
}

// boot starts systemd and waits until it says that all is well.
func boot(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	if c.Args == nil {
		c.Args = []string{"/sbin/init"}
	}
	task := system(t, c)
	booted(t, task)
	return task
}

func booted(t *testing.T, task *testbed.Task) {
	t.Helper()
	state, _ := shellAny(t, task, "until [ -S /run/systemd/private ]; do sleep 0.05; done; systemctl is-system-running --wait")
	if strings.TrimSpace(state) != "running" {
		failed, _ := shellAny(t, task, "systemctl --failed --no-legend --plain; journalctl --no-pager -b -p warning | tail -n 30")
		t.Fatalf("systemd says %q\n%s", state, failed)
	}
}

// TestP17_Boots: whatever leads to systemd, and whoever wrote the spec.
func TestP17_Boots(t *testing.T) {
	for name, c := range map[string]testbed.Container{
		"as containerd starts it":    {},
		"privileged":                 {Privileged: true, Spec: entire},
		"as Docker starts it":        {Spec: withoutRun},
		"as Docker does, privileged": {Privileged: true, Spec: withoutRun},
		"by name":                    {Args: []string{"init"}},
		"by its own path":            {Args: []string{"/lib/systemd/systemd", "--log-target=journal"}},
		"by a link of somebody's":    {Args: []string{"/bin/sh", "-c", "exec /sbin/init"}, Spec: annotated("systemd", "always")},
		"without emulation of paths": {Privileged: true, Spec: writableSys},
		"a tmpfs of the client's":    {Mounts: []specs.Mount{{Type: "tmpfs", Source: "tmpfs", Destination: "/run/lock", Options: []string{"mode=1777", "size=1m"}}}},
		"a volume below /run":        {Spec: withoutRun, Mounts: []specs.Mount{testbed.Bind(t.TempDir(), "/run/volume")}},
	} {
		t.Run(name, func(t *testing.T) {
			task := boot(t, c)
			steps(t, task, "", []printed{
				{"a container", "systemd-detect-virt --container; tr '\\0' '\\n' </proc/1/environ", []string{`^container-other$`, `^container=oci$`}, nil},
				{"/run", "findmnt -n -o FSTYPE /run; findmnt -n -o FSTYPE,OPTIONS /run/lock; stat -c '%a %u %g' /run /run/lock", []string{`^tmpfs$`, `^tmpfs .*rw`, `^755 0 0$`, `^1777 0 0$`}, nil},
				{"cgroups", "cat /proc/1/cgroup; mkdir -p $(findmnt -rn -t cgroup2 -o TARGET | head -n 1)/system.slice", []string{`:/init\.scope$`}, nil},
				{"volume", "mountpoint /run/volume || ! [ -e /run/volume ]", nil, nil},
			})
		})
	}
}

// writableSys is the spec that makes systemd try most: it may write to /sys and /proc/sys.
func writableSys(s *specs.Spec) {
	entire(s)
	readWrite(s)
}

func annotated(name, value string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations["eci.containerd.io/"+name] = value
	}
}

// TestP17_Others: what is not systemd gets nothing of it, nor who does not want it.
func TestP17_Others(t *testing.T) {
	for name, c := range map[string]testbed.Container{
		"a shell":   {Args: []string{"/bin/sh", "-c", "sleep 100000"}, Spec: withoutRun},
		"forbidden": {Args: []string{"/sbin/init"}, Spec: func(s *specs.Spec) { withoutRun(s); annotated("systemd", "never")(s) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.Image = testbed.SystemsName
			debianBed(t, testbed.SystemsName)
			task, err := bed(t).Create(deadline(t), withRuntime(c))
			succeed(t, err)
			defer func() { succeed(t, task.Delete(deadline(t))) }()
			mounts := readFile(t, fmt.Sprintf("/proc/%d/mountinfo", task.Pid()))
			if !strings.Contains(mounts, " /proc ") || strings.Contains(mounts, " /run ") {
				t.Errorf("mounted are\n%s", mounts)
			}
		})
	}
}

// systemdSteps are what people do with systemd.
var systemdSteps = []printed{
	{"nothing failed", "systemctl --failed --no-legend --plain | wc -l", []string{`^0$`}, nil},
	{"a unit", `printf '[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c "echo stopped >/var/stopped"\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/mine.service
		systemctl daemon-reload; systemctl enable --now mine; systemctl is-active mine; systemctl show -p ControlGroup mine; grep mine /proc/$(systemctl show -p MainPID --value mine)/cgroup`, []string{`^active$`, `^ControlGroup=/system\.slice/mine\.service$`, `/system\.slice/mine\.service$`}, nil},
	{"journalctl", "echo written by hand | systemd-cat -t hand; journalctl --sync; journalctl --no-pager -o cat -t hand; journalctl --no-pager -u mine; ls -d /var/log/journal/*", []string{`^written by hand$`, `Started mine\.service`}, nil},
	{"systemd-run", "systemd-run --quiet --wait --pipe -p DynamicUser=yes -p PrivateTmp=yes -p ProtectSystem=strict -p ProtectHome=yes sh -c 'id -u; touch /etc/x || echo protected'", []string{`^6\d{4}$`, `^protected$`}, nil},
	{"a unit's memory", "systemd-run --quiet --wait --pipe -p MemoryMax=32M -p MemorySwapMax=0 sh -c 'head -c 128m /dev/zero | tail -c 100m >/dev/null; echo lived $?'", []string{`^lived 137$|oom-kill`}, []string{`^lived 0`}},
	{"a unit's tasks", "systemd-run --quiet --wait --pipe --collect -p TasksMax=5 bash -c 'for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait' || true", []string{`fork: (retry: )?Resource temporarily unavailable`}, nil},
	{"a timer", "systemd-run --quiet --on-active=100ms --timer-property=AccuracySec=10ms --unit=soon touch /var/fired; timeout 60 sh -c 'until [ -e /var/fired ]; do sleep 0.1; done'; echo fired", []string{`^fired$`}, nil},
	{"a session", "systemd-run --quiet --unit=login -p PAMName=login -p User=user sleep 1000; timeout 60 sh -c 'until loginctl show-user user -p State | grep -E \"active|online\"; do sleep 0.1; done'; loginctl list-sessions --no-legend; systemctl list-units --no-legend 'session-*.scope'", []string{`1000 user`, `session-.*\.scope loaded active running`}, nil},
	{"a user's manager", "systemd-run --quiet --user -M user@ --wait --pipe sh -c 'id -un; systemctl --user is-system-running; cat /proc/self/cgroup; echo $XDG_RUNTIME_DIR; findmnt -n -o FSTYPE /run/user/1000'", []string{`^user$`, `^running$`, `/user\.slice/user-1000\.slice/user@1000\.service/`, `^/run/user/1000$`, `^tmpfs$`}, nil},
	{"tmpfiles", "echo 'd /run/made 0711 user user' >/etc/tmpfiles.d/mine.conf; systemd-tmpfiles --create mine.conf; stat -c '%a %U' /run/made; stat -c %a /tmp/.X11-unix", []string{`^711 user$`, `^1777$`}, nil},
	{"hostname and time", "hostnamectl | cat; timedatectl show -p Timezone; busctl status org.freedesktop.systemd1 | head -n 1", []string{`Chassis: container`, `Virtualization: container-other`, `^Timezone=`, `^PID=1$`}, nil},
	{"cron", "systemctl is-active cron; echo '* * * * * root true' >/etc/cron.d/x; systemctl reload-or-restart cron; systemctl is-active cron", []string{`^active\nactive$`}, nil},
	{"anew", "systemctl daemon-reexec; systemctl is-system-running --wait; systemctl is-active mine", []string{`^running\nactive$`}, nil},
	{"sockets", `printf '[Socket]\nListenStream=/run/echo\nAccept=yes\n' >/etc/systemd/system/echo.socket; printf '[Service]\nExecStart=/bin/cat\nStandardInput=socket\n' >/etc/systemd/system/echo@.service
		systemctl daemon-reload; systemctl start echo.socket; echo answered | timeout 60 socat -t 60 - UNIX-CONNECT:/run/echo`, []string{`^answered$`}, nil},
}

func TestP17_Works(t *testing.T) {
	task := boot(t, testbed.Container{Privileged: true, Spec: entire})
	steps(t, task, "", systemdSteps)
}

// TestP17_Stops: a client that stops the container in the way that it knows ends all units in
// order, and sooner than clients lose patience (Docker: 10 s).
func TestP17_Stops(t *testing.T) {
	const rtmin3 = syscall.Signal(37)
	for name, stop := range map[string]func(*testing.T, *testbed.Task){
		"SIGTERM":    func(t *testing.T, task *testbed.Task) { succeed(t, task.Kill(deadline(t), syscall.SIGTERM)) },
		"SIGRTMIN+3": func(t *testing.T, task *testbed.Task) { succeed(t, task.Kill(deadline(t), rtmin3)) },
		"poweroff":   func(t *testing.T, task *testbed.Task) { shellAny(t, task, "systemctl poweroff") },
		"reboot":     func(t *testing.T, task *testbed.Task) { shellAny(t, task, "systemctl reboot") },
	} {
		t.Run(name, func(t *testing.T) {
			volume := t.TempDir()
			task := boot(t, testbed.Container{Privileged: true, Spec: entire, Mounts: []specs.Mount{testbed.Bind(volume, "/volume")}})
			shell(t, task, `systemd-run --quiet --unit=mine -p ExecStop='/bin/sh -c "echo in order >/volume/stopped"' sleep 1000`)
			began := time.Now()
			stop(t, task)
			result, err := task.Wait(deadline(t))
			succeed(t, err)
			if took := time.Since(began); took > 10*time.Second*(patience/(2*time.Minute)) {
				t.Errorf("it took %s", took)
			}
			if result.Code == 137 {
				t.Error("it was killed")
			}
			wantText(t, "what the unit wrote when it was stopped", readFile(t, volume+"/stopped"), "in order")
		})
	}
	checkClean(t, bed(t))
}
