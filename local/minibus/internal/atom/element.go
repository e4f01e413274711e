package atom

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// Element is an XML element as it came. Names are compared without their namespaces: clients do not agree on those.
type Element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []Element  `xml:",any"`
}

func (e Element) text() string { return strings.TrimSpace(e.Text) }

// child is the first child of a name, or an empty element.
func (e Element) child(name string) Element {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c
		}
	}
	return Element{}
}

// kind is the type that stands in the attribute i:type, without its prefix.
func (e Element) kind() string {
	for _, a := range e.Attrs {
		if a.Name.Local == "type" {
			_, kind, prefixed := strings.Cut(a.Value, ":")
			if !prefixed {
				kind = a.Value
			}
			return kind
		}
	}
	return ""
}

func parseElement(text []byte) (e Element, err error) {
	if err := shallow(text); err != nil {
		return e, err
	}
	if err := xml.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("the body is no XML: %w", err)
	}
	return e, nil
}

// maxDepth bounds how deep elements may stand in each other: decoding them recurses.
const maxDepth = 32

func shallow(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the body is no XML: %w", err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("elements stand in each other more than %d deep", maxDepth)
		}
	}
}

// readEntry finds the description in an ATOM entry.
func readEntry(text []byte, want string) (Element, error) {
	e, err := parseElement(text)
	if err != nil {
		return e, err
	}
	d := e.child("content").child(want)
	if d.XMLName.Local == "" {
		return d, fmt.Errorf("the body has no content with a %s: send an ATOM entry with one", want)
	}
	return d, nil
}

// ReadRuleEntry reads the rule in an ATOM entry.
func ReadRuleEntry(text []byte) (rules.Compiled, error) {
	d, err := readEntry(text, "RuleDescription")
	if err != nil {
		return rules.Compiled{}, err
	}
	return readRule(d)
}

// ReadRule reads a description of a rule without its entry, as TextOf writes it.
func ReadRule(text []byte) (rules.Compiled, error) {
	e, err := parseElement(text)
	if err != nil {
		return rules.Compiled{}, err
	}
	return readRule(e)
}

// readRule reads a RuleDescription. Without a filter it takes everything.
func readRule(e Element) (rules.Compiled, error) {
	r := rules.Compiled{Name: e.child("Name").text(), Filter: rules.Everything{}}
	var err error
	if f := e.child("Filter"); f.XMLName.Local != "" {
		if r.Filter, err = readFilter(f); err != nil {
			return r, fmt.Errorf("Filter: %w", err)
		}
	}
	switch a := e.child("Action"); a.kind() {
	case "", "EmptyRuleAction":
	case "SqlRuleAction":
		if r.Parameters, err = readPairs(a.child("Parameters")); err != nil {
			return r, fmt.Errorf("Action: Parameters: %w", err)
		}
		if r.Action, err = sqlfilter.ParseAction(a.child("SqlExpression").Text, r.Parameters); err != nil {
			return r, fmt.Errorf("Action: SqlExpression: %w", err)
		}
	default:
		return r, fmt.Errorf("Action: the type '%s' is not known: use SqlRuleAction or EmptyRuleAction", a.kind())
	}
	return r, nil
}

func readFilter(e Element) (rules.Filter, error) {
	switch e.kind() {
	case "TrueFilter":
		return rules.Everything{}, nil
	case "FalseFilter":
		return rules.Falsehood{}, nil
	case "CorrelationFilter":
		return readCorrelation(e)
	case "SqlFilter":
		parameters, err := readPairs(e.child("Parameters"))
		if err != nil {
			return nil, fmt.Errorf("Parameters: %w", err)
		}
		f, err := rules.ParseSQL(e.child("SqlExpression").Text, parameters)
		if err != nil {
			return nil, fmt.Errorf("SqlExpression: %w", err)
		}
		return f, nil
	}
	return nil, fmt.Errorf("the type '%s' is not known: use TrueFilter, FalseFilter, SqlFilter or CorrelationFilter", e.kind())
}

func readCorrelation(e Element) (rules.Filter, error) {
	pairs, err := readPairs(e.child("Properties"))
	if err != nil {
		return nil, fmt.Errorf("Properties: %w", err)
	}
	return &rules.Correlation{
		ContentType: e.child("ContentType").Text, CorrelationID: e.child("CorrelationId").Text, Label: e.child("Label").Text,
		MessageID: e.child("MessageId").Text, ReplyTo: e.child("ReplyTo").Text, ReplyToSessionID: e.child("ReplyToSessionId").Text,
		SessionID: e.child("SessionId").Text, To: e.child("To").Text, Properties: pairs,
	}, nil
}

// readPairs reads named values; nil if there are none.
func readPairs(e Element) (map[string]any, error) {
	if len(e.Children) == 0 {
		return nil, nil
	}
	pairs := map[string]any{}
	for _, pair := range e.Children {
		name, value := pair.child("Key").Text, pair.child("Value")
		v, err := readValue(value.kind(), value.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		pairs[name] = v
	}
	return pairs, nil
}

// readValue reads a value of an XML type.
func readValue(kind, text string) (v any, err error) {
	switch kind {
	case "string", "guid", "anyURI", "char", "":
		return text, nil
	case "int", "long", "short", "byte", "unsignedByte", "unsignedShort", "unsignedInt":
		v, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	case "double", "float", "decimal":
		v, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
	case "boolean":
		v, err = strconv.ParseBool(strings.TrimSpace(text))
	case "dateTime":
		v, err = readTime(strings.TrimSpace(text))
	case "duration":
		d, ok := topology.ParseDuration(strings.TrimSpace(text))
		if !ok {
			err = fmt.Errorf("duration %q", text)
		}
		v = d
	default:
		return nil, fmt.Errorf("the type '%s' is not known: use string, int, long, double, boolean, dateTime or duration", kind)
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil, fmt.Errorf("'%s' is no number", text)
	}
	if err != nil {
		return nil, fmt.Errorf("'%s' is no %s", text, kind)
	}
	return v, nil
}

// zoneless is the zone of times that are given without one. They count as UTC, and are told as they came.
var zoneless = time.FixedZone("none", 0)

const timeWithoutZone = "2006-01-02T15:04:05.999999999"

// readTime reads an xsd:dateTime.
func readTime(text string) (time.Time, error) {
	if t, err := time.ParseInLocation(timeWithoutZone, text, zoneless); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err
}
