package topology

import (
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// The kinds of filters in a Config.json. A true filter is written as the SQL filter 1=1.
const (
	kindCorrelation = "Correlation"
	kindSQL         = "Sql"
)

func (l *loader) rule(path string, v any) (r rules.Rule) {
	kind, correlation, sql, f := "", false, false, &rules.CorrelationFilter{}
	readCorrelation := l.correlation(f).read
	l.object(path, v, keys{
		"Name": l.name(&r.Name),
		"Properties": required(func(path string, v any) {
			l.object(path, v, keys{
				"FilterType": required(func(path string, v any) {
					if kind, _ = v.(string); kind != kindCorrelation && kind != kindSQL {
						l.fault(path, "is %v: use Correlation or Sql", v)
					}
				}),
				"CorrelationFilter": allowed(func(path string, v any) {
					correlation = true
					readCorrelation(path, v)
				}),
				"SqlFilter": allowed(func(path string, v any) {
					sql = true
					l.sql(path, v, &r.SQL, rules.CheckSQL, "write a condition, such as 1=1 for every message")
				}),
				"Action": allowed(func(path string, v any) {
					l.sql(path, v, &r.Action, rules.CheckAction, "write SET or REMOVE statements, or remove Action")
				}),
			})
		}),
	})
	// A filter beside the type that is not its own would be silently without effect.
	switch {
	case kind == kindSQL && !sql:
		l.fault(join(path, "Properties.SqlFilter"), "is missing: add it")
	case kind == kindSQL && correlation:
		l.fault(join(path, "Properties.CorrelationFilter"), "stands in a rule whose FilterType is Sql: remove it or change the type")
	case kind == kindCorrelation && sql:
		l.fault(join(path, "Properties.SqlFilter"), "stands in a rule whose FilterType is Correlation: remove it or change the type")
	case kind == kindCorrelation:
		r.Correlation = f
	}
	return r
}

// sql reads an object with an SqlExpression, which parse accepts.
func (l *loader) sql(path string, v any, text *string, parse func(string) error, whenEmpty string) {
	l.object(path, v, keys{"SqlExpression": required(func(path string, v any) {
		var ok bool
		if *text, ok = v.(string); !ok {
			l.fault(path, "must be a string")
			return
		}
		if strings.TrimSpace(*text) == "" {
			l.fault(path, "is empty: %s", whenEmpty)
			return
		}
		if err := parse(*text); err != nil {
			l.fault(path, "is no SQL that Service Bus knows: %v", err)
		}
	})})
}

// sqlFilters counts as the official emulator does: what is written down, without the rules that are given by default.
func (t Topic) sqlFilters() int {
	n := 0
	for _, s := range t.Subscriptions {
		for _, r := range s.Rules {
			if r.SQL != "" {
				n++
			}
		}
	}
	return n
}
