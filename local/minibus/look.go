package minibus

import "github.com/relaybox/relaybox/local/minibus/internal/broker"

// State says whether a message can be received: the numbers of x-opt-message-state, which are the constants.
type State = broker.State

// The states.
const (
	Active    = broker.Active    // can be received, or is locked by a receiver
	Deferred  = broker.Deferred  // only by its sequence number
	Scheduled = broker.Scheduled // not before its time
)

// Message is what Peek shows of a message.
//
//	SequenceNumber int64
//	MessageID      string
//	SessionID      string
//	CorrelationID  string
//	Subject        string
//	ContentType    string
//	Body           []byte         // the data sections; nil for other bodies
//	Properties     map[string]any // application properties
//	State          State
//	Locked         bool      // by a receiver
//	DeliveryCount  int       // failed deliveries
//	EnqueuedTime   time.Time
//	ScheduledTime  time.Time // zero unless State is Scheduled
type Message = broker.Message

// Counts are an entity's messages by state, as Service Bus counts them: locked messages are active.
//
//	Active     int // Locked ones too
//	DeadLetter int // in the entity's dead-letter queue
//	Scheduled  int
//	Deferred   int
//	Locked     int
type Counts = broker.Counts

// Snapshot is what an entity holds at one moment. Two of them can be compared.
//
//	Counts   Counts
//	Messages []Message // in order, whatever their state
//	Sessions []Session // with messages, a state or an owner; in the order of their ids
type Snapshot = broker.Snapshot

// Session is what Snapshot shows of a session.
//
//	ID          string
//	Messages    int       // how many it has
//	State       []byte    // what its receivers have stored; nil: nothing
//	LockedUntil time.Time // zero: nobody has accepted it
type Session = broker.Session

// Passage is a step of a message, of which Options.Watch hears.
//
//	Step    Step
//	Entity  string  // the topic, or the subscription or queue that the message has left
//	Message Message // whole where it is published; of a later step it has the numbers and the id, and no id if its
//	                // content has left memory
type Passage = broker.Passage

// Step is what a message does: a string, whose values are the constants.
type Step = broker.Step

// The steps.
const (
	Published    = broker.Published    // a topic has taken it; not a copy that it drops
	Completed    = broker.Completed    // who received it has processed it
	DeadLettered = broker.DeadLettered // it was given up
)

// Peek shows all messages of an entity ("queue", "topic/Subscriptions/name", each with "/$DeadLetterQueue"), in order. It is nil
// for an entity that does not exist.
func (s *Server) Peek(entityPath string) []Message { return s.broker.Peek(entityPath) }

// Links counts the open AMQP links of all clients.
func (s *Server) Links() int { return s.amqp.Links() }

// Counts counts the messages of an entity; all are zero for one that does not exist.
func (s *Server) Counts(entityPath string) Counts { return s.broker.Counts(entityPath) }

// Snapshot shows all entities at one moment, by path; dead-letter queues stand beside what they belong to.
func (s *Server) Snapshot() map[string]Snapshot { return s.broker.Snapshot() }
