package parts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Topic is one topic that detects duplicates, with its subscriptions.
type Topic struct {
	Name            string
	DuplicateWindow time.Duration
	Subscriptions   []Subscription
}

// Subscription is one of a topic.
type Subscription struct {
	Name     string
	Sessions bool
	LockTime time.Duration
}

// Topology is a bus's Config.json.
func Topology(topics ...Topic) []byte {
	type object = map[string]any
	iso := func(d time.Duration) string { return fmt.Sprintf("PT%dS", int(d.Seconds())) }
	list := []object{}
	for _, t := range topics {
		subscriptions := []object{}
		for _, s := range t.Subscriptions {
			subscriptions = append(subscriptions, object{"Name": s.Name, "Properties": object{
				"RequiresSession": s.Sessions, "MaxDeliveryCount": 10, "LockDuration": iso(s.LockTime),
				"DefaultMessageTimeToLive": "PT1H", "DeadLetteringOnMessageExpiration": true,
			}})
		}
		list = append(list, object{"Name": t.Name, "Subscriptions": subscriptions, "Properties": object{
			"RequiresDuplicateDetection": true, "DuplicateDetectionHistoryTimeWindow": iso(t.DuplicateWindow), "DefaultMessageTimeToLive": "PT1H",
		}})
	}
	text, err := json.MarshalIndent(object{"UserConfig": object{
		"Logging":    object{"Type": "File"},
		"Namespaces": []object{{"Name": "sbemulatorns", "Queues": []object{}, "Topics": list}},
	}}, "", "  ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

// AsksForSessions says whether the app's consumer wants its subscription to have sessions.
func AsksForSessions(app string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(app, "ConsumeEvent", "function.json"))
	if err != nil {
		return false, fmt.Errorf("%s is no app with the consumer whose effects are checked: %w", app, err)
	}
	var function struct {
		Bindings []struct {
			IsSessionsEnabled bool `json:"isSessionsEnabled"`
		} `json:"bindings"`
	}
	if err := json.Unmarshal(text, &function); err != nil {
		return false, fmt.Errorf("ConsumeEvent/function.json: %w", err)
	}
	return len(function.Bindings) > 0 && function.Bindings[0].IsSessionsEnabled, nil
}
