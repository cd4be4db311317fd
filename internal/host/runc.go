package host

import (
	"fmt"
	"regexp"
	"strconv"
)

// runcMinimum is the oldest runc that the runtime delegates to: 1.2 knows time
// namespaces, and opens mount sources safely in user namespaces.
var runcMinimum = [2]int{1, 2}

var runcVersionLine = regexp.MustCompile(`(?m)^\S+ version ((\d+)\.(\d+)\S*)$`)

// RuncVersion reads the version from what `runc --version` of the program at path has
// printed. It is an error if it is too old.
func RuncVersion(path string, output []byte) (string, error) {
	m := runcVersionLine.FindSubmatch(output)
	if m == nil {
		return "", fmt.Errorf("%s --version does not print a version of runc", path)
	}
	major, _ := strconv.Atoi(string(m[2]))
	minor, _ := strconv.Atoi(string(m[3]))
	if major < runcMinimum[0] || (major == runcMinimum[0] && minor < runcMinimum[1]) {
		return "", fmt.Errorf("%s is version %s; this runtime needs %d.%d or later", path, m[1], runcMinimum[0], runcMinimum[1])
	}
	return string(m[1]), nil
}
