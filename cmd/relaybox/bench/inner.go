package bench

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/relaybox/relaybox/handler/app"
	"github.com/relaybox/relaybox/handler/config"
)

// inner is the handler's writing side in this process, without a host: what it allocates
// cannot be asked of the handler itself. The clients' part of it is a request and a recorder.
type inner struct{ keys []string }

func (w inner) run(ctx context.Context, t *trial) (f Figures, err error) {
	cfg, err := config.Load(t.rig.settings)
	if err != nil {
		return f, err
	}
	made, err := app.New(cfg, slog.New(slog.DiscardHandler), app.Options{})
	if err != nil {
		return f, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); made.Run(running) }()
	defer func() { stop(); <-ended }()

	watcher, err := t.rig.watch()
	if err != nil {
		return f, err
	}
	put := func(key string, n int) error { return serve(ctx, made, key, body(n)) }
	for i := range clients { // connections, containers
		if err := put(fmt.Sprint("warm-", i), i); err != nil {
			return f, err
		}
	}
	sent := func(n int) (time.Time, error) {
		return watcher.until(ctx, func(standing) {}, func(s standing) bool { return s.sent >= n })
	}
	if _, err := sent(clients); err != nil {
		return f, err
	}
	m, err := meterOf(ctx, t.rig)
	if err != nil {
		return f, err
	}
	err = firstFault(func(fail func(error)) {
		closedLoop(ctx, clients, len(w.keys), func(n int) { fail(put(w.keys[n], n)) })
	})
	if err != nil {
		return f, err
	}
	f.Allocations = known(int64(mallocs() - m.mallocs)) // the looks at the bus are not in it
	end, err := sent(clients + len(w.keys))
	f.Events = len(w.keys)
	if err != nil {
		return f, err
	}
	return f, m.stop(ctx, &f, end)
}

// serve has the app answer one write.
func serve(ctx context.Context, app http.Handler, key, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "/api/profiles/"+key, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer := recorder{header: http.Header{}, status: http.StatusOK}
	app.ServeHTTP(&answer, req)
	if answer.status > http.StatusCreated {
		return fmt.Errorf("%s: %d %.200s", key, answer.status, answer.text.String())
	}
	return nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (r *recorder) Header() http.Header                { return r.header }
func (r *recorder) WriteHeader(status int)             { r.status = status }
func (r *recorder) Write(text []byte) (n int, _ error) { return r.text.Write(text) }
