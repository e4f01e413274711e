package topology

import (
	"encoding/json"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// Limits of the official emulator, and the name of its one namespace.
const (
	maxEntities      = 50
	maxSubscriptions = 50
	MaxRules         = 1000
	maxSQLFilters    = 20 // of a topic
	EmulatorName     = "sbemulatorns"
	century          = 100 * 365 * 24 * time.Hour
)

func (l *loader) user(path string, v any, c *Config) {
	l.object(path, v, keys{
		"Namespaces": required(func(path string, v any) {
			l.list(path, v, 1, 1, func(path string, v any) { l.namespace(path, v, c) })
		}),
		"Logging": required(func(path string, v any) {
			l.object(path, v, keys{"Type": required(func(path string, v any) {
				switch v {
				case "File", "Console", "File,Console", "Console,File":
				default:
					l.fault(path, "is %v: use File, Console or both with a comma between", v)
				}
			})})
		}),
	})
}

func (l *loader) namespace(path string, v any, c *Config) {
	l.object(path, v, keys{
		"Name": required(func(path string, v any) {
			if v != EmulatorName {
				l.fault(path, "is %v: the emulator has one namespace, %s", v, EmulatorName)
			}
		}),
		"Queues": allowed(func(path string, v any) {
			l.list(path, v, 0, maxEntities, func(path string, v any) { c.Queues = append(c.Queues, l.queue(path, v)) })
		}),
		"Topics": allowed(func(path string, v any) {
			l.list(path, v, 0, maxEntities, func(path string, v any) { c.Topics = append(c.Topics, l.topic(path, v)) })
		}),
	})
	if n := len(c.Queues) + len(c.Topics); n > maxEntities {
		l.fault(path, "has %d queues and topics, allowed are %d", n, maxEntities)
	}
}

// properties is the object that every entity keeps its properties in.
func (l *loader) properties(known keys) keyReader {
	return allowed(func(path string, v any) { l.object(path, v, known) })
}

func (l *loader) lifetime(p *time.Duration) keyReader { return l.duration(p, time.Second, century) }
func (l *loader) history(p *time.Duration) keyReader {
	return l.duration(p, 5*time.Second, 5*time.Minute)
}
func (l *loader) lock(p *time.Duration) keyReader { return l.duration(p, 5*time.Second, 5*time.Minute) }

func (l *loader) queue(path string, v any) (q Queue) {
	l.object(path, v, keys{
		"Name": l.name(&q.Name),
		"Properties": l.properties(keys{
			"DeadLetteringOnMessageExpiration":    l.flag(&q.DeadLetteringOnMessageExpiration),
			"DefaultMessageTimeToLive":            l.lifetime(&q.DefaultMessageTimeToLive),
			"DuplicateDetectionHistoryTimeWindow": l.history(&q.DuplicateDetectionHistoryTimeWindow),
			"ForwardDeadLetteredMessagesTo":       l.text(&q.ForwardDeadLetteredMessagesTo),
			"ForwardTo":                           l.text(&q.ForwardTo),
			"LockDuration":                        l.lock(&q.LockDuration),
			"MaxDeliveryCount":                    l.number(&q.MaxDeliveryCount, 1, 10),
			"RequiresDuplicateDetection":          l.flag(&q.RequiresDuplicateDetection),
			"RequiresSession":                     l.flag(&q.RequiresSession),
		}),
	})
	return q
}

func (l *loader) topic(path string, v any) (t Topic) {
	l.object(path, v, keys{
		"Name": l.name(&t.Name),
		"Properties": l.properties(keys{
			"DefaultMessageTimeToLive":            l.lifetime(&t.DefaultMessageTimeToLive),
			"DuplicateDetectionHistoryTimeWindow": l.history(&t.DuplicateDetectionHistoryTimeWindow),
			"RequiresDuplicateDetection":          l.flag(&t.RequiresDuplicateDetection),
		}),
		"Subscriptions": allowed(func(path string, v any) {
			l.list(path, v, 1, maxSubscriptions, func(path string, v any) { t.Subscriptions = append(t.Subscriptions, l.subscription(path, v)) })
			if n := t.sqlFilters(); n > maxSQLFilters {
				l.fault(path, "have %d SQL filters, allowed are %d in a topic: use correlation filters for some", n, maxSQLFilters)
			}
		}),
	})
	return t
}

func (l *loader) subscription(path string, v any) (s Subscription) {
	l.object(path, v, keys{
		"Name": l.name(&s.Name),
		"Properties": l.properties(keys{
			"DeadLetteringOnMessageExpiration": l.flag(&s.DeadLetteringOnMessageExpiration),
			"DefaultMessageTimeToLive":         l.lifetime(&s.DefaultMessageTimeToLive),
			"ForwardDeadLetteredMessagesTo":    l.text(&s.ForwardDeadLetteredMessagesTo),
			"ForwardTo":                        l.text(&s.ForwardTo),
			"LockDuration":                     l.lock(&s.LockDuration),
			"MaxDeliveryCount":                 l.number(&s.MaxDeliveryCount, 1, 10),
			"RequiresSession":                  l.flag(&s.RequiresSession),
		}),
		"Rules": allowed(func(path string, v any) {
			s.Rules = []rules.Rule{}
			l.list(path, v, 0, MaxRules, func(path string, v any) { s.Rules = append(s.Rules, l.rule(path, v)) })
		}),
	})
	return s
}

func (l *loader) correlation(f *rules.CorrelationFilter) keyReader {
	return l.properties(keys{
		"ContentType":      l.text(&f.ContentType),
		"CorrelationId":    l.text(&f.CorrelationID),
		"Label":            l.text(&f.Label),
		"MessageId":        l.text(&f.MessageID),
		"ReplyTo":          l.text(&f.ReplyTo),
		"ReplyToSessionId": l.text(&f.ReplyToSessionID),
		"SessionId":        l.text(&f.SessionID),
		"To":               l.text(&f.To),
		"Properties": allowed(func(path string, v any) {
			m, ok := v.(map[string]any)
			if !ok {
				l.fault(path, "must be an object")
				return
			}
			f.Properties = map[string]any{}
			for name, want := range m {
				switch want := want.(type) {
				case json.Number:
					n, err := want.Float64()
					if err != nil {
						l.fault(join(path, name), "is %v, which is no number in range", want)
					}
					f.Properties[name] = n
				case string, bool:
					f.Properties[name] = want
				default:
					l.fault(join(path, name), "must be a string, a number, true or false")
				}
			}
		}),
	})
}
