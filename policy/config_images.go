package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Unpinned names the entries of Images that stand for nothing, because no pin says
// what.
func (s Sockets) Unpinned() []string {
	var out []string
	for _, name := range s.Images {
		if !slices.ContainsFunc(s.Pins, func(p Pin) bool { return matchImage(name, p) }) {
			out = append(out, name)
		}
	}
	return out
}

// badImage wants a name that can mean one image only: without a registry, it depends
// on the engine which one is asked.
func badImage(name string) string {
	repository, _ := splitImage(name)
	registry, _, inRegistry := strings.Cut(repository, "/")
	prefix := ""
	switch {
	case !inRegistry:
		prefix = "docker.io/library/"
	case !strings.ContainsAny(registry, ".:") && registry != "localhost":
		prefix = "docker.io/"
	}
	if !isImage(prefix + name) {
		return fmt.Sprintf("%q is not the full name of an image with a tag, :* or @sha256:…", name)
	}
	if prefix != "" {
		return fmt.Sprintf("%q is not a full name: write %q", name, prefix+name)
	}
	return ""
}

// isImage tells whether a name is a full one, as engines write it into their records:
// a registry, a repository in it, and a tag, a star for all tags, or a digest.
func isImage(name string) bool {
	repository, version := splitImage(name)
	parts := strings.Split(repository, "/")
	if len(parts) < 2 || !made(parts[0], lower+digits+".-:") {
		return false
	}
	for _, part := range parts[1:] {
		if !made(part, lower+digits+"._-") || strings.Trim(part, "._-") != part {
			return false
		}
	}
	tag, tagged := strings.CutPrefix(version, ":")
	switch {
	case !tagged:
		return isDigest(strings.TrimPrefix(version, "@"))
	case tag == "*":
		return true
	}
	return len(tag) <= 128 && made(tag, lower+upper+digits+"_.-") && !strings.ContainsAny(tag[:1], ".-")
}

// splitImage parts a name into repository and ":tag" or "@digest".
func splitImage(name string) (repository, version string) {
	at := strings.IndexByte(name, '@')
	if at < 0 {
		at = strings.LastIndexByte(name, ':')
	}
	if at <= strings.LastIndexByte(name, '/') {
		return name, ""
	}
	return name[:at], name[at:]
}

func isDigest(s string) bool {
	hash, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hash) == 64 && made(hash, digits+"abcdef")
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// made tells whether a word is not empty and has letters of the alphabet only.
func made(word, alphabet string) bool {
	return word != "" && strings.Trim(word, alphabet) == ""
}

// badCommand wants a command of docker, or the beginning of some with a star.
func badCommand(c string) string {
	if !isDockerCommand(c) {
		return fmt.Sprintf("%q is no command of docker in which its engine has a part, such as push, container exec or image*", c)
	}
	return ""
}
