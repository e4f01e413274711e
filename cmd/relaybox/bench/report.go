package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Trial is one measurement.
type Trial struct {
	Workload string `json:"workload"`
	Side     Side   `json:"side"`
	Round    int    `json:"round"`
	// Numbers are those of the table, by name.
	Numbers map[string]float64 `json:"numbers"`
	Refused int                `json:"refused"`
	Outcome
	Figures Figures `json:"-"`
}

func newTrial(workload string, side Side, round int, f Figures) Trial {
	t := Trial{Workload: workload, Side: side, Round: round, Numbers: map[string]float64{}, Refused: f.Refused, Outcome: f.Outcome, Figures: f}
	for _, n := range f.numbers() {
		t.Numbers[n.Name] = n.Value
	}
	return t
}

// Report is everything that a run has measured.
type Report struct {
	Started time.Time `json:"started"`
	Machine string    `json:"machine"`
	Seed    uint64    `json:"seed"`
	Quick   bool      `json:"quick"`
	Trials  []Trial   `json:"trials"`
}

// String is what progress says of figures.
func (f Figures) String() string {
	var b strings.Builder
	for i, n := range f.numbers() {
		if i < 2 {
			fmt.Fprintf(&b, "%s %s, ", n.Name, short(n.Value))
		}
	}
	fmt.Fprintf(&b, "lost %d, duplicate %d, disordered %d", f.Outcome.Lost, f.Outcome.Duplicate, f.Outcome.Disordered)
	return b.String()
}

// machine is what the figures are about.
func machine() string {
	model := ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = ", " + strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d processors%s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (r *Report) good() bool {
	return !slices.ContainsFunc(r.Trials, func(t Trial) bool { return !t.Good() })
}

// rounds are the values of a number of a workload on one side, by round.
func (r *Report) rounds(workload string, side Side, number string) map[int]float64 {
	all := map[int]float64{}
	for _, t := range r.Trials {
		if t.Workload != workload || t.Side != side {
			continue
		}
		if value, ok := t.Numbers[number]; ok {
			all[t.Round] = value
		}
	}
	return all
}

func (r *Report) workloads() (names []string) {
	for _, t := range r.Trials {
		if !slices.Contains(names, t.Workload) {
			names = append(names, t.Workload)
		}
	}
	return names
}

// names are the numbers of a workload, ours first.
func (r *Report) names(workload string) (names []string) {
	for _, side := range []Side{Ours, Theirs, Ceiling} {
		for _, t := range r.Trials {
			if t.Workload != workload || t.Side != side {
				continue
			}
			for _, n := range t.Figures.numbers() {
				if !slices.Contains(names, n.Name) {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

// median of values; of an even number of them, the middle of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is the median of ours by theirs in each round, with the smallest and the largest:
// what differs between rounds is the machine's. ok is false where there is nothing to divide.
func ratio(ours, theirs map[int]float64) (middle, least, most float64, ok bool) {
	var all []float64
	for round, value := range ours {
		if by, both := theirs[round]; both && by != 0 {
			all = append(all, value/by)
		}
	}
	if len(all) == 0 {
		return 0, 0, 0, false
	}
	return median(all), slices.Min(all), slices.Max(all), true
}

// print writes the table.
func (r *Report) print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "\n%s, seed %d\n", r.Machine, r.Seed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, workload := range r.workloads() {
		_, _ = fmt.Fprintf(table, "\n%s\tours\tceiling\tours/ceiling\ttheirs\tours/theirs\t\n", workload)
		for _, name := range r.names(workload) {
			ours, theirs, ceiling := r.rounds(workload, Ours, name), r.rounds(workload, Theirs, name), r.rounds(workload, Ceiling, name)
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t\n", name, middle(ours), middle(ceiling), compared(ours, ceiling), middle(theirs), compared(ours, theirs))
		}
		r.printOutcome(table, workload)
	}
	return table.Flush()
}

func (r *Report) printOutcome(w io.Writer, workload string) {
	for _, line := range []struct {
		name string
		of   func(Trial) int
	}{
		{"refused", func(t Trial) int { return t.Refused }},
		{"lost", func(t Trial) int { return t.Lost }},
		{"duplicate", func(t Trial) int { return t.Duplicate }},
		{"disordered", func(t Trial) int { return t.Disordered }},
	} {
		sums := map[Side]string{Ours: "", Theirs: "", Ceiling: ""}
		for side := range sums {
			sum, any := 0, false
			for _, t := range r.Trials {
				if t.Workload == workload && t.Side == side {
					sum, any = sum+line.of(t), true
				}
			}
			if any && side != Ceiling {
				sums[side] = fmt.Sprint(sum)
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t\t\t%s\t\t\n", line.name, sums[Ours], sums[Theirs])
	}
}

// middle is the median of the rounds as text.
func middle(rounds map[int]float64) string {
	if len(rounds) == 0 {
		return "n/a"
	}
	var values []float64
	for _, value := range rounds {
		values = append(values, value)
	}
	return short(median(values))
}

func compared(ours, theirs map[int]float64) string {
	middle, least, most, ok := ratio(ours, theirs)
	switch {
	case !ok:
		return ""
	case least == most:
		return short(middle)
	}
	return fmt.Sprintf("%s (%s–%s)", short(middle), short(least), short(most))
}

// short is a number with three digits that mean something.
func short(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Benchstat writes every trial as a line of Go's benchmark format, which benchstat compares:
// give it -col /side or -col /side@(theirs ours).
func (r *Report) Benchstat(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "started: %s\nmachine: %s\nseed: %d\nquick: %t\n", r.Started.Format(time.RFC3339), r.Machine, r.Seed, r.Quick)
	for _, t := range r.Trials {
		family, variant, _ := strings.Cut(t.Workload, "/")
		fmt.Fprintf(&b, "Benchmark%s%s", strings.ToUpper(family[:1]), family[1:])
		if variant != "" {
			fmt.Fprintf(&b, "/with=%s", variant)
		}
		fmt.Fprintf(&b, "/side=%s %d", t.Side, max(1, t.Figures.Events))
		for _, n := range t.Figures.numbers() {
			fmt.Fprintf(&b, " %.6g %s", n.Value, n.Name)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
