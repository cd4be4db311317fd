package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// commands are the subcommands. What they return is printed as JSON.
var commands = map[string]func(args []string) (any, error){
	"allowed-32":         allowed32,           //
	"attack-ro":          attackReadOnly,      // path [rounds of the race]
	"attack-ro-inner":    attackReadOnlyInner, // path prefix
	"attack-32":          attack32,            // path prefix
	"attack-mask":        attackMask,          // volume directory file
	"burn":               burn,                // seconds
	"caps":               capabilities,        //
	"cgroup":             cgroups,             //
	"clock":              clock,               //
	"clone-tree":         cloneTree,           // path
	"covers":             covers,              // pseudo-file
	"cpus":               cpus,                //
	"devs":               devices,             //
	"flood":              flood,               // threads
	"hold":               hold,                // MiB
	"id":                 identity,            //
	"instances":          instances,           //
	"instances-chroot":   instancesChroot,     //
	"instances-inner":    instancesInner,      // prefix
	"killed":             killed,              // children
	"killed-inner":       killedInner,         // directory
	"latency":            latency,             // rounds
	"listener":           listener,            //
	"mount":              mounts,              // type…
	"move-mask":          moveMask,            // volume directory
	"move-mask-detached": moveMaskDetached,    // volume directory prefix
	"open-many":          openMany,            // path number
	"privileged":         privileged,          // number of a disk as major:minor, volume
	"remounts":           remounts,            //
	"settings":           settings,            // path=value… or path?…
	"stat":               statPaths,           // path…
	"storm":              storm,               // rounds
	"sysinfo":            askSysinfo,          //
	"sysinfo-32":         askSysinfo32,        //
	"tty":                terminal,            //
	"unix":               unixTalk,            // socket text [text]
	"writable":           writable,            // directory
	"write":              write,               // path text
}

func main() {
	// The mount namespace and the credentials belong to the thread.
	runtime.LockOSThread()
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: probe", strings.Join(slices.Sorted(keys(commands)), "|"))
		os.Exit(2)
	}
	report, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func keys(m map[string]func([]string) (any, error)) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// errno is the symbolic name of the system error in err, "" for none.
func errno(err error) string {
	var number unix.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &number):
		return unix.ErrnoName(number)
	}
	return err.Error()
}

// try is an attempt whose effect is that its one call succeeds.
func try(name string, err error) attempt.Attempt {
	return attempt.Attempt{Name: name, Errno: errno(err), Effect: err == nil}
}

func write(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("write needs a path and a text")
	}
	return try("write "+args[0], os.WriteFile(args[0], []byte(args[1]), 0o644)), nil
}
