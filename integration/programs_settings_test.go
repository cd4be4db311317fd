package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// `sysctl -a` prints all that can be read; what cannot is the kernel's to refuse.
func TestPrograms_SysctlAll(t *testing.T) {
	task := programs(t, writableContainer())
	out, _ := shellAny(t, task, "sysctl -a >/tmp/all 2>/tmp/errors; cat /tmp/errors")
	for line := range strings.Lines(out) {
		// sysctl: permission denied on key 'x.y', sysctl: reading key "x.y"
		key := strings.Trim(line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1:], "'\"\n")
		path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		if slices.ContainsFunc(settables, func(s settable) bool { return s.file() == path }) {
			t.Errorf("a pseudo-file: %s", line)
		} else if !strings.Contains(line, "permission denied on key") && !strings.Contains(line, "stable_secret") {
			t.Errorf("not an error of the kernel: %s", line)
		}
	}
	all := shell(t, task, "cat /tmp/all")
	for _, s := range settables {
		if name := strings.ReplaceAll(s.path, "/", "."); exists(s.file()) && !strings.HasPrefix(s.path, "/") && !strings.Contains(all, "\n"+name+" = ") {
			t.Errorf("no %s", name)
		}
	}
}

// A file of settings, as packages bring them.
func TestPrograms_SysctlFile(t *testing.T) {
	unchangedSettings(t)
	c := writableContainer()
	c.CapAdd = []string{"CAP_NET_ADMIN"} // for net.ipv4.ip_forward, which is the kernel's
	task := programs(t, c)
	out := shell(t, task, `cat >/tmp/settings <<END
# what databases, kubelet and others ask for
kernel.panic = 10
kernel.panic_on_oops = 1
vm.overcommit_memory = 1
vm.max_map_count = 262144
vm.swappiness = 1
net.core.somaxconn = 4096
net.ipv4.ip_forward = 1
fs.file-max = 100000
kernel.keys.root_maxkeys = 1000000
kernel.keys.root_maxbytes = 25000000
net.ipv4.neigh.default.gc_thresh1 = 80000
net.ipv4.neigh.default.gc_thresh2 = 90000
net.ipv4.neigh.default.gc_thresh3 = 100000
END
sysctl -p /tmp/settings; sysctl -n vm.max_map_count net.core.somaxconn net.ipv4.neigh.default.gc_thresh3`)
	if !strings.HasSuffix(out, "\n262144\n4096\n100000\n") || !strings.Contains(out, "kernel.panic = 10\n") {
		t.Errorf("got %s", out)
	}
	if out, code := shellAny(t, task, "sysctl -w vm.overcommit_memory=7"); code == 0 || !strings.Contains(out, "Invalid argument") {
		t.Errorf("status %d: %s", code, out)
	}
	if out, code := shellAny(t, task, "sysctl -w vm.drop_caches=0 kernel.threads-max=$(cat /proc/sys/kernel/threads-max)"); code == 0 || strings.Count(out, "denied")+strings.Count(out, "not permitted") < 2 {
		t.Errorf("status %d: %s", code, out)
	}
}

// Redis warns of a setting, until it is set as it says.
func TestPrograms_Redis(t *testing.T) {
	if hostSetting("/proc/sys/vm/overcommit_memory") == "1" {
		t.Skip("the host's vm.overcommit_memory is 1 already: Redis does not warn")
	}
	unchangedSettings(t)
	task := programs(t, writableContainer(limited(limits{memory: 512 << 20})))
	const serve = `cd /tmp; redis-server --port 0 --unixsocket /tmp/r.sock --save '' --daemonize no >/tmp/redis.log 2>&1 &
until redis-cli -s /tmp/r.sock ping 2>/dev/null | grep -q PONG; do kill -0 $!; sleep 0.05; done
redis-cli -s /tmp/r.sock set key value >/dev/null; redis-cli -s /tmp/r.sock get key; redis-cli -s /tmp/r.sock info memory | grep total_system_memory:
redis-cli -s /tmp/r.sock shutdown nosave || true; wait; cat /tmp/redis.log`
	out := shell(t, task, serve)
	if !strings.Contains(out, "WARNING Memory overcommit must be enabled") || !strings.Contains(out, "value\n") {
		t.Errorf("before: %s", out)
	}
	if !strings.Contains(out, "total_system_memory:536870912") {
		t.Errorf("Redis takes the memory for another: %s", out)
	}
	shell(t, task, "sysctl vm.overcommit_memory=1")
	if out := shell(t, task, serve); strings.Contains(out, "overcommit") || !strings.Contains(out, "value\n") {
		t.Errorf("after: %s", out)
	}
}

// PostgreSQL is made, starts and answers.
func TestPrograms_PostgreSQL(t *testing.T) {
	task := programs(t, testbed.Container{Spec: limited(limits{memory: 512 << 20})})
	out := shell(t, task, `mkdir -p /var/run/postgresql; chown postgres /var/run/postgresql
p() { setpriv --reuid=postgres --regid=postgres --clear-groups --reset-env -- "$@"; }
bin=$(echo /usr/lib/postgresql/*/bin)
p $bin/initdb -N -D /tmp/pg >/tmp/initdb.log
p $bin/pg_ctl -w -D /tmp/pg -l /tmp/pg.log start >/dev/null
p psql -Atc 'create table t (n int)' -c 'insert into t select generate_series(1, 1000)' -c 'select sum(n) from t'
p $bin/pg_ctl -w -m fast -D /tmp/pg stop >/dev/null; cat /tmp/pg.log`)
	if !strings.Contains(out, "\n500500\n") || !strings.Contains(out, "ready to accept connections") {
		t.Errorf("got %s", out)
	}
}

// What Elasticsearch checks before it starts.
func TestPrograms_MaxMapCount(t *testing.T) {
	unchangedSettings(t)
	task := programs(t, writableContainer())
	out := shell(t, task, `test "$(cat /proc/sys/vm/max_map_count)" -lt 262144; sysctl -q -w vm.max_map_count=262144; cat /proc/sys/vm/max_map_count`)
	wantText(t, "vm.max_map_count", out, "262144")
	// It is the container's for processes that come later, as well.
	wantText(t, "in another process", shell(t, task, "sysctl -n vm.max_map_count"), "262144")
}
