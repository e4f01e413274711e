package minibus

import "github.com/relaybox/relaybox/local/minibus/internal/broker"

// State says whether a message can be received: the values of x-opt-message-state.
type State = broker.State

// The states.
const (
	Active    = broker.Active    // can be received, or is locked by a receiver
	Deferred  = broker.Deferred  // only by its sequence number
	Scheduled = broker.Scheduled // not before its time
)

// Message is what Peek shows of a message.
type Message = broker.Message

// Counts are an entity's messages by state, as Service Bus counts them: locked messages are active.
type Counts = broker.Counts

// Snapshot is what an entity holds at one moment. Two of them can be compared.
type Snapshot = broker.Snapshot

// Session is what Snapshot shows of a session.
type Session = broker.Session

// Peek shows all messages of an entity ("queue", "topic/Subscriptions/name", each with "/$DeadLetterQueue"), in order. It is nil
// for an entity that does not exist.
func (s *Server) Peek(entityPath string) []Message { return s.broker.Peek(entityPath) }

// Links counts the open AMQP links of all clients.
func (s *Server) Links() int { return s.amqp.Links() }

// Counts counts the messages of an entity; all are zero for one that does not exist.
func (s *Server) Counts(entityPath string) Counts { return s.broker.Counts(entityPath) }

// Snapshot shows all entities at one moment, by path; dead-letter queues stand beside what they belong to.
func (s *Server) Snapshot() map[string]Snapshot { return s.broker.Snapshot() }
