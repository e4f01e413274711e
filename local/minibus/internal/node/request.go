package node

import (
	"errors"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
)

// Conditions of requests that go wrong.
const (
	condExists          amqpwire.Symbol = "com.microsoft:entity-already-exists"
	condArgument        amqpwire.Symbol = "com.microsoft:argument-error"
	condMessageNotFound amqpwire.Symbol = "com.microsoft:message-not-found"
	condNotSupported    amqpwire.Symbol = "amqp:not-implemented"
)

// request is a message to a request-response node ($cbs, $management).
type request struct {
	messageID  any
	properties amqpwire.Map // application properties
	body       any
	txn        []byte // of which it is part; nil: of none
}

// operation is its name without the vendor's prefix.
func (r *request) operation() string {
	name, _ := amqpwire.Text(r.properties.Get("operation"))
	return strings.TrimPrefix(name, "com.microsoft:")
}

// response is the answer. Clients differ in how they spell the status: both spellings are sent.
type response struct {
	code        int32
	description string
	condition   amqpwire.Symbol
	body        amqpwire.Map
}

func parseRequest(payload []byte) (*request, error) {
	m, err := amqpwire.Split(payload)
	if err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "request: %v", err)
	}
	var p amqpwire.Properties
	if err := p.Decode(m.Properties); err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "request properties: %v", err)
	}
	r := &request{messageID: p.MessageID}
	if m.ApplicationProperties != nil {
		v, err := amqpwire.NewReader(m.ApplicationProperties).Value()
		if err != nil {
			return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "request application properties: %v", err)
		}
		if d, ok := v.(amqpwire.Described); ok {
			r.properties, _ = d.Value.(amqpwire.Map)
		}
	}
	if r.body, err = m.BodyValue(); err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "request body: %v", err)
	}
	return r, nil
}

// field returns an entry of a map body.
func (r *request) field(name string) any {
	m, _ := r.body.(amqpwire.Map)
	return m.Get(name)
}

// text, number and numbers are field with a type; a field of another type is as good as none.
func (r *request) text(name string) (string, bool) { return amqpwire.Text(r.field(name)) }

func (r *request) number(name string) int64 {
	n, _ := amqpwire.Int(r.field(name))
	return n
}

func (r *request) numbers(name string) []int64 {
	elems, _ := amqpwire.Elems(r.field(name))
	var list []int64
	for _, e := range elems {
		if n, ok := amqpwire.Int(e); ok {
			list = append(list, n)
		}
	}
	return list
}

func (r *request) tokens() []amqpwire.UUID {
	elems, _ := amqpwire.Elems(r.field("lock-tokens"))
	var list []amqpwire.UUID
	for _, e := range elems {
		if u, ok := e.(amqpwire.UUID); ok {
			list = append(list, u)
		}
	}
	return list
}

func (r response) encode(to *request) []byte {
	p := amqpwire.Properties{CorrelationID: to.messageID}
	b := p.Append(nil)
	props := amqpwire.Map{
		{Key: "statusCode", Value: r.code}, {Key: "status-code", Value: r.code},
		{Key: "statusDescription", Value: r.description}, {Key: "status-description", Value: r.description},
	}
	if r.condition != "" {
		props = append(props, amqpwire.Entry{Key: "errorCondition", Value: r.condition})
	}
	b = amqpwire.AppendSectionMap(b, amqpwire.ApplicationProperties, len(props), func(b []byte) []byte {
		for _, e := range props {
			b = amqpwire.Append(amqpwire.Append(b, e.Key), e.Value)
		}
		return b
	})
	if r.body == nil {
		return amqpwire.AppendValue(b, nil)
	}
	return amqpwire.AppendValue(b, r.body)
}

func failure(code int32, condition amqpwire.Symbol, description string) response {
	return response{code: code, condition: condition, description: description}
}

// refusal is an error as a response. Only codes that clients map to an error of their own are used: for others they
// drop the connection.
func refusal(err error) response {
	fault, ok := errors.AsType[*amqpwire.Error](err)
	if !ok {
		return failure(500, amqpwire.CondInternalError, err.Error())
	}
	code := int32(500)
	switch fault.Condition {
	case broker.CondLockLost, broker.CondSessionLockLost:
		code = 410
	case amqpwire.CondUnauthorized:
		code = 401
	case amqpwire.CondNotFound, condMessageNotFound:
		code = 404
	}
	return failure(code, fault.Condition, fault.Description)
}

// succeed is a response with a body of pairs.
func succeed(pairs ...any) response {
	r := response{code: 200, description: "OK"}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.body = append(r.body, amqpwire.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return r
}

// nothing says that there is nothing (any more).
func nothing() response { return response{code: 204, description: "No Content"} }
