package broker

// Step is what a message does.
type Step string

// The steps.
const (
	Published    Step = "published"     // a topic has taken it
	Completed    Step = "completed"     // who received it has processed it
	DeadLettered Step = "dead-lettered" // it was given up
)

// Passage is a step of a message.
type Passage struct {
	Step Step
	// Entity is the topic, or the subscription or queue that the message has left.
	Entity string
	// Message is whole where it is published. Of a later step it has the numbers and the id, and no id if its content
	// has left memory.
	Message Message
}

// tell has the watcher hear of a step. Without one it is a nil check. The caller holds mu.
func (e *Entity) tell(step Step, m *message) {
	if e.b.watch == nil {
		return
	}
	p := Passage{Step: step, Entity: e.Path}
	switch {
	case step == Published:
		p.Message = m.show()
	case m.kept != nil:
		p.Message.MessageID = m.kept.MessageID
		fallthrough
	default:
		p.Message.SequenceNumber, p.Message.DeliveryCount = m.seq, int(m.count)
	}
	e.b.watch(p)
}
