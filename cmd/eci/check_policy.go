package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/internal/conf"
)

func probeConfiguration(_ context.Context, b *bench) []finding {
	const what = "configuration"
	if b.cfgErr != nil {
		return []finding{{what, missing, b.cfgErr.Error(), nothingStarts, "mend the file, and try eci policy lint"}}
	}
	files, err := b.source.Files()
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, "mend the file, and try eci policy lint"}}
	}
	main, _ := b.source.MainFile()
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	out := ok(what, "%s", strings.Join(names, ", "))
	if len(names) == 0 {
		out = ok(what, "the defaults: there is no %s", main)
	}
	theirs := b.env[conf.Env]
	if theirs == "" {
		theirs = conf.Path
	}
	if b.env != nil && theirs != main {
		out = append(out, finding{
			what, worse, fmt.Sprintf("containerd's runtime reads %s, this program %s", theirs, main),
			"what eci says may not be what the runtime does", "eci --config " + theirs,
		})
	}
	if n := len(lint(b.cfg, files)); n > 0 {
		out = append(out, finding{
			what, worse, fmt.Sprintf("%d remarks", n), "parts of the policy may not do what they look like", "eci policy lint",
		})
	}
	return out
}

func probeAudit(_ context.Context, b *bench) []finding {
	const what = "audit log"
	log := audit.Log{Audit: b.cfg.Audit}
	cost, grade := "decisions are not written down", worse
	if log.Required {
		cost, grade = nothingStarts+": audit.required is set", missing
	}
	if log.File == "" && !log.Journal {
		return []finding{{what, worse, "off", cost, "set audit.file or audit.journal"}}
	}
	var places []string
	if log.File != "" {
		places = append(places, log.File)
	}
	if log.Journal {
		places = append(places, "the journal")
	}
	if err := log.Check(); err != nil {
		return []finding{{what, grade, err.Error(), cost, "give file and directory to root alone, or choose others in [audit]"}}
	}
	if free, ok := freeBytes(log.File); ok && free < 1<<20 {
		return []finding{{what, grade, fmt.Sprintf("%s has %d KiB left", filepath.Dir(log.File), free>>10), cost + " soon", "make room"}}
	}
	return ok(what, "%s", strings.Join(places, ", "))
}

// freeBytes is what is left on the disk of a file, or of the directory that it will
// be made in.
func freeBytes(path string) (uint64, bool) {
	for ; path != "" && path != "."; path = filepath.Dir(path) {
		var st unix.Statfs_t
		if unix.Statfs(path, &st) == nil {
			return st.Bavail * uint64(st.Bsize), true
		}
		if path == "/" {
			break
		}
	}
	return 0, false
}

// probePins looks for images that may have an engine's socket and cannot be known.
func probePins(_ context.Context, b *bench) []finding {
	if len(b.cfg.Sockets.Images) == 0 {
		return nil
	}
	const what = "pinned images"
	if names := b.cfg.Sockets.Unpinned(); len(names) > 0 {
		return []finding{{what, worse, "not " + strings.Join(names, ", "), "their containers are refused an engine's socket", "eci policy pin"}}
	}
	return ok(what, "all %d", len(b.cfg.Sockets.Images))
}
