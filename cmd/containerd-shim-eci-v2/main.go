// Command containerd-shim-eci-v2 is the containerd shim for the runtime
// io.containerd.eci.v2. containerd finds it by that name on its PATH; people
// never start it by hand.
package main

import "github.com/eci-runtime/eci/shim"

func main() {
	shim.Main()
}
