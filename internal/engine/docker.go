package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"

	"github.com/eci-runtime/eci/policy"
)

// ErrNoImage says that an engine has no image of a name.
var ErrNoImage = errors.New("no such image")

// Docker is a dockerd, at the path of its socket.
type Docker struct {
	// Address is that path.
	Address string
}

// answerLimit bounds the description of an image, which lists its layers.
const answerLimit = 8 << 20

// Resolve gives the content that a name leads to at this moment. The error is
// [ErrNoImage] where there is no such name.
func (d Docker) Resolve(ctx context.Context, name string) (policy.Pin, error) {
	api := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Address)
		},
	}}
	at := url.URL{Scheme: "http", Host: "docker", Path: "/images/" + name + "/json"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return policy.Pin{}, err
	}
	answer, err := api.Do(request)
	if err != nil {
		return policy.Pin{}, fmt.Errorf("ask docker for %s: %w", name, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return policy.Pin{}, ErrNoImage
	default:
		return policy.Pin{}, fmt.Errorf("ask docker for %s: it answers %s", name, answer.Status)
	}
	var found dockerImage
	if err := json.NewDecoder(io.LimitReader(answer.Body, answerLimit)).Decode(&found); err != nil {
		return policy.Pin{}, fmt.Errorf("ask docker for %s: %w", name, err)
	}
	return newPin(name, found.digest(name), identity.ChainID(found.RootFS.Layers).String())
}

// dockerImage is what Docker's API tells about an image.
type dockerImage struct {
	ID          string `json:"Id"`
	RepoDigests []string
	RootFS      struct{ Layers []digest.Digest }
}

// digest is the one by which a registry knows the image in the repository of a name;
// that of its configuration where the image was built here.
func (i dockerImage) digest(name string) string {
	for _, known := range i.RepoDigests {
		repository, digest, _ := strings.Cut(known, "@")
		if full, err := FullName(repository); err == nil && strings.HasPrefix(name, strings.TrimSuffix(full, "latest")) {
			return digest
		}
	}
	return i.ID
}
