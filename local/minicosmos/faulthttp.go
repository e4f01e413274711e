package minicosmos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"time"
)

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

// Where a test looks and switches over HTTP. No token is asked for, but only this machine is let in, and no web page: a
// browser does not send application/json, or DELETE, to another site without asking first.
const (
	faultsPath  = "/relaybox/faults"
	chargesPath = "/relaybox/charges"
)

// maxControl bounds the body of a request to these.
const maxControl = 1 << 20

// control answers what is not the service's.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if !local(r.RemoteAddr) || !local(r.Host) {
		http.Error(w, "faults and charges are for this machine only, under localhost or an address of it", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case faultsPath:
		s.serveFaults(w, r)
	case chargesPath:
		s.serveCharges(w, r)
	default:
		http.Error(w, "use "+faultsPath+" or "+chargesPath, http.StatusNotFound)
	}
}

// serveFaults answers POST (a fault or a list of them), GET and DELETE.
func (s *Server) serveFaults(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodDelete:
		s.ClearFaults()
	case http.MethodPost:
		if status, err := s.postFaults(w, r); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
	default:
		w.Header().Set("Allow", "DELETE, GET, HEAD, POST")
		http.Error(w, "use GET, POST or DELETE", http.StatusMethodNotAllowed)
		return
	}
	list := s.Faults()
	if list == nil {
		list = []Injected{}
	}
	writeJSON(w, list)
}

// serveCharges answers GET, and DELETE, which begins anew and answers with what there was.
func (s *Server) serveCharges(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		writeJSON(w, s.Charges())
	case http.MethodDelete:
		writeJSON(w, s.ResetCharges())
	default:
		w.Header().Set("Allow", "DELETE, GET, HEAD")
		http.Error(w, "use GET or DELETE", http.StatusMethodNotAllowed)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

// local says whether an address is on this machine. A name that resolves to it is not enough: web pages have such.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) (status int, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("the content type is %q: send application/json", r.Header.Get("Content-Type"))
	}
	var text json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControl)).Decode(&text); err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body is no JSON: %w", err)
	}
	list, err := readFaults(text)
	if err == nil {
		err = s.Inject(list...)
	}
	return http.StatusBadRequest, err
}

// readFaults reads one fault or a list. A field that does not exist is a mistake, not a fault that always happens.
func readFaults(text json.RawMessage) ([]Fault, error) {
	if len(text) == 0 || text[0] != '[' {
		text = append(append(json.RawMessage{'['}, text...), ']')
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var list []Fault
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: %w; the fields are database, container, on, do, times, chance, delay, requestUnits", ErrFault, err)
	}
	return list, nil
}
