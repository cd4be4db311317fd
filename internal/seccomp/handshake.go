package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// errState says that what was sent is not the state of a process.
var errState = errors.New("not the state of a process with a seccomp listener")

// receive reads one listener from a connection: a message with the state of the process as
// JSON, and the descriptors that it names (config-linux.md of the runtime specification,
// "Container process state"). Only root of the host sends any.
func receive(conn *net.UnixConn) (*linux.Listener, error) {
	const patience = 10 * time.Second
	if root, err := peerIsRoot(conn); err != nil || !root {
		return nil, fmt.Errorf("a listener from somebody who is not root: %w", errors.Join(err, os.ErrPermission))
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	message, files, err := readState(conn)
	defer func() {
		for _, f := range files {
			f.Close() // also the one that was taken over: a second time does no harm
		}
	}()
	if err != nil {
		return nil, err
	}
	var state specs.ContainerProcessState
	if err := json.Unmarshal(message, &state); err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	i := slices.Index(state.Fds, specs.SeccompFdName)
	if i < 0 || i >= len(files) {
		return nil, fmt.Errorf("%w: no %s among %q", errState, specs.SeccompFdName, state.Fds)
	}
	return linux.NewListener(files[i])
}

// readState reads a JSON value, of which the descriptors come with the first part.
func readState(conn *net.UnixConn) (message []byte, files []*os.File, err error) {
	const most = 1 << 20
	buf := make([]byte, 1<<15)
	n, files, err := receiveFiles(conn, buf)
	if err != nil {
		return nil, files, err
	}
	message = slices.Clone(buf[:n])
	for !json.Valid(message) {
		if n, err = conn.Read(buf); err != nil || n == 0 || len(message) > most {
			return nil, files, errors.Join(errState, err)
		}
		message = append(message, buf[:n]...)
	}
	return message, files, nil
}

// receiveFiles reads one message with the files that come along. unix(7), SCM_RIGHTS.
func receiveFiles(conn *net.UnixConn, buf []byte) (n int, files []*os.File, err error) {
	const most, size = 16, 4
	oob := make([]byte, unix.CmsgSpace(most*size))
	n, oobn, flags, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return n, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return n, nil, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // credentials
		}
		for _, fd := range fds { // Go asks for MSG_CMSG_CLOEXEC
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = errState
	}
	return n, files, err
}

// peerIsRoot tells whether whoever connected was root of the host. unix(7), SO_PEERCRED.
func peerIsRoot(conn *net.UnixConn) (bool, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return false, e
	}
	return err == nil && cred.Uid == 0, err
}
