package pseudofs

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateRenders = flag.Bool("update", false, "write what comes out into testdata/render/*/want")

// rendered are the files below test, each with its render.
var rendered = []struct {
	path   string
	render func(host []byte, v *View) []byte
}{
	{"proc/uptime", renderUptime},
	{"proc/meminfo", renderMeminfo},
	{"proc/cpuinfo", renderCpuinfo},
	{"proc/stat", renderStat},
	{"proc/loadavg", renderLoadavg},
	{"proc/diskstats", renderDiskstats},
	{"proc/swaps", renderSwaps},
	{"proc/pressure/cpu", renderPressure("cpu")},
	{"proc/pressure/io", renderPressure("io")},
	{"proc/pressure/memory", renderPressure("memory")},
	{"sys/devices/system/cpu/online", renderCPUList},
	{"sys/devices/system/cpu/present", renderCPUList},
	{"sys/devices/system/cpu/possible", renderCPUList},
}

// A case is a directory: host/ with files as a kernel showed them; view.json, the
// container's numbers (durations in nanoseconds), whose PSI is in psi/, absent for
// none; want/ with what is rendered of each file in host/. testdata/render/README.md
// says where they are from.
func TestRenderGolden(t *testing.T) {
	for _, dir := range renderCases(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			v := readView(t, dir)
			seen := 0
			for _, r := range rendered {
				host, err := os.ReadFile(filepath.Join(dir, "host", r.path))
				if os.IsNotExist(err) {
					continue
				}
				seen++
				before := bytes.Clone(host)
				checkRender(t, filepath.Join(dir, "want", r.path), r.render(host, v))
				if !bytes.Equal(before, host) {
					t.Errorf("%s: the host's text was changed", r.path)
				}
			}
			if seen == 0 {
				t.Error("there is nothing in host/ to render")
			}
		})
	}
}

func checkRender(t *testing.T, name string, got []byte) {
	t.Helper()
	if *updateRenders {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("not as in %s (-want +got):\n%s", name, diff)
	}
}

func renderCases(t testing.TB) []string {
	t.Helper()
	views, err := filepath.Glob("testdata/render/*/view.json")
	if err != nil || len(views) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for i, name := range views {
		views[i] = filepath.Dir(name)
	}
	return views
}

func readView(t testing.TB, dir string) *View {
	t.Helper()
	v := new(View)
	d := json.NewDecoder(bytes.NewReader(readGolden(t, filepath.Join(dir, "view.json"))))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{"cpu", "io", "memory"} {
		text, err := os.ReadFile(filepath.Join(dir, "psi", resource))
		if err != nil {
			continue
		}
		if v.PSI == nil {
			v.PSI = map[string][]byte{}
		}
		v.PSI[resource] = text
	}
	return v
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
