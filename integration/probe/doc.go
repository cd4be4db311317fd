// Command probe is what tests run inside containers. Each subcommand looks at, or
// tries, one thing from the point of view of a process in the container and
// reports it as JSON on standard output.
//
// It is linked statically, so that it runs in any root file system. Attempts to
// break out are real, but harmless where they succeed: values are written back
// unchanged, devices are opened and closed, modules are no modules.
package main
