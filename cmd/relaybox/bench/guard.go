package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

var (
	// ErrGuarded: a number is outside of its margin; the report says which.
	ErrGuarded = errors.New("numbers are outside of their margins")
	// ErrMargins: a file of margins cannot be read.
	ErrMargins = errors.New("not a file of margins")
)

// Margin is how far a number of ours may be from what it was when the margin was chosen.
// The number of a run is the median of its rounds.
type Margin struct {
	Workload, Number string
	// OfCeiling: not the number itself but its ratio to the ceiling's.
	OfCeiling bool
	// Was is the number at that time, Bound the last good one: the least if AtLeast, else the most.
	Was, Bound float64
	AtLeast    bool
}

// ReadMargins reads a margin a line: workload, number, ours or ours/ceiling, what it was, <=
// or >=, and the bound. What stands behind a # is for people. Its error is ErrMargins.
func ReadMargins(r io.Reader) (list []Margin, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		m, err := readMargin(fields)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMargins, n, err)
		}
		list = append(list, m)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is none in it", ErrMargins)
	}
	return list, nil
}

func readMargin(fields []string) (m Margin, err error) {
	if len(fields) != 6 {
		return m, fmt.Errorf("%d fields, not 6: workload number ours|ours/ceiling was <=|>= bound", len(fields))
	}
	m = Margin{Workload: fields[0], Number: fields[1], OfCeiling: fields[2] == "ours/ceiling", AtLeast: fields[4] == ">="}
	if !m.OfCeiling && fields[2] != "ours" {
		return m, fmt.Errorf("%q is neither ours nor ours/ceiling", fields[2])
	}
	if !m.AtLeast && fields[4] != "<=" {
		return m, fmt.Errorf("%q is neither <= nor >=", fields[4])
	}
	if m.Was, err = strconv.ParseFloat(fields[3], 64); err != nil {
		return m, err
	}
	m.Bound, err = strconv.ParseFloat(fields[5], 64)
	return m, err
}

// Guarded are the workloads that the margins are about.
func Guarded(margins []Margin) (names []string) {
	for _, m := range margins {
		if !slices.Contains(names, m.Workload) {
			names = append(names, m.Workload)
		}
	}
	return names
}

// guard tells w what is outside of its margin; its error is ErrGuarded then.
func (r *Report) guard(w io.Writer, margins []Margin) error {
	all := r.outside(margins)
	if len(all) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\noutside of its margin:\n  %s\n", strings.Join(all, "\n  "))
	return errors.Join(ErrGuarded, err)
}

// outside says of each margin that the report does not keep to why. A number that was not
// measured keeps to none.
func (r *Report) outside(margins []Margin) (all []string) {
	for _, m := range margins {
		is, ok := m.of(r)
		switch {
		case !ok:
			all = append(all, fmt.Sprintf("%s: was not measured", m))
		case m.AtLeast && !(is >= m.Bound), !m.AtLeast && !(is <= m.Bound): // a NaN keeps to none
			all = append(all, fmt.Sprintf("%s: is %s", m, short(is)))
		}
	}
	return all
}

// of is the number in a report.
func (m Margin) of(r *Report) (float64, bool) {
	ours := r.rounds(m.Workload, Ours, m.Number)
	if m.OfCeiling {
		middle, _, _, ok := ratio(ours, r.rounds(m.Workload, Ceiling, m.Number))
		return middle, ok
	}
	var values []float64
	for _, v := range ours {
		values = append(values, v)
	}
	if len(values) == 0 {
		return 0, false
	}
	return median(values), true
}

func (m Margin) String() string {
	of, most := "", "at most"
	if m.OfCeiling {
		of = " by the ceiling's"
	}
	if m.AtLeast {
		most = "at least"
	}
	return fmt.Sprintf("%s, %s%s, %s %v, once %v", m.Workload, m.Number, of, most, m.Bound, m.Was)
}
