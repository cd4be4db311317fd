package integration

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// figures are the samples of a text in Prometheus' format.
func figures(t *testing.T, text string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	sample := regexp.MustCompile(`^([a-z_]+(?:\{[^ ]*\})?) ([0-9.e+]+)$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no sample: %q", line)
		}
		value, err := strconv.ParseFloat(m[2], 64)
		must(t, err)
		out[m[1]] = value
	}
	return out
}

// TestEci_Metrics: what runs, what was claimed and what was refused is counted, on standard
// output, in a file and over HTTP.
func TestEci_Metrics(t *testing.T) {
	d := freshBed(t, testbed.Options{Config: "[sysctl]\nceilings = { \"fs.nr_open\" = 4000000000 }"})
	read := func() map[string]float64 {
		out, errs, code := eci(t, d, "metrics")
		if code != 0 || errs != "" {
			t.Fatalf("%d %s", code, errs)
		}
		return figures(t, out)
	}
	before := read()
	task := started(t, d, testbed.Container{ID: "one", Args: []string{"sleep", "100000"}})
	hostNet := func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	}
	refusedCreate(t, d, testbed.Container{ID: "two", Spec: hostNet})
	got := read()
	for name, want := range map[string]float64{
		`eci_containers{namespace="` + d.Namespace + `",mode="own"}`: 1,
		`eci_id_ranges_used`: 1,
		`eci_id_ranges_free`: before["eci_id_ranges_free"] - 1,
		`eci_id_ranges`:      before["eci_id_ranges"],
		`eci_decisions_total{verdict="allowed",rule="none",action="create"}`:          1,
		`eci_decisions_total{verdict="denied",rule="host-namespace",action="create"}`: 1,
		`eci_sysctl_claims{setting="fs.nr_open"}`:                                     0,
		`eci_audit_readable`:               1,
		`eci_audit_unreadable_lines_total`: 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", name, value, ok, want)
		}
	}
	if got["eci_shims_resident_bytes"] < 1<<20 || got[`eci_shims{binary="installed"}`] < 1 {
		t.Errorf("shims: %v", got)
	}

	file := filepath.Join(t.TempDir(), "eci.prom")
	if _, errs, code := eci(t, d, "metrics", "--textfile", file); code != 0 {
		t.Fatal(errs)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	if figures(t, string(text))["eci_id_ranges_used"] != 1 {
		t.Errorf("the file has\n%s", text)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("beside the file: %v, %v", entries, err)
	}

	if _, errs, code := eci(t, d, "metrics", "--listen", "0.0.0.0:0"); code != 2 || !strings.Contains(errs, "say --public as well") {
		t.Errorf("%d %s", code, errs)
	}
	cmd := osexec.CommandContext(deadline(t), filepath.Join(d.Programs.Dir, "eci"), "--config", d.ConfigFile(), "metrics", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	answer, err := http.Get(strings.TrimSpace(strings.TrimPrefix(line, "serving ")))
	must(t, err)
	defer answer.Body.Close()
	var served strings.Builder
	_, err = bufio.NewReader(answer.Body).WriteTo(&served)
	if err != nil || answer.StatusCode != 200 || figures(t, served.String())["eci_id_ranges_used"] != 1 {
		t.Errorf("%v, %d\n%s", err, answer.StatusCode, served.String())
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	must(t, task.Delete(deadline(t)))
	if got := read(); got["eci_id_ranges_used"] != 0 {
		t.Errorf("after the end: %v", got)
	}
	checkClean(t, d)
}

// TestEci_Top: a container that works is seen to.
func TestEci_Top(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	type row struct {
		Namespace, Container string
		CPUShare             float64
		MemoryBytes, Pids    uint64
		MemoryMaxBytes       uint64
	}
	limited := func(s *specs.Spec) {
		max := int64(64 << 20)
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &max}}
	}
	busy := started(t, d, testbed.Container{ID: "busy", Args: []string{"sh", "-c", "while :; do :; done"}, Spec: limited})
	idle := started(t, d, testbed.Container{ID: "idle", Args: []string{"sleep", "100000"}})
	var rows []row
	for end := time.Now().Add(patience); ; { // the machine may be busy with others
		rows = eciJSON[[]row](t, d, 0, "top", "--once")
		if len(rows) == 2 && rows[0].Container == "busy" && rows[0].CPUShare > 0.05 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %+v", rows)
		}
	}
	if b, i := rows[0], rows[1]; b.MemoryMaxBytes != 64<<20 || b.Pids != 1 || b.MemoryBytes == 0 || i.CPUShare > 0.05 || i.MemoryMaxBytes != 0 || i.Namespace != d.Namespace {
		t.Errorf("got %+v", rows)
	}
	out, _, code := eci(t, d, "top", "--once", "--sort", "name")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "CONTAINER") || !strings.HasPrefix(lines[2], d.Namespace+"/idle") || !strings.Contains(lines[1], " 64.0M ") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	must(t, busy.Delete(deadline(t)))
	must(t, idle.Delete(deadline(t)))
	checkClean(t, d)
}

// TestEci_Inspect: what is told of a container is what is so.
func TestEci_Inspect(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	volume := t.TempDir()
	task := started(t, d, testbed.Container{ID: "inspected-1", Args: []string{"sleep", "100000"}, Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")}})
	other := started(t, d, testbed.Container{ID: "inspected-2", Args: []string{"sleep", "100000"}})
	type inspection struct {
		Container, UserNamespace string
		FirstID                  uint32
		Pid                      int
		Shim                     struct{ Pid int }
		Usage                    struct{ MemoryBytes, Pids uint64 }
		Layers                   []string
		Mounts                   []struct {
			Target, Type string
			ReadOnly     bool
		}
		Audit []decision
	}
	got := eciJSON[inspection](t, d, 0, "inspect", "inspected-1")
	user, err := os.Readlink("/proc/" + strconv.Itoa(int(task.Pid())) + "/ns/user")
	must(t, err)
	shims, err := d.Shims("inspected-1")
	must(t, err)
	if got.Container != "inspected-1" || got.UserNamespace != user || got.Pid != int(task.Pid()) || got.FirstID < 65536 || got.Usage.Pids != 1 || got.Usage.MemoryBytes == 0 ||
		len(shims) != 1 || got.Shim.Pid != shims[0].Pid || len(got.Layers) != 2 {
		t.Errorf("got %+v, shims %v", got, shims)
	}
	mounts := map[string]bool{}
	for _, m := range got.Mounts {
		mounts[m.Target] = m.ReadOnly
	}
	if ro, ok := mounts["/mnt"]; !ok || !ro || mounts["/"] {
		t.Errorf("mounts: %+v", got.Mounts)
	}
	if len(got.Audit) != 1 || got.Audit[0].Verdict != "allowed" || got.Audit[0].Container != "inspected-1" {
		t.Errorf("decisions: %+v", got.Audit)
	}
	out, _, code := eci(t, d, "inspect", "inspected-1")
	for _, want := range []string{d.Namespace + "/inspected-1", "user namespace " + user, "/mnt", "allowed"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit status %d, without %q:\n%s", code, want, out)
		}
	}
	for id, want := range map[string]string{"inspected": "is not one container", "none": `no container of this runtime is called "none"`} {
		if _, errs, code := eci(t, d, "inspect", id); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", id, code, errs)
		}
	}
	must(t, task.Delete(deadline(t)))
	must(t, other.Delete(deadline(t)))
	checkClean(t, d)
}

// started starts a container that the test itself deletes.
func started(t *testing.T, d *testbed.Daemon, c testbed.Container) *testbed.Task {
	t.Helper()
	task, err := d.Start(deadline(t), withRuntime(c))
	must(t, err)
	return task
}

// TestEci_TraceInTheAuditLog: where containerd traces, a decision names the trace that it
// belongs to, by which its spans are found. Their collector is the test.
func TestEci_TraceInTheAuditLog(t *testing.T) {
	var mu sync.Mutex
	var spans []byte
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		mu.Lock()
		spans = append(spans, data...)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(collector.Close)
	d := freshBed(t, testbed.Options{Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_TRACES_SAMPLER=always_on", "OTEL_BSP_SCHEDULE_DELAY=50",
	}})
	run(t, d, testbed.Container{ID: "untraced"})
	main := filepath.Join(d.Dir, "containerd.toml")
	data, err := os.ReadFile(main)
	must(t, err)
	text := strings.NewReplacer(`"io.containerd.internal.v1.tracing", `, "", `"io.containerd.tracing.processor.v1.otlp", `, "").Replace(string(data))
	must(t, os.WriteFile(main, []byte(text), 0o600))
	must(t, d.Relaunch())
	run(t, d, testbed.Container{ID: "traced"})
	trace := func(id string) string {
		t.Helper()
		text, err := os.ReadFile(d.AuditFile())
		must(t, err)
		for line := range strings.Lines(string(text)) {
			l := decode[struct{ Container, Trace string }](t, line)
			if l.Container == id {
				return l.Trace
			}
		}
		t.Fatalf("no line about %s in\n%s", id, text)
		return ""
	}
	if got := trace("untraced"); got != "" {
		t.Errorf("a trace where there is none: %q", got)
	}
	id, err := hex.DecodeString(trace("traced"))
	if err != nil || len(id) != 16 {
		t.Fatalf("trace %x, %v", id, err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		found := bytes.Contains(spans, id)
		mu.Unlock()
		if found {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("containerd has no span of the trace %x", id)
		}
	}
}
