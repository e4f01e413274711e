package content

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Limits of Service Bus.
const (
	MaxSize     = 262144 // in bytes, of what a client sends
	maxIDLength = 128    // in characters
)

// TooLong says whether an id is longer than Service Bus allows.
func TooLong(id string) bool { return len(id) > maxIDLength && len([]rune(id)) > maxIDLength }

// IDText is a message-id of any of its types as text: ids of different types are different.
func IDText(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case amqpwire.UUID:
		return uuid.UUID(id).String()
	case []byte:
		return "\x00b" + string(id)
	case uint64:
		return "\x00u" + strconv.FormatUint(id, 10)
	}
	return ""
}

// mergeProperties returns an application-properties section with more pairs in it: new ones, or ones that replace.
func mergeProperties(section amqpwire.Raw, more []amqpwire.Pair) (amqpwire.Raw, error) {
	if len(more) == 0 {
		return section, nil
	}
	pairs, err := amqpwire.DecodePairs(section)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for i, p := range pairs {
		index[p.Key] = i
	}
	for _, p := range more {
		p.Raw = amqpwire.AppendString(nil, p.Key) // application properties have string keys (3.2.5), the source had symbols
		if i, ok := index[p.Key]; ok {
			pairs[i] = p
			continue
		}
		index[p.Key] = len(pairs)
		pairs = append(pairs, p)
	}
	return amqpwire.AppendSectionMap(nil, amqpwire.ApplicationProperties, len(pairs), func(b []byte) []byte {
		for _, p := range pairs {
			b = amqpwire.AppendPair(b, p)
		}
		return b
	}), nil
}

// Property is one string property for mergeProperties.
func Property(key, value string) amqpwire.Pair {
	return amqpwire.Pair{Key: key, Value: amqpwire.AppendString(nil, value)}
}
