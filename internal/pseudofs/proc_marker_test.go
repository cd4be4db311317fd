package pseudofs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// marker is a number that no view has.
const marker = "987654321"

// usageNumbers finds the numbers of a file that tell what the host does.
var usageNumbers = map[string]*regexp.Regexp{
	"proc/uptime":          regexp.MustCompile(`\b\d+\b`),
	"proc/meminfo":         regexp.MustCompile(`\b\d+\b`),
	"proc/stat":            regexp.MustCompile(`\b\d+\b`),
	"proc/loadavg":         regexp.MustCompile(`\b\d+\b`),
	"proc/diskstats":       regexp.MustCompile(`\b\d+\b`),
	"proc/swaps":           regexp.MustCompile(`\b\d+\b`),
	"proc/pressure/cpu":    regexp.MustCompile(`\b\d+\b`),
	"proc/pressure/io":     regexp.MustCompile(`\b\d+\b`),
	"proc/pressure/memory": regexp.MustCompile(`\b\d+\b`),
}

// shapeLines finds the lines of meminfo that are not the host's usage.
var shapeLines = regexp.MustCompile(`(?m)^(Hugepagesize|VmallocTotal):.*\n`)

// TestNothingOfTheHost replaces what the host does by a marker: it must not come out,
// whatever the kernel and the container.
func TestNothingOfTheHost(t *testing.T) {
	for _, dir := range renderCases(t) {
		v := readView(t, dir)
		for _, r := range rendered {
			numbers := usageNumbers[r.path]
			host, err := os.ReadFile(filepath.Join(dir, "host", r.path))
			if err != nil || numbers == nil {
				continue
			}
			marked := numbers.ReplaceAll(shapeLines.ReplaceAll(host, nil), []byte(marker))
			if r.path != "proc/swaps" && !bytes.Contains(marked, []byte(marker)) {
				t.Errorf("%s: nothing of %s was marked", dir, r.path)
			}
			if got := r.render(marked, v); bytes.Contains(got, []byte(marker)) {
				t.Errorf("%s: %s shows the host:\n%s", dir, r.path, got)
			}
		}
	}
}
