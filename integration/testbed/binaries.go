package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// BinEnv names the environment variable that says where the built programs are.
// Without it they are looked for in the directory bin of the checkout.
const BinEnv = "ECI_BIN"

// Programs are the absolute paths of what a bed runs.
type Programs struct {
	Dir        string // comes first in containerd's PATH: its shims are found there
	Containerd string
	Ctr        string
	Runc       string
	Eci        string // this project's shim, "" if it is not built
}

// FindPrograms looks for the programs in dir, or where BinEnv or the checkout
// says if dir is empty. What is not there is taken from PATH if it is new enough:
// containerd 1.7, runc 1.2.
func FindPrograms(dir string) (Programs, error) {
	if dir == "" {
		dir = os.Getenv(BinEnv)
	}
	if dir == "" {
		root, err := Checkout()
		if err != nil {
			return Programs{}, err
		}
		dir = filepath.Join(root, "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Dir: dir}
	for _, want := range []struct {
		name     string
		path     *string
		min      string
		optional bool
	}{
		{"containerd", &p.Containerd, "1.7", false},
		{"ctr", &p.Ctr, "1.7", false},
		{"runc", &p.Runc, "1.2", false},
		{"containerd-shim-runc-v2", new(string), "", false},
		{"containerd-shim-eci-v2", &p.Eci, "", true},
	} {
		path, err := findProgram(dir, want.name, want.min)
		if err != nil && !want.optional {
			return Programs{}, err
		}
		*want.path = path
	}
	return p, nil
}

func findProgram(dir, name, minimum string) (string, error) {
	path := filepath.Join(dir, name)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is neither in %s nor on PATH: run `make tools build`", name, dir)
	}
	if minimum == "" {
		return path, nil
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	if !newEnough(string(out), minimum) {
		return "", fmt.Errorf("%s is %q, older than %s: run `make tools`", path, firstLine(string(out)), minimum)
	}
	return path, nil
}

var versionPattern = regexp.MustCompile(`\bv?(\d+)\.(\d+)\.`)

// newEnough compares the first version in a program's answer with a minimum of
// the form major.minor.
func newEnough(answer, minimum string) bool {
	m := versionPattern.FindStringSubmatch(answer)
	if m == nil {
		return false
	}
	major, minor, _ := strings.Cut(minimum, ".")
	if m[1] != major {
		return atoi(m[1]) > atoi(major)
	}
	return atoi(m[2]) >= atoi(minor)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Checkout returns the root of the checkout that holds the working directory.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module github.com/eci-runtime/eci\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not in a checkout of github.com/eci-runtime/eci")
		}
		dir = parent
	}
}
