package azfunc

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Timer is the data of a timer trigger.
type Timer struct {
	// PastDue: this run makes up for an occurrence that nobody served.
	PastDue bool
	// AdjustForDST is true for cron schedules, false for time spans.
	AdjustForDST bool
	// Status is nil if the schedule is not monitored: useMonitor is false or
	// it fires more often than once a minute.
	Status *ScheduleStatus
}

// ScheduleStatus is what the host remembers of a monitored schedule. Before
// the first run ever, Last is the zero time.
type ScheduleStatus struct{ Last, Next, LastUpdated time.Time }

// Timer decodes the data of a timer trigger.
func (inv *Invocation) Timer(binding string) (Timer, error) {
	raw, err := inv.binding(binding)
	if err != nil {
		return Timer{}, err
	}
	var doc struct {
		Schedule       struct{ AdjustForDST bool }
		ScheduleStatus *struct{ Last, Next, LastUpdated json.RawMessage }
		IsPastDue      bool
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Timer{}, fmt.Errorf("%w: timer %q: %w", ErrMalformed, binding, err)
	}
	t := Timer{PastDue: doc.IsPastDue, AdjustForDST: doc.Schedule.AdjustForDST}
	if s := doc.ScheduleStatus; s != nil {
		t.Status = &ScheduleStatus{Last: instant(s.Last), Next: instant(s.Next), LastUpdated: instant(s.LastUpdated)}
	}
	return t, nil
}
