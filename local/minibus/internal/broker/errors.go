package broker

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// Conditions of Service Bus that AMQP does not define.
const (
	CondLockLost         amqpwire.Symbol = "com.microsoft:message-lock-lost"
	CondSessionLockLost  amqpwire.Symbol = "com.microsoft:session-lock-lost"
	condSessionNotLocked amqpwire.Symbol = "com.microsoft:session-cannot-be-locked"
	condTimeout          amqpwire.Symbol = "com.microsoft:timeout"
	condDisabled         amqpwire.Symbol = "com.microsoft:entity-disabled"
	condDetachForced     amqpwire.Symbol = "amqp:link:detach-forced"
)

// NotFound says that there is no entity at an address.
func NotFound(address string) *amqpwire.Error {
	return amqpwire.Errorf(amqpwire.CondNotFound, "The messaging entity '%s' could not be found.", address)
}

// errLockLost answers a settlement or renewal whose lock is gone (410, CodeLockLost in azservicebus).
var errLockLost = amqpwire.Errorf(CondLockLost,
	"The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.")

// errSessionLockLost answers session operations of somebody who does not own the session, and ends the owner's link.
var errSessionLockLost = amqpwire.Errorf(CondSessionLockLost,
	"The session lock has expired or is held by another receiver. Accept the session again.")
