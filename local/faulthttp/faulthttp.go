// Package faulthttp switches the faults of a stand-in over HTTP.
//
// No token is asked for, but only this machine is let in, and no web page: a browser does not send application/json, or
// DELETE, to another site without asking first, and the host must be localhost or an address of this machine: a name that
// resolves to it is not enough, web pages have such.
package faulthttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/local/hostname"
)

// Path is where faults are switched.
const Path = "/relaybox/faults"

// maxBody bounds a request.
const maxBody = 1 << 20

// Duration is a time.Duration that JSON writes like "250ms".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: write it like 250ms", text)
	}
	*d = Duration(v)
	return nil
}

// Switch is a stand-in's faults of type F, shown as S: what POST, GET and DELETE do.
type Switch[F, S any] struct {
	Inject func(...F) error
	List   func() []S
	Clear  func()
	// Fields are the names of F's fields, for whoever mistakes one.
	Fields string
}

// ServeHTTP answers POST (a fault or a list of them), GET and DELETE with the list of faults.
func (s Switch[F, S]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !Admit(w, r) {
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodDelete:
		s.Clear()
	case http.MethodPost:
		if status, err := s.post(w, r); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
	default:
		NotAllowed(w, "DELETE, GET, HEAD, POST")
		return
	}
	list := s.List()
	if list == nil {
		list = []S{}
	}
	WriteJSON(w, list)
}

func (s Switch[F, S]) post(w http.ResponseWriter, r *http.Request) (status int, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("the content type is %q: send application/json", r.Header.Get("Content-Type"))
	}
	var text json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&text); err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body is no JSON: %w", err)
	}
	list, err := s.read(text)
	if err == nil {
		err = s.Inject(list...)
	}
	return http.StatusBadRequest, err
}

// read reads one fault or a list. A field that does not exist is a mistake, not a fault that always happens.
func (s Switch[F, S]) read(text json.RawMessage) ([]F, error) {
	if len(text) == 0 || text[0] != '[' {
		text = append(append(json.RawMessage{'['}, text...), ']')
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var list []F
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("fault: %w; the fields are %s", err, s.Fields)
	}
	return list, nil
}

// Admit lets a request of this machine in; another one is answered.
func Admit(w http.ResponseWriter, r *http.Request) bool {
	if hostname.Loopback(r.RemoteAddr) && hostname.Loopback(r.Host) {
		return true
	}
	http.Error(w, r.URL.Path+" is for this machine only, under localhost or an address of it", http.StatusForbidden)
	return false
}

// NotAllowed answers a method that is none of those allowed.
func NotAllowed(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	http.Error(w, "use one of "+allowed, http.StatusMethodNotAllowed)
}

// WriteJSON answers with a value.
func WriteJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
