// Package resource is a stored profile as HTTP clients see it: its address, its entity
// tag, its JSON, and the conditions that a request puts on it.
//
// It promises that the tag is strong and changes with every committed change, and that
// readers and writers are shown the same JSON of the same version. Tags of a profile
// never repeat, not even when it was deleted and created again.
package resource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/functions/problem"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/profile"
)

// base is the address of all profiles: the routePrefix of host.json and the route of
// the functions.
const base = "/api/profiles/"

// document is the JSON of a stored profile.
type document struct {
	ID string `json:"id"`
	profile.Profile
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// ID returns the profile's id from the path. The host's route constraint is as strict
// but for "." and ".."; local calls may come without any host.
func ID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !profile.ValidID(id) {
		return "", problem.New(problem.BadID, "An id has 1 to 128 letters, digits, '.', '_', '~' and '-', and is neither %q nor %q.", ".", "..")
	}
	return id, nil
}

// Tag is the entity tag of a version.
func Tag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// Exists says whether e is a profile: neither nothing nor a tombstone.
func Exists(e outbox.Entity) bool { return e.Version > 0 && !e.Deleted }

// Stored returns the profile in e, nil when there is none.
func Stored(e outbox.Entity) (*profile.Profile, error) {
	if !Exists(e) {
		return nil, nil
	}
	var p profile.Profile
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return nil, fmt.Errorf("decode stored profile %q: %w", e.Key, err)
	}
	return &p, nil
}

// Render is the answer that shows p as the content of e; nil shows nothing.
func Render(e outbox.Entity, p *profile.Profile, status int) outbox.Answer {
	if p == nil {
		return outbox.Answer{Status: status}
	}
	answer := outbox.Answer{Status: status, ETag: Tag(e.Version), Body: encode(document{e.Key, *p, e.Version, e.UpdatedAt})}
	if status == http.StatusCreated {
		answer.Location = base + e.Key
	}
	return answer
}

// encode leaves <, > and & as they are: a store gives them back that way, and the answer
// of a receipt is to be the first one to the byte.
func encode(d document) json.RawMessage {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(d) // strings, numbers and a time always encode
	return bytes.TrimRight(text.Bytes(), "\n")
}

// Write sends an answer.
func Write(w http.ResponseWriter, r *http.Request, a outbox.Answer) {
	h := w.Header()
	// A cache may keep it for this client, and has to ask every time: the tag makes
	// that cheap.
	h.Set("Cache-Control", "private, no-cache")
	if a.ETag != "" {
		h.Set("ETag", a.ETag)
	}
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	if len(a.Body) > 0 {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 && r.Method != http.MethodHead {
		_, _ = w.Write(a.Body) // the client is gone
	}
}
