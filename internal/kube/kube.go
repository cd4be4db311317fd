package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Account is where Kubernetes puts what a pod needs to speak to it.
const Account = "/var/run/secrets/kubernetes.io/serviceaccount"

// Cluster is an API server, and who asks it.
type Cluster struct {
	server *url.URL
	token  string
	api    http.Client
}

// InPod is the cluster of the pod that this process runs in. The files of the account are
// read in dir, the address in the environment, as Kubernetes sets it in every container.
func InPod(dir string) (*Cluster, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("this is no pod of Kubernetes: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s has no certificate", filepath.Join(dir, "ca.crt"))
	}
	return &Cluster{
		server: &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)},
		token:  strings.TrimSpace(string(token)),
		api: http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		},
	}, nil
}

// Label gives a node a label; without a value it takes it away.
func (c *Cluster) Label(ctx context.Context, node, key string, value *string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]*string{key: value}}})
	if err != nil {
		return err
	}
	at := c.server.JoinPath("api/v1/nodes", node)
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, at.String(), bytes.NewReader(patch))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	answer, err := c.api.Do(request)
	if err != nil {
		return fmt.Errorf("label the node: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var status struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if json.Unmarshal(text, &status) != nil || status.Message == "" {
		status.Message = answer.Status
	}
	return fmt.Errorf("label the node %s: %s", node, status.Message)
}
