package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// systemProperty is one that SQL knows a message by. Those that a sender may write have a set, whose nil is no value.
type systemProperty struct {
	get func(*sqlView) any
	set func(*sqlDraft, any) error
}

// systemProperties are those of the service's BrokeredMessage, by their names in lower case: of filters and of actions alike.
var systemProperties = map[string]systemProperty{
	"contenttype":      {func(v *sqlView) any { return text(string(v.properties.ContentType)) }, setText(func(d *sqlDraft, s *string) { d.properties.ContentType = amqpwire.Symbol(orEmpty(s)) })},
	"correlationid":    {func(v *sqlView) any { return sqlValue(v.properties.CorrelationID) }, setText(func(d *sqlDraft, s *string) { d.properties.CorrelationID = orNil(s) })},
	"label":            optional(func(p *amqpwire.Properties) **string { return &p.Subject }),
	"subject":          optional(func(p *amqpwire.Properties) **string { return &p.Subject }), // its name in newer clients
	"replyto":          optional(func(p *amqpwire.Properties) **string { return &p.ReplyTo }),
	"replytosessionid": optional(func(p *amqpwire.Properties) **string { return &p.ReplyToGroupID }),
	"to":               optional(func(p *amqpwire.Properties) **string { return &p.To }),
	"sessionid":        {optional(func(p *amqpwire.Properties) **string { return &p.GroupID }).get, setID(func(d *sqlDraft, s *string) { d.properties.GroupID = s })},
	"messageid":        {func(v *sqlView) any { return sqlValue(v.properties.MessageID) }, setMessageID},

	"partitionkey":            annotation(content.AnnPartitionKey),
	"viapartitionkey":         annotation(content.AnnViaPartitionKey),
	"scheduledenqueuetimeutc": {func(v *sqlView) any { return moment(v.of.Content.Due) }, setSchedule},
	"timetolive":              {func(v *sqlView) any { return lifetime(v.of.Content.Life) }, setLife},
	"forcepersistence":        {func(v *sqlView) any { return v.durable() }, setDurable},

	"enqueuedtimeutc":        {get: func(v *sqlView) any { return sqlTime(v.of.Enqueued) }},
	"sequencenumber":         {get: func(v *sqlView) any { return v.of.Sequence }},
	"enqueuedsequencenumber": {get: func(v *sqlView) any { return v.of.Sequence }},
	"deliverycount":          {get: func(v *sqlView) any { return int64(v.of.Deliveries) }},
	"size":                   {get: func(v *sqlView) any { return int64(v.of.Content.Size) }},
	"state":                  {get: func(*sqlView) any { return int64(0) }}, // active: rules are asked when a message is enqueued
	"expiresatutc":           {get: func(v *sqlView) any { return v.expires() }},
	"lockeduntilutc":         {get: func(*sqlView) any { return nil }}, // nobody has received it
	"deadlettersource":       {get: func(v *sqlView) any { return text(v.of.Source) }},
}

// System implements sqlfilter.Message. Of what the broker gives a message, it is the topic's that is seen.
func (v *sqlView) System(name string) (any, bool) {
	p, ok := systemProperties[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return p.get(v), true
}

// SetSystem implements sqlfilter.Changeable. It allows what a sender may write.
func (d *sqlDraft) SetSystem(name string, value any) bool {
	if err := d.setSystem(name, value); err != nil && d.err == nil {
		d.err = err // encode tells
	}
	return true
}

func (d *sqlDraft) setSystem(name string, value any) error {
	p := systemProperties[strings.ToLower(name)]
	if p.set == nil {
		return fmt.Errorf("sys.%s cannot be set", name)
	}
	if err := p.set(d, value); err != nil {
		return fmt.Errorf("sys.%s: %w", name, err)
	}
	return nil
}

// optional is a property that is a text and may be absent.
func optional(field func(*amqpwire.Properties) **string) systemProperty {
	return systemProperty{
		func(v *sqlView) any {
			if s := *field(&v.properties); s != nil {
				return *s
			}
			return nil
		},
		setText(func(d *sqlDraft, s *string) { *field(&d.properties) = s }),
	}
}

// setText sets a property of the properties section. Numbers and ids are written as text.
func setText(put func(*sqlDraft, *string)) func(*sqlDraft, any) error {
	return func(d *sqlDraft, value any) error {
		s, err := asText(value)
		if err != nil {
			return err
		}
		if s == nil || d.fits(*s) { // encode tells
			put(d, s)
			d.system = true
		}
		return nil
	}
}

// setID is setText for what has the length of an id.
func setID(put func(*sqlDraft, *string)) func(*sqlDraft, any) error {
	set := setText(put)
	return func(d *sqlDraft, value any) error {
		if s, err := asText(value); err == nil && s != nil && content.TooLong(*s) {
			return fmt.Errorf("an id of %d bytes is too long", len(*s))
		}
		return set(d, value)
	}
}

// setMessageID takes no null: clients cannot complete a message without an id.
func setMessageID(d *sqlDraft, value any) error {
	if value == nil {
		return fmt.Errorf("a message has an id")
	}
	return setID(func(d *sqlDraft, s *string) { d.properties.MessageID = *s })(d, value)
}

// annotation is a property that is a text among the message annotations.
func annotation(name string) systemProperty {
	return systemProperty{
		func(v *sqlView) any {
			s, _ := amqpwire.Text(v.of.Content.MessageAnn.Value(name))
			return text(s)
		},
		setID(func(d *sqlDraft, s *string) {
			d.annotations = d.annotations.Without(name)
			if s != nil {
				d.annotations = d.annotations.With(name, *s)
			}
		}),
	}
}

func setSchedule(d *sqlDraft, value any) error {
	due, err := asTime(value)
	if err != nil {
		return err
	}
	d.annotations, d.due = d.annotations.Without(content.AnnScheduled), 0
	if !due.IsZero() {
		d.due = due.UnixMilli()
		d.annotations = d.annotations.With(content.AnnScheduled, amqpwire.Timestamp(d.due))
	}
	return nil
}

// setLife sets the header's field, and takes the times away that would go over it.
func setLife(d *sqlDraft, value any) error {
	life, err := asDuration(value)
	if err != nil {
		return err
	}
	d.properties.AbsoluteExpiryTime, d.header.TTL, d.system, d.lives = nil, nil, true, true
	if ms := life.Milliseconds(); ms > 0 {
		d.header.TTL = new(uint32(min(ms, math.MaxUint32)))
	}
	return nil
}

func setDurable(d *sqlDraft, value any) error {
	switch v := value.(type) {
	case nil:
		d.header.Durable = nil
	case bool:
		d.header.Durable = &v
	default:
		return fmt.Errorf("%v is neither true nor false", value)
	}
	return nil
}

func (v *sqlView) durable() bool {
	durable := v.of.Content.Header.Durable
	return durable != nil && *durable
}

// expires is far away for a message that lives for ever.
func (v *sqlView) expires() any {
	if v.of.Expires == 0 {
		return time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
	}
	return sqlTime(v.of.Expires)
}

// text, moment and lifetime are null for what is not there.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func moment(ms int64) any {
	if ms == 0 {
		return nil
	}
	return sqlTime(ms)
}

func lifetime(ms int64) any {
	if ms == 0 {
		return nil
	}
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNil(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// asText is a value as the text of a property.
func asText(value any) (*string, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil //nolint:nilnil // null is a value
	case string:
		return &v, nil
	case int64:
		return new(strconv.FormatInt(v, 10)), nil
	case float64:
		return new(strconv.FormatFloat(v, 'g', -1, 64)), nil
	case uuid.UUID:
		return new(v.String()), nil
	}
	return nil, fmt.Errorf("%v is no text", value)
}
