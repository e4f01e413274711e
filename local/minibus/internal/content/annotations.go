package content

import (
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Annotations are the pairs of an annotation map that the broker passes on, encoded.
type Annotations struct {
	Pairs amqpwire.Raw
	Count int
}

// Annotations of Service Bus.
const (
	AnnSequence        = "x-opt-sequence-number"
	AnnEnqueued        = "x-opt-enqueued-time"
	AnnLockedUntil     = "x-opt-locked-until"
	AnnLockToken       = "x-opt-lock-token"
	AnnEnqueueSequence = "x-opt-enqueue-sequence-number"
	AnnState           = "x-opt-message-state"
	AnnScheduled       = "x-opt-scheduled-enqueue-time"
	AnnPartitionKey    = "x-opt-partition-key"
	AnnViaPartitionKey = "x-opt-via-partition-key"
	AnnDeadSource      = "x-opt-deadletter-source"
)

func (a *Annotations) add(p amqpwire.Pair) {
	a.Pairs = amqpwire.AppendPair(a.Pairs, p)
	a.Count++
}

// Without drops one annotation. The pairs have been decoded before, so that they decode again.
func (a Annotations) Without(key string) Annotations {
	var out Annotations
	for r := amqpwire.NewReader(a.Pairs); r.Len() > 0; {
		k, err := r.Raw()
		if err != nil {
			return a
		}
		v, err := r.Raw()
		if err != nil {
			return a
		}
		if name, _ := amqpwire.NewReader(k).Value(); name != amqpwire.Symbol(key) {
			out.add(amqpwire.Pair{Raw: k, Value: v})
		}
	}
	return out
}

// With has one annotation more, which is not there yet.
func (a Annotations) With(key string, value any) Annotations {
	out := Annotations{Pairs: slices.Clone(a.Pairs), Count: a.Count}
	out.add(amqpwire.Pair{Raw: amqpwire.AppendSymbol(nil, amqpwire.Symbol(key)), Value: amqpwire.Append(nil, value)})
	return out
}

// PartitionKey is what the sender says of the partition.
func (c *Content) PartitionKey() (key string, ok bool) {
	return amqpwire.Text(c.MessageAnn.Value(AnnPartitionKey))
}

// Value is that of an annotation, or nil.
func (a Annotations) Value(key string) any {
	for r := amqpwire.NewReader(a.Pairs); r.Len() > 0; {
		k, err := r.Value()
		if err != nil {
			return nil
		}
		v, err := r.Value()
		if err != nil {
			return nil
		}
		if name, _ := amqpwire.Text(k); name == key {
			return v
		}
	}
	return nil
}
