package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// sqlDraft is a message that an action changes: sqlfilter.Changeable. What it was made of stays as it is.
type sqlDraft struct {
	sqlView
	header      amqpwire.Header
	annotations content.Annotations
	due         int64
	system      bool  // a field of properties has changed
	lives       bool  // the life has changed
	err         error // what an action did that the interface has no answer for
}

func (v *sqlView) draft() *sqlDraft {
	c := v.of.Content
	d := &sqlDraft{sqlView: *v, header: c.Header, annotations: c.MessageAnn, due: c.Due} // of properties only whole fields are replaced: what they point to is shared
	d.user = slices.Clone(v.user)
	return d
}

// SetUser implements sqlfilter.Changeable. A property that is there keeps the spelling of its name.
func (d *sqlDraft) SetUser(name string, value any) {
	wire := value
	switch v := value.(type) {
	case string:
		if !d.fits(v) {
			return
		}
	case time.Duration:
		wire = span(v)
	case uuid.UUID:
		wire = amqpwire.UUID(v)
	}
	i := d.index(name)
	if i < 0 {
		i = len(d.user)
		d.user = append(d.user, userProperty{Pair: amqpwire.Pair{Key: name, Raw: amqpwire.AppendString(nil, name)}})
	}
	d.user[i].value, d.user[i].Value = value, amqpwire.Append(nil, wire)
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
	c.Header, c.MessageAnn, c.Due = d.header, d.annotations, d.due
	if d.lives {
		c.Life, c.Deadline = 0, 0
		c.ReadLife(&d.properties)
	}
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
