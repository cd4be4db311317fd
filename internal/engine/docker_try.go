package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Runtimes are the names of the runtimes that dockerd knows.
func (d Docker) Runtimes(ctx context.Context) ([]string, error) {
	var info struct{ Runtimes map[string]json.RawMessage }
	if err := d.call(ctx, http.MethodGet, "/info", nil, nil, &info); err != nil {
		return nil, err
	}
	var names []string
	for name := range info.Runtimes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Version is dockerd's, and that of its API.
func (d Docker) Version(ctx context.Context) (version, api string, err error) {
	var v struct{ Version, APIVersion string }
	err = d.call(ctx, http.MethodGet, "/version", nil, nil, &v)
	return v.Version, v.APIVersion, err
}

// Try starts a container without a network from a root file system, shows its first process
// to look, and removes the container and its image.
func (d Docker) Try(ctx context.Context, runtime string, root io.Reader, args []string, look func(pid int) error) (err error) {
	repo := fmt.Sprintf("eci-install-%d", os.Getpid())
	if err := d.call(ctx, http.MethodPost, "/images/create", url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {"latest"}}, root, nil); err != nil {
		return fmt.Errorf("import an image: %w", err)
	}
	clean := context.WithoutCancel(ctx)
	defer func() {
		err = errors.Join(err, d.call(clean, http.MethodDelete, "/images/"+repo+":latest", url.Values{"force": {"1"}}, nil, nil))
	}()
	spec, err := json.Marshal(map[string]any{
		"Image": repo + ":latest", "Cmd": args, "NetworkDisabled": true,
		"HostConfig": map[string]any{"Runtime": runtime, "NetworkMode": "none"},
	})
	if err != nil {
		return err
	}
	var made struct{ ID string }
	if err := d.call(ctx, http.MethodPost, "/containers/create", nil, bytes.NewReader(spec), &made); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, d.call(clean, http.MethodDelete, "/containers/"+made.ID, url.Values{"force": {"1"}, "v": {"1"}}, nil, nil))
	}()
	if err := d.call(ctx, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil, nil); err != nil {
		return err
	}
	var is struct {
		State struct {
			Pid, ExitCode int
			Running       bool
		}
	}
	if err := d.call(ctx, http.MethodGet, "/containers/"+made.ID+"/json", nil, nil, &is); err != nil {
		return err
	}
	if !is.State.Running {
		return fmt.Errorf("it has ended with status %d", is.State.ExitCode)
	}
	return look(is.State.Pid)
}

// call is one request of Docker's API; out is what the answer is decoded into, if anything.
func (d Docker) call(ctx context.Context, method, path string, query url.Values, body io.Reader, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	api := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Address)
		},
	}}
	at := url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := api.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		var e struct{ Message string }
		if json.Unmarshal(text, &e) != nil || e.Message == "" {
			e.Message = answer.Status
		}
		return errors.New(strings.ReplaceAll(strings.TrimSpace(e.Message), "\n", "; "))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
