package minibus_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// model is what a broker has been told, and has confirmed.
type model struct {
	kept    map[string][]*kept // by path, in order
	states  map[string]string  // of sessions
	colours map[string]bool    // that the rules of a subscription take
	numbers map[string]int64   // of messages by path and id, when they were first seen
	sent    int
	known   map[string][]string // ids in the windows of duplicate detection
}

// kept is a message.
type kept struct {
	id, session string
	state       minibus.State
	tries       int
	why         string // it is a dead letter
	locked      bool
}

func (k *kept) String() string {
	return fmt.Sprintf("%s of %q, state %d, %d tries, %s", k.id, k.session, k.state, k.tries, k.why)
}

func (m *model) add(path string, list ...*kept) { m.kept[path] = append(m.kept[path], list...) }

func (m *model) remove(path string, k *kept) {
	m.kept[path] = slices.DeleteFunc(m.kept[path], func(other *kept) bool { return other == k })
}

// first is the one that is handed out next, or nil.
func (m *model) first(path string) *kept { return m.find(path, minibus.Active) }

func (m *model) find(path string, state minibus.State) *kept {
	for _, k := range m.kept[path] {
		if k.state == state && !k.locked {
			return k
		}
	}
	return nil
}

// fail is a delivery that has failed.
func (m *model) fail(path string, k *kept) {
	k.locked = false
	if strings.HasSuffix(path, deadLetters) {
		return // not counted
	}
	if k.tries++; k.tries == maxTries && k.state == minibus.Active {
		m.bury(path, k, "MaxDeliveryCountExceeded")
	}
}

func (m *model) bury(path string, k *kept, why string) {
	m.remove(path, k)
	k.why, k.locked = why, false
	m.add(path+deadLetters, k)
}

const deadLetters = "/$DeadLetterQueue"

// settled ends the deliveries that are under way.
func (m *model) settled(counts bool) {
	for path, list := range m.kept {
		for _, k := range slices.Clone(list) {
			if k.locked && counts {
				m.fail(path, k)
			}
			k.locked = false
		}
	}
}

// compare looks at what the broker has.
func (w *walker) compare(step string) {
	w.t.Helper()
	want, have := map[string][]string{}, map[string][]string{}
	for path, list := range w.kept {
		for _, k := range list {
			want[path] = append(want[path], k.String())
		}
	}
	states := map[string]string{}
	for path, shown := range w.harm.look(w.t) {
		for _, m := range shown.Messages {
			why, _ := m.Properties["DeadLetterReason"].(string)
			have[path] = append(have[path], (&kept{id: m.MessageID, session: m.SessionID, state: m.State, tries: m.DeliveryCount, why: why}).String())
			require.False(w.t, m.Locked, "after %s: %s", step, m.MessageID)
			key := path + " " + m.MessageID
			if number, seen := w.numbers[key]; seen {
				require.Equal(w.t, number, m.SequenceNumber, "after %s: the number of %s", step, key)
			}
			w.numbers[key] = m.SequenceNumber
		}
		for _, s := range shown.Sessions {
			if s.State != nil {
				states[s.ID] = string(s.State)
			}
		}
	}
	require.Equal(w.t, want, have, "after %s", step)
	require.Equal(w.t, w.states, states, "after %s", step)
}
