package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// eventKind is what happened to a process.
type eventKind uint32

// Values of enum proc_cn_event, <linux/cn_proc.h>.
const (
	forked eventKind = 0x00000001
	execed eventKind = 0x00000002
	exited eventKind = 0x80000000
)

// procEvent is one event of one process; threads have none.
type procEvent struct {
	Kind   eventKind
	At     time.Duration // by CLOCK_MONOTONIC
	Pid    int           // the child, of a fork
	Parent int           // of a fork
	Args   []string      // of an exec, unless it was over before they could be read
}

// cnProc is the connector's index, value and multicast group of process events,
// <linux/connector.h>.
const cnProc = 1

// Offsets into a message of the process connector: struct nlmsghdr, struct cn_msg,
// struct proc_event.
const (
	cnOffset    = 16
	eventOffset = cnOffset + 20
	dataOffset  = eventOffset + 16
)

// parseEvent reads a message; ok is false for what a trace does not need.
func parseEvent(m []byte) (e procEvent, ok bool) {
	if len(m) < dataOffset+16 {
		return e, false
	}
	word := func(offset int) int { return int(binary.NativeEndian.Uint32(m[offset:])) }
	e.Kind = eventKind(word(eventOffset))
	e.At = time.Duration(binary.NativeEndian.Uint64(m[eventOffset+8:]))
	pid, tgid := word(dataOffset), word(dataOffset+4)
	switch e.Kind {
	case forked:
		e.Parent = tgid
		pid, tgid = word(dataOffset+8), word(dataOffset+12)
	case execed, exited:
	default:
		return e, false
	}
	e.Pid = tgid
	return e, pid == tgid
}

// listener receives the process events of the whole machine.
type listener struct {
	socket *os.File
	mu     sync.Mutex
	events []procEvent
	err    error
}

// listen subscribes to the kernel's process connector (CONFIG_PROC_EVENTS,
// CAP_NET_ADMIN). It slows each fork, exec and exit by microseconds.
func listen() (*listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("process events (CONFIG_PROC_EVENTS): %w", err)
	}
	l := &listener{socket: os.NewFile(uintptr(fd), "process events")}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnProc}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind to process events: %w", err), l.close())
	}
	if err := unix.Sendto(fd, subscription(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to process events: %w", err), l.close())
	}
	go l.receive()
	return l, nil
}

// subscription is a message that asks for events: PROC_CN_MCAST_LISTEN.
func subscription() []byte {
	m := make([]byte, 0, eventOffset+4)
	order := binary.NativeEndian
	m = order.AppendUint32(m, eventOffset+4) // struct nlmsghdr
	m = order.AppendUint16(m, unix.NLMSG_DONE)
	m = append(m, make([]byte, 10)...)
	m = order.AppendUint32(m, cnProc) // struct cn_msg
	m = order.AppendUint32(m, cnProc)
	m = append(m, make([]byte, 8)...)
	m = order.AppendUint16(m, 4)
	m = append(m, make([]byte, 2)...)
	return order.AppendUint32(m, 1)
}

func (l *listener) close() error { return l.socket.Close() }

func (l *listener) receive() {
	buf := make([]byte, 4096)
	for {
		n, err := l.socket.Read(buf)
		if err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
		e, ok := parseEvent(buf[:n])
		if !ok {
			continue
		}
		if e.Kind == execed {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", e.Pid))
			e.Args = strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
		}
		l.mu.Lock()
		l.events = append(l.events, e)
		l.mu.Unlock()
	}
}

// take returns the events since it was last called.
func (l *listener) take() ([]procEvent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events, l.err
}

// monotonic is now, by the clock of the events.
func monotonic() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("clock_gettime: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}
