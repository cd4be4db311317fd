// Command sbom prints the bill of materials of Go programs in SPDX 2.3 (JSON): the modules
// with their versions and hashes, as the linker has written them into the programs. It
// asks no network, and two runs print the same.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

type document struct {
	Version   string         `json:"spdxVersion"`
	License   string         `json:"dataLicense"`
	ID        string         `json:"SPDXID"`
	Name      string         `json:"name"`
	Namespace string         `json:"documentNamespace"`
	Creation  creation       `json:"creationInfo"`
	Packages  []pkg          `json:"packages"`
	Relations []relationship `json:"relationships"`
	Describes []string       `json:"documentDescribes"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type pkg struct {
	ID        string     `json:"SPDXID"`
	Name      string     `json:"name"`
	Version   string     `json:"versionInfo"`
	Location  string     `json:"downloadLocation"`
	Analyzed  bool       `json:"filesAnalyzed"`
	License   string     `json:"licenseConcluded"`
	Declared  string     `json:"licenseDeclared"`
	Copyright string     `json:"copyrightText"`
	Purpose   string     `json:"primaryPackagePurpose,omitempty"`
	Sums      []checksum `json:"checksums,omitempty"`
	Refs      []external `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type external struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Kind string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

func main() {
	version := flag.String("version", "devel", "version of the programs")
	seconds := flag.Int64("time", 0, "seconds since 1970")
	flag.Parse()
	if err := run(*version, time.Unix(*seconds, 0), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(version string, created time.Time, programs []string) error {
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "eci-" + version,
		Creation: creation{created.UTC().Format(time.RFC3339), []string{"Tool: eci tools/sbom"}},
	}
	hash := sha256.New()
	known := map[string]bool{}
	slices.Sort(programs)
	for _, path := range programs {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		sum := sha256.Sum256(data)
		hash.Write(sum[:])
		name := filepath.Base(path)
		id := identifier("Program", name)
		d.Packages = append(d.Packages, pkg{
			ID: id, Name: name, Version: version, Location: "NOASSERTION", License: "Apache-2.0", Declared: "Apache-2.0", Copyright: "NOASSERTION", Purpose: "APPLICATION",
			Sums: []checksum{{"SHA256", hex.EncodeToString(sum[:])}},
		})
		d.Describes = append(d.Describes, id)
		d.Relations = append(d.Relations, relationship{d.ID, "DESCRIBES", id})
		modules := append([]*debug.Module{{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}}, info.Deps...)
		for _, m := range modules {
			for m.Replace != nil {
				m = m.Replace
			}
			module := identifier("Module", m.Path+"-"+m.Version)
			d.Relations = append(d.Relations, relationship{id, "STATIC_LINK", module})
			if known[module] {
				continue
			}
			known[module] = true
			d.Packages = append(d.Packages, moduleOf(module, m))
		}
	}
	d.Namespace = "https://github.com/eci-runtime/eci/sbom/" + hex.EncodeToString(hash.Sum(nil))
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

func moduleOf(id string, m *debug.Module) pkg {
	p := pkg{
		ID: id, Name: m.Path, Version: m.Version, Location: "NOASSERTION", License: "NOASSERTION", Declared: "NOASSERTION", Copyright: "NOASSERTION", Purpose: "LIBRARY",
		Refs: []external{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.Path + "@" + m.Version}},
	}
	// h1: is the SHA-256 of a list of the module's files (golang.org/x/mod/sumdb/dirhash).
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(raw) == sha256.Size {
		p.Sums = []checksum{{"SHA256", hex.EncodeToString(raw)}}
	}
	return p
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func identifier(kind, name string) string {
	return "SPDXRef-" + kind + "-" + unfit.ReplaceAllString(name, "-")
}
