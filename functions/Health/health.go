// Package health answers GET and HEAD of /api/health, /api/health/live and /api/health/ready, in
// the form of draft-inadarei-api-health-check: 200 for pass and warn, 503 for fail.
package health

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/health"
)

// Checker is what the function needs of a health.Health.
type Checker interface {
	Live() health.Report
	Ready(ctx context.Context) health.Report
	State(ctx context.Context) health.Report
}

// New returns the function.
func New(c Checker, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var report health.Report
		switch check := r.PathValue("check"); check {
		case "":
			report = c.State(r.Context())
		case "live":
			report = c.Live()
		case "ready":
			report = c.Ready(r.Context())
		default:
			problem.Answer(w, r, log, problem.New(problem.NotFound, "health has the checks live and ready"))
			return
		}
		text, err := json.Marshal(report)
		if err != nil {
			problem.Answer(w, r, log, fmt.Errorf("write the report: %w", err))
			return
		}
		w.Header().Set("Content-Type", "application/health+json")
		w.Header().Set("Cache-Control", "no-store")
		if report.Status == health.Fail {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Method != http.MethodHead {
			_, _ = w.Write(text) // who has gone needs no answer
		}
	})
}
