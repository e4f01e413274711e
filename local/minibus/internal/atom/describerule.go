package atom

import (
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Descriptions of rules.

type ruleDescription struct {
	XMLName   xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect RuleDescription"`
	I         string   `xml:"xmlns:i,attr"`
	Filter    filterDescription
	Action    actionDescription
	CreatedAt string
	Name      string
}

// actionDescription is an SQL action, or the empty one, which has only its type.
type actionDescription struct {
	Type               string `xml:"i:type,attr"`
	SQLExpression      string `xml:"SqlExpression,omitempty"`
	CompatibilityLevel int    `xml:",omitempty"`
	Parameters         *propertyList
}

// filterDescription is a true filter, an SQL filter or a correlation filter: the parts of the others are absent.
type filterDescription struct {
	Type               string `xml:"i:type,attr"`
	SQLExpression      string `xml:"SqlExpression,omitempty"`
	CompatibilityLevel int    `xml:",omitempty"`
	Parameters         *propertyList
	CorrelationID      string `xml:"CorrelationId,omitempty"`
	MessageID          string `xml:"MessageId,omitempty"`
	To                 string `xml:",omitempty"`
	ReplyTo            string `xml:",omitempty"`
	Label              string `xml:",omitempty"`
	SessionID          string `xml:"SessionId,omitempty"`
	ReplyToSessionID   string `xml:"ReplyToSessionId,omitempty"`
	ContentType        string `xml:",omitempty"`
	Properties         *propertyList
}

type propertyList struct {
	Pairs []propertyPair `xml:"KeyValueOfstringanyType"`
}

type propertyPair struct {
	Key   string
	Value propertyValue
}

type propertyValue struct {
	Schema string `xml:"xmlns:d6p1,attr"`
	Type   string `xml:"i:type,attr"`
	Text   string `xml:",chardata"`
}

func describeFilter(f rules.Filter) filterDescription {
	switch f := f.(type) {
	case rules.Everything:
		return filterDescription{Type: "TrueFilter", SQLExpression: "1=1", CompatibilityLevel: rules.SQLLevel}
	case rules.Falsehood:
		return filterDescription{Type: "FalseFilter", SQLExpression: "1=0", CompatibilityLevel: rules.SQLLevel}
	case rules.SQL:
		return filterDescription{Type: "SqlFilter", SQLExpression: f.Filter.String(), CompatibilityLevel: rules.SQLLevel, Parameters: describePairs(f.Parameters)}
	case *rules.Correlation:
		return filterDescription{
			Type: "CorrelationFilter", CorrelationID: f.CorrelationID, MessageID: f.MessageID, To: f.To, ReplyTo: f.ReplyTo,
			Label: f.Label, SessionID: f.SessionID, ReplyToSessionID: f.ReplyToSessionID, ContentType: f.ContentType,
			Properties: describePairs(f.Properties),
		}
	}
	panic(fmt.Sprintf("no description of %T", f)) // there are no others
}

func describeAction(r rules.Compiled) actionDescription {
	if r.Action == nil {
		return actionDescription{Type: "EmptyRuleAction"}
	}
	return actionDescription{Type: "SqlRuleAction", SQLExpression: r.Action.String(), CompatibilityLevel: rules.SQLLevel, Parameters: describePairs(r.Parameters)}
}

// describePairs names values in the order of their names; nil for none.
func describePairs(values map[string]any) *propertyList {
	if len(values) == 0 {
		return nil
	}
	list := &propertyList{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list.Pairs = append(list.Pairs, propertyPair{name, describeValue(values[name])})
	}
	return list
}

// describeValue names the XML type of a property. Whole numbers are int, whatever their size in Go.
func describeValue(v any) propertyValue {
	kind, text := "string", fmt.Sprint(v)
	switch v := v.(type) {
	case bool:
		kind = "boolean"
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		kind = "int"
	case float32:
		kind, text = "double", strconv.FormatFloat(float64(v), 'g', -1, 32)
	case float64:
		kind, text = "double", strconv.FormatFloat(v, 'g', -1, 64)
	case time.Duration:
		kind, text = "duration", topology.FormatSpan(v)
	case time.Time:
		kind, text = "dateTime", v.UTC().Format(time.RFC3339Nano)
		if v.Location() == zoneless {
			text = v.Format(timeWithoutZone)
		}
	}
	return propertyValue{Schema: "http://www.w3.org/2001/XMLSchema", Type: "d6p1:" + kind, Text: text}
}
