package health

import (
	"cmp"
	"time"
)

// Status is how something is, as draft-inadarei-api-health-check spells it.
type Status string

// The statuses, the worst last.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
)

func (s Status) rank() int {
	switch s {
	case Pass:
		return 0
	case Warn:
		return 1
	}
	return 2
}

func worse(a, b Status) Status {
	if cmp.Less(a.rank(), b.rank()) {
		return b
	}
	return a
}

// Check is one thing that was looked at.
type Check struct {
	Component string `json:"componentType"`
	// Value and Unit are what was seen; none if it could not be looked at.
	Value  any       `json:"observedValue,omitempty"`
	Unit   string    `json:"observedUnit,omitempty"`
	Status Status    `json:"status"`
	Time   time.Time `json:"time"`
	// Output says what is behind a status other than pass.
	Output string `json:"output,omitempty"`
}

// Report is an answer in the form of application/health+json.
type Report struct {
	Status Status `json:"status"`
	// Version is the app's.
	Version string `json:"version,omitempty"`
	// Checks are named by component and measurement: "outbox:parked".
	Checks map[string][]Check `json:"checks,omitempty"`
}

func (r *Report) add(name string, c Check) {
	if r.Checks == nil {
		r.Checks = map[string][]Check{}
	}
	r.Checks[name] = append(r.Checks[name], c)
	r.Status = worse(r.Status, c.Status)
}
