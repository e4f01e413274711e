package page

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/hostname"
)

//go:embed page.html page.css page.js
var files embed.FS

const (
	// maxBody bounds an act, maxShown the events of a snapshot that go out, maxText what is looked for.
	maxBody  = 64 << 10
	maxShown = 50
	maxText  = 200
	// actTime bounds an act; redriving many events takes a while.
	actTime = 2 * time.Minute
	// writeTime is how long a browser may be stuck before it is taken for gone.
	writeTime = 10 * time.Second
	// closeTime is how long acts may take to end when the page does.
	closeTime = 5 * time.Second
)

// Serve serves the page until ctx ends, and closes the listener. When it returns nobody looks, and
// nobody acts: what was under way has had a moment to end, and was cut then.
func Serve(ctx context.Context, l net.Listener, s Source) error {
	acts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	shared := newLive(s)
	var conns sync.WaitGroup // those that are open, or whose request is not done
	server := &http.Server{
		Handler: handler(acts, s, shared), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // streams end with it
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // before Serve can return
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			}
		},
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		defer cut()
		ended, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		_ = server.Shutdown(ended)
		_ = server.Close() // what has not ended by now is cut: acts are recorded before they are done
	})
	err := server.Serve(l)
	if stop() { // it has failed by itself
		cut()
		_ = server.Close()
	} else {
		<-closed
		err = nil
	}
	conns.Wait()
	shared.work.Wait()
	return err
}

// Handler answers GET / with the page, GET /live with a stream of snapshots, and POST /act.
func Handler(s Source) http.Handler { return handler(context.Background(), s, newLive(s)) }

// handler has acts end with their context, and not with their request.
func handler(acts context.Context, s Source, shared *live) http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string]string{"GET /{$}": "page.html", "GET /page.css": "page.css", "GET /page.js": "page.js"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, file) })
	}
	mux.HandleFunc("GET /live", shared.serve)
	mux.HandleFunc("POST /act", func(w http.ResponseWriter, r *http.Request) { act(acts, w, r, s) })
	return guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard keeps other machines and web pages out, and keeps this page to itself.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		// A page can give its own name the address of this machine: the name tells.
		if !hostname.Loopback(r.RemoteAddr) || !hostname.Loopback(r.Host) {
			http.Error(w, "this page is for this machine only, under localhost or a loopback address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve streams snapshots, with the events that q fits.
func (l *live) serve(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Error(w, "another site may not make this one look", http.StatusForbidden)
		return
	}
	text := r.URL.Query().Get("q")
	if len(text) > maxText {
		http.Error(w, fmt.Sprintf("q has more than %d bytes", maxText), http.StatusBadRequest)
		return
	}
	snapshots, leave, ok := l.join()
	if !ok {
		http.Error(w, fmt.Sprintf("%d look already: close one", maxLookers), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // a recorder of a test has none
	send := func(line []byte) error {
		_ = out.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write(line); err != nil {
			return err
		}
		return out.Flush()
	}
	if send([]byte(": a snapshot a second\n\n")) != nil {
		return
	}
	for {
		select {
		case s := <-snapshots:
			line, err := json.Marshal(s.of(text))
			if err != nil || send(append(append([]byte("data: "), line...), "\n\n"...)) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// of is the snapshot with the newest events that text fits.
func (s *Snapshot) of(text string) *Snapshot {
	shown := *s
	shown.Events = []Way{}
	for _, w := range s.Events {
		if len(shown.Events) < maxShown && w.fits(text) {
			shown.Events = append(shown.Events, w)
		}
	}
	return &shown
}

// act reads an act, has it done, and answers with what came of it.
func act(ctx context.Context, w http.ResponseWriter, r *http.Request, s Source) {
	answer := func(status int, member, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{member: text}) // the browser is gone
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		answer(http.StatusUnsupportedMediaType, "error", "send application/json")
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		answer(status, "error", err.Error())
		return
	}
	var a Act
	d := json.NewDecoder(&body)
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		answer(http.StatusBadRequest, "error", "the body is no act: "+err.Error())
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	// Whoever closes the page in the middle has still meant it.
	ctx, cancel := context.WithTimeout(ctx, actTime)
	defer cancel()
	said, err := s.Act(ctx, a)
	if err != nil {
		answer(http.StatusUnprocessableEntity, "error", err.Error())
		return
	}
	answer(http.StatusOK, "said", said)
}
