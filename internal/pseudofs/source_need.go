package pseudofs

// Need says which parts of a [View] are asked for. Time of day and uptime cost
// nothing and are always there.
type Need uint

// The parts of a view.
const (
	NeedCPUs     Need = 1 << iota // CPUs
	NeedCPU                       // CPU
	NeedPerCPU                    // PerCPU, and CPU as the sum of it where the kernel has it
	NeedLoad                      // Load; asking for it starts the sampling
	NeedTasks                     // Tasks
	NeedMemory                    // Memory
	NeedDevices                   // Devices
	NeedPressure                  // PSI
)
