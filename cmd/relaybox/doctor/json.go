package doctor

import "encoding/json"

// MarshalText makes a status its name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is the report for programs: what Print shows, with the counts and the status to
// exit with.
func (r Report) MarshalJSON() ([]byte, error) {
	type line struct {
		Status  Status `json:"status"`
		Subject string `json:"subject"`
		Found   string `json:"found"`
		Remedy  string `json:"remedy,omitempty"`
	}
	type group struct {
		Name     string `json:"name"`
		Findings []line `json:"findings"`
	}
	groups := []group{}
	for _, g := range r.Groups {
		if len(g.Findings) == 0 {
			continue
		}
		one := group{Name: g.Name}
		for _, f := range g.Findings {
			one.Findings = append(one.Findings, line(f))
		}
		groups = append(groups, one)
	}
	counts := map[Status]int{}
	for s := range statusNames {
		counts[Status(s)] = r.Count(Status(s))
	}
	return json.Marshal(struct {
		ExitStatus int            `json:"exitStatus"`
		Counts     map[Status]int `json:"counts"`
		Groups     []group        `json:"groups"`
	}{r.ExitStatus(), counts, groups})
}
