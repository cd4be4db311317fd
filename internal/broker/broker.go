package broker

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/eci-runtime/eci/policy"
)

// broker answers the requests of one container.
type broker struct {
	engine   engine
	commands policy.Commands
	refused  func(command, why string) // nil: nobody wants to know

	mu   sync.Mutex
	told map[string]bool
}

// ServeHTTP judges a request, and passes it on or answers itself.
func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query, err := readTarget(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	v := judge(b.commands, r.Method, path, query)
	if !v.pass {
		b.tell(v)
		refuse(w, http.StatusForbidden, v.why)
		return
	}
	if !wants(r.Header, v.upgrade) {
		v.upgrade = ""
	}
	b.engine.exchange(w, r, forward(r, path, query, v.upgrade))
}

// tell reports a refusal, once for every command: a container must not be able to
// fill a log.
func (b *broker) tell(v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil || b.told[v.command] {
		return
	}
	if b.told == nil {
		b.told = make(map[string]bool)
	}
	b.told[v.command] = true
	b.refused(v.command, v.why)
}

// refuse answers with an error as Docker's API has them.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": why})
}
