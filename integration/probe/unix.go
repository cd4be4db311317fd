package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// unixTalk says something to a socket and reports everything that is said back until
// the other side ends. A second text is said after an empty line has come back, as
// after the head of an answer of HTTP, and then nothing more.
func unixTalk(args []string) (any, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New("unix needs the path of a socket, and one text or two")
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return map[string]string{"errno": errno(err)}, nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, args[1]); err != nil {
		return nil, err
	}
	var heard strings.Builder
	from := bufio.NewReader(conn)
	for line := ""; len(args) > 2 && line != "\r\n"; heard.WriteString(line) {
		if line, err = from.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	if len(args) > 2 {
		if _, err := io.WriteString(conn, args[2]); err != nil {
			return nil, err
		}
		if err := conn.CloseWrite(); err != nil {
			return nil, err
		}
	}
	_, err = io.Copy(&heard, from)
	return map[string]string{"heard": heard.String(), "errno": errno(err)}, nil
}
