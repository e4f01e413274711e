package doctor

import "fmt"

// Status is the outcome of a check.
type Status int

// Statuses, the worst last.
const (
	OK Status = iota
	Warning
	Unknown
	Refused
)

var statusNames = [...]string{"ok", "warning", "unknown", "refused"}

func (s Status) String() string { return statusNames[s] }

// Finding is the outcome of one check: a line of the report.
type Finding struct {
	Status  Status
	Subject string
	Found   string
	// Remedy says what to do about it; empty when all is fine.
	Remedy string
}

func ok(subject, found string, args ...any) Finding {
	return Finding{Status: OK, Subject: subject, Found: fmt.Sprintf(found, args...)}
}

// finding is one that is not fine: what was found, and what to do.
func finding(s Status, subject, found, remedy string) Finding {
	return Finding{Status: s, Subject: subject, Found: found, Remedy: remedy}
}

// unless is fine if good, and otherwise as bad says.
func unless(good bool, fine string, bad Finding) Finding {
	if good {
		return ok(bad.Subject, "%s", fine)
	}
	return bad
}

// Group is the findings about one thing.
type Group struct {
	Name     string
	Findings []Finding
}

// Report is everything that was found, in an order that does not change.
type Report struct{ Groups []Group }

// Count is the number of findings with a status.
func (r Report) Count(s Status) int {
	n := 0
	for _, g := range r.Groups {
		for _, f := range g.Findings {
			if f.Status == s {
				n++
			}
		}
	}
	return n
}

// ExitStatus is 1 if something was refused, else 3 if something could not be checked, else 0.
// 2 stays for command lines that make no sense, as for all verbs.
func (r Report) ExitStatus() int {
	switch {
	case r.Count(Refused) > 0:
		return 1
	case r.Count(Unknown) > 0:
		return 3
	}
	return 0
}
