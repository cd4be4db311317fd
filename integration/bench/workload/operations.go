package main

import "time"

// The directories in which operations work: one in the container's writable layer,
// and a volume.
const (
	rootDir   = "/bench"
	volumeDir = "/volume"
)

// operations says for each operation how it is prepared.
var operations = map[string]func() (repeat, error){
	"getpid":        getpid,
	"clock":         clock,
	"open-close":    openClose,
	"openat2":       openat2,
	"stat":          stat,
	"read-4k":       read4k,
	"write-4k":      write4k,
	"create-unlink": createUnlink(rootDir),
	"chown":         chown,
	"fork-exec":     forkExec,
	"run":           runContainer,

	"rootfs-seq-read":   sequential(rootDir, read),
	"rootfs-seq-write":  sequential(rootDir, write),
	"rootfs-rand-read":  random(rootDir, read),
	"rootfs-rand-write": random(rootDir, write),
	"volume-seq-read":   sequential(volumeDir, read),
	"volume-seq-write":  sequential(volumeDir, write),
	"volume-rand-read":  random(volumeDir, read),
	"volume-rand-write": random(volumeDir, write),
	"volume-create":     createUnlink(volumeDir),

	"tcp-stream":    tcpStream,
	"tcp-roundtrip": tcpRoundTrip,

	"mount-tmpfs": mounting("tmpfs", "tmpfs", 0),
	"mount-bind":  mounting(rootDir, "", bind),
	"mount-proc":  mounting("proc", "proc", 0),

	"read-uptime":   reading("/proc/uptime"),
	"read-meminfo":  reading("/proc/meminfo"),
	"read-sysctl":   reading("/proc/sys/kernel/panic"),
	"read-native":   reading("/proc/sys/kernel/sched_rr_timeslice_ms"),
	"cold-uptime":   rarely(15*time.Millisecond, reading("/proc/uptime")),
	"cold-meminfo":  rarely(60*time.Millisecond, reading("/proc/meminfo")),
	"find-proc-sys": readTree("/proc/sys"),
	"sysinfo":       sysinfo,
}
