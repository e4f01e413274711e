package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/relaybox/relaybox/entity/request"
)

// eventType is the CloudEvents type of a kind's event.
func (k Kind) eventType(event string) string { return "relaybox." + k.Name + "." + event }

// events are the names of the kind's events, sorted; its deletion is among them.
func (k Kind) events() []string { return slices.Sorted(maps.Keys(k.Events)) }

// EventSchemas returns the JSON Schema of the whole envelope of every event of the kind, by
// the CloudEvents type.
func (k Kind) EventSchemas() (map[string]*jsonschema.Schema, error) {
	all := map[string]*jsonschema.Schema{}
	for _, event := range k.events() {
		s, err := k.eventSchema(event)
		if err != nil {
			return nil, err
		}
		s.Schema = "https://json-schema.org/draft/2020-12/schema"
		all[k.eventType(event)] = s
	}
	return all, nil
}

// eventSchema is the envelope of an event: CloudEvents 1.0 in JSON, with the extensions
// that package outbox sets, and the data that package entity makes.
func (k Kind) eventSchema(event string) (*jsonschema.Schema, error) {
	data, err := k.dataSchema(event)
	if err != nil {
		return nil, err
	}
	number := func() *jsonschema.Schema { return text("^[0-9]{20}$") }
	instant := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Format: "date-time"} }
	id := strings.Trim(request.IDPattern, "^$")
	return &jsonschema.Schema{
		Type: "object",
		Properties: map[string]*jsonschema.Schema{
			"specversion":      {Const: value("1.0")},
			"id":               {Type: "string", MinLength: jsonschema.Ptr(1)},
			"source":           text("(^|/)" + k.Name + "$"),
			"type":             {Const: value(k.eventType(event))},
			"subject":          text(request.IDPattern),
			"time":             instant(),
			"datacontenttype":  {Const: value("application/json")},
			"sequence":         number(),
			"partitionkey":     text("^" + k.Name + ":" + id + "$"),
			"incarnation":      {Type: "string", MinLength: jsonschema.Ptr(1)},
			"incarnationfirst": number(),
			"incarnationsince": instant(),
			"incarnationdrawn": instant(),
			"entityversion":    number(),
			"traceparent":      text("^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
			"tracestate":       {Type: "string"},
			"replayfor":        {Type: "string", MinLength: jsonschema.Ptr(1)},
			"data":             data,
		},
		PropertyOrder: []string{"specversion", "id", "source", "type", "subject", "time"},
		Required: []string{
			"specversion", "id", "source", "type", "subject", "time", "datacontenttype",
			"sequence", "partitionkey", "incarnation", "incarnationfirst", "incarnationsince", "incarnationdrawn", "data",
		},
		// Other attributes are allowed by their names (CloudEvents 1.0.2 §3.1).
		PropertyNames: text("^[a-z0-9]+$"),
	}, nil
}

func (k Kind) dataSchema(event string) (*jsonschema.Schema, error) {
	data := &jsonschema.Schema{
		Type:          "object",
		Properties:    map[string]*jsonschema.Schema{"id": text(request.IDPattern)},
		PropertyOrder: []string{"id", "state", "detail"},
		Required:      []string{"id", "state"},
	}
	gone := &jsonschema.Schema{Type: "null"}
	state, err := schemaOf(k.Entity, told)
	if err != nil {
		return nil, err
	}
	switch event {
	case deleted:
		data.Properties["state"] = gone
	case created, updated:
		data.Properties["state"] = state
	default: // a snapshot and the kind's own may tell of a deletion, too
		data.Properties["state"] = &jsonschema.Schema{OneOf: []*jsonschema.Schema{state, gone}}
	}
	if detail := k.Events[event]; detail != nil {
		var err error
		if data.Properties["detail"], err = schemaOf(detail, told); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Events that every kind has: the entity is gone after deleted, there after created and
// updated, and either after a snapshot.
const (
	created  = "created"
	updated  = "updated"
	deleted  = "deleted"
	snapshot = "snapshot"
)
