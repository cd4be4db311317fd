package policy

import (
	"slices"
	"testing"
)

func TestCommandsNames(t *testing.T) {
	for _, tt := range []struct {
		entry, command string
		want           bool
	}{
		{"push", "image push", true},
		{"image push", "image push", true},
		{"image*", "image push", true},
		{"images", "image push", false},
		{"images", "image ls", true},
		{"pus*", "image push", true},
		{"*", "image push", true},
		{"pus", "image push", false},
		{"*push", "image push", false},
		{"Push", "image push", false},
		{"inspect", "volume inspect", true},
		{"inspect", "container inspect", true},
		{"container inspect", "volume inspect", false},
		{"buildx build", "image build", true},
		{"", "image push", false},
		{"push", "no command", false},
	} {
		if got := (Commands{List: []string{"version", tt.entry}}).Names(tt.command); got != tt.want {
			t.Errorf("does %q name %q: %t", tt.entry, tt.command, got)
		}
	}
}

// A denied command with a mistake in it would be an allowed one.
func TestIsDockerCommand(t *testing.T) {
	for entry, want := range map[string]bool{
		"push": true, "image*": true, "*": true, "container exec": true, "pushh": false, "imagex*": false, "docker push": false, "image  push": false, "": false,
	} {
		if got := isDockerCommand(entry); got != want {
			t.Errorf("%q: %t", entry, got)
		}
	}
}

// Every command has its own first name, and no name twice.
func TestDockerCommands(t *testing.T) {
	names := DockerCommands()
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("a command is there twice")
	}
	for _, c := range dockerCommands {
		if sorted := slices.Sorted(slices.Values(c)); len(slices.Compact(sorted)) != len(c) {
			t.Errorf("%q has a name twice", c[0])
		}
	}
}
