// Package page serves the live page of relaybox up: the pipeline as a picture, what waits, what is
// stuck, the last events and their way, switches for faults, and buttons for what an operator does.
//
// It promises:
//
//   - it asks for nothing while nobody looks, and all who look share one look a second;
//   - a figure that is not known is shown as a dash, never as an old one or a zero;
//   - only this machine's own browser gets in: the Host is a loopback name, an act comes from the
//     page itself and is JSON, and the page loads nothing from elsewhere.
//
// It does not promise to keep other programs of this machine out: who can reach the port can do
// what the page can, as with the stand-ins beside it.
package page

import (
	"context"
	"time"
)

// Source is what the page shows, and what its buttons do.
type Source interface {
	// Look finds the state out. What cannot be found out is nil, and stands in Unknown.
	Look(ctx context.Context) *Snapshot
	// Act does what was asked for, and says what came of it. Its error is shown as it is.
	Act(ctx context.Context, a Act) (said string, err error)
}

// Snapshot is the state at one moment. Nobody changes one that was handed out.
type Snapshot struct {
	At        time.Time `json:"at"`
	Flow      Flow      `json:"flow"`
	Outbox    *Outbox   `json:"outbox"`
	EarlyKeys *int      `json:"earlyKeys"`
	Broker    *Broker   `json:"broker"`
	Pauses    []Pause   `json:"pauses"`
	Parked    []Parked  `json:"parked"`
	Letters   []Letter  `json:"letters"`
	Faults    []Switch  `json:"faults"`
	// OtherFaults are those that somebody has injected by other means.
	OtherFaults int `json:"otherFaults"`
	// Events are the last ones, the newest first.
	Events  []Way    `json:"events"`
	Unknown []string `json:"unknown"`
}

// Outbox is what the store has of events.
type Outbox struct {
	Pending int     `json:"pending"`
	Oldest  float64 `json:"oldestSeconds"` // age of the oldest pending event
	Parked  int     `json:"parked"`
	Passed  int     `json:"passed"` // parked, and their keys went on without them
	Keys    int     `json:"blockedKeys"`
	// There are more than were counted, and older ones may be among them.
	MorePending bool `json:"morePending,omitempty"`
	MoreParked  bool `json:"moreParked,omitempty"`
}

// Broker is what the consumer's subscription has.
type Broker struct {
	Waiting     int `json:"waiting"`
	DeadLetters int `json:"deadLetters"`
}

// Pause is what an operator has paused.
type Pause struct {
	Scope  string    `json:"scope"`
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Reason string    `json:"reason"`
}

// Parked is an event that the broker has refused.
type Parked struct {
	Key      string    `json:"key"`
	Seq      int64     `json:"seq"`
	Type     string    `json:"type"`
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	Due      time.Time `json:"due,omitzero"`
	Passed   bool      `json:"passed"`
}

// Letter is a dead letter of the consumer's subscription.
type Letter struct {
	Number int64  `json:"number"`
	Key    string `json:"key"`
	Seq    int64  `json:"seq"`
	Reason string `json:"reason"`
}

// Switch is a fault that can be switched on and off.
type Switch struct {
	Name string `json:"name"` // of Act.Fault
	On   bool   `json:"on"`
	// Keys is the pattern of keys that it is about, where it has one.
	Keys string `json:"keys,omitempty"`
	// Fired is how often it has happened; nil where nobody counts.
	Fired *int `json:"fired,omitempty"`
}

// Verb is what an act does.
type Verb string

// The verbs.
const (
	Redrive        Verb = "redrive"         // Names, or All parked events
	Skip           Verb = "skip"            // Names
	PauseSending   Verb = "pause"           // Scope and Name
	ResumeSending  Verb = "resume"          // Scope and Name
	RedriveLetters Verb = "redrive-letters" // Names, or All
	SwitchFault    Verb = "fault"           // Fault, On and Keys
	ClearFaults    Verb = "clear-faults"
)

// Act is what somebody at the page asks for.
type Act struct {
	Verb   Verb     `json:"verb"`
	Names  []string `json:"names,omitempty"` // of events: kind:id/3; of letters: numbers
	All    bool     `json:"all,omitempty"`
	Scope  string   `json:"scope,omitempty"`
	Name   string   `json:"name,omitempty"`
	Fault  string   `json:"fault,omitempty"`
	On     bool     `json:"on,omitempty"`
	Keys   string   `json:"keys,omitempty"` // pattern of keys
	Reason string   `json:"reason,omitempty"`
}
