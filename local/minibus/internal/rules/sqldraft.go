package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// sqlDraft is a message that an action changes: sqlfilter.Changeable. What it was made of stays as it is.
type sqlDraft struct {
	sqlView
	system bool  // a field of properties has changed
	err    error // what an action did that the interface has no answer for
}

func (v *sqlView) draft() *sqlDraft {
	d := &sqlDraft{sqlView: *v} // of properties only whole fields are replaced: what they point to is shared
	d.user = slices.Clone(v.user)
	return d
}

// textField is the field of a system property that is a text and may be absent; nil for others. The name is in lower case.
func textField(p *amqpwire.Properties, name string) **string {
	switch name {
	case "label", "subject":
		return &p.Subject
	case "replyto":
		return &p.ReplyTo
	case "replytosessionid":
		return &p.ReplyToGroupID
	case "sessionid":
		return &p.GroupID
	case "to":
		return &p.To
	}
	return nil
}

// SetSystem implements sqlfilter.Changeable. It allows what a sender may write; numbers are written as text.
func (d *sqlDraft) SetSystem(name string, value any) bool {
	name = strings.ToLower(name)
	var text *string
	switch v := value.(type) {
	case nil:
	case string:
		text = &v
	case int64:
		text = new(strconv.FormatInt(v, 10))
	case float64:
		text = new(strconv.FormatFloat(v, 'g', -1, 64))
	default:
		return false
	}
	if text != nil && !d.fits(*text) {
		return true // encode tells
	}
	p := &d.properties
	field := textField(p, name)
	switch {
	case field != nil:
		if name == "sessionid" && text != nil && content.TooLong(*text) {
			return false
		}
		*field = text
	case name == "contenttype":
		p.ContentType = ""
		if text != nil {
			p.ContentType = amqpwire.Symbol(*text)
		}
	case name == "correlationid":
		p.CorrelationID = nil
		if text != nil {
			p.CorrelationID = *text
		}
	case name == "messageid" && text != nil && !content.TooLong(*text): // clients cannot complete a message without an id
		p.MessageID = *text
	default:
		return false
	}
	d.system = true
	return true
}

// SetUser implements sqlfilter.Changeable. A property that is there keeps the spelling of its name.
func (d *sqlDraft) SetUser(name string, value any) {
	switch v := value.(type) {
	case string:
		if !d.fits(v) {
			return
		}
	case time.Duration: // of sys.TimeToLive
		d.err = fmt.Errorf("user.%s: AMQP has no durations", name)
		return
	}
	i := d.index(name)
	if i < 0 {
		i = len(d.user)
		d.user = append(d.user, userProperty{Pair: amqpwire.Pair{Key: name, Raw: amqpwire.AppendString(nil, name)}})
	}
	d.user[i].value, d.user[i].Value = value, amqpwire.Append(nil, value)
}

// RemoveUser implements sqlfilter.Changeable.
func (d *sqlDraft) RemoveUser(name string) {
	d.user = slices.DeleteFunc(d.user, func(p userProperty) bool { return strings.EqualFold(p.Key, name) })
}

// fits stops an action that doubles a text with every statement.
func (d *sqlDraft) fits(text string) bool {
	if len(text) > content.MaxSize {
		d.err = fmt.Errorf("the action makes a text of %d bytes; a message has at most %d", len(text), content.MaxSize)
		return false
	}
	return true
}

// encode makes the copy's content of it. Sections that have not changed keep their bytes.
func (d *sqlDraft) encode() (*content.Content, error) {
	if d.err != nil {
		return nil, d.err
	}
	c := *d.of.Content
	if d.system {
		c.Properties = d.properties.Append(nil)
		if id := content.IDText(d.properties.MessageID); id != c.MessageID {
			c.MessageID, c.Generated = id, false
		}
		c.SessionID, c.HasSession = "", d.properties.GroupID != nil
		if c.HasSession {
			c.SessionID = *d.properties.GroupID
		}
	}
	c.AppProps = amqpwire.AppendSectionMap(nil, amqpwire.ApplicationProperties, len(d.user), func(b []byte) []byte {
		for _, p := range d.user {
			b = amqpwire.AppendPair(b, p.Pair)
		}
		return b
	})
	// A message of the greatest size may grow: it would be lost for its RuleName otherwise.
	c.Size += len(c.Properties) - len(d.of.Content.Properties) + len(c.AppProps) - len(d.of.Content.AppProps)
	return &c, nil
}
