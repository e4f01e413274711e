package admin

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/outbox"
)

// hangUpTime bounds the polite end of a connection.
const hangUpTime = 2 * time.Second

// Attach opens a sender to the topic, as the app does, and sends nothing. nil means that
// the namespace can be reached, the topic is there and the credential may send. The error
// is judged.
func Attach(ctx context.Context, conn servicebus.Connection, credential azcore.TokenCredential, topic string) error {
	if err := conn.Validate(); err != nil {
		return faulty(err)
	}
	client := servicebus.Open(conn, options(conn, credential))
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpTime)
		defer cancel()
		_ = client.Close(ctx) // the answer is there already
	}()
	return judgeAttach(client.Publisher(topic, servicebus.PublisherOptions{}).Ready(ctx))
}

func options(conn servicebus.Connection, credential azcore.TokenCredential) servicebus.Options {
	if conn.ConnectionString != "" {
		return servicebus.Options{}
	}
	return servicebus.Options{Credential: access.Mark(credential)}
}

func judgeAttach(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*access.TokenError](err); ok {
		return probe.Judge(err)
	}
	return &probe.Error{Verdict: verdictOf(err), Err: err}
}

func verdictOf(err error) probe.Verdict {
	if e, ok := errors.AsType[*azservicebus.Error](err); ok && e.Code == azservicebus.CodeNotFound {
		return probe.Missing
	}
	refusal, refused := errors.AsType[*amqp.Error](err)
	class := outbox.ClassOf(err)
	switch {
	case refused && refusal.Condition == amqp.ErrCondNotFound:
		return probe.Missing
	case class == outbox.Unauthorized:
		return probe.Unauthorized
	case refused, class == outbox.Throttled, class.Permanent():
		return probe.Faulty // an answer, if a strange one
	}
	return probe.NoAnswer
}
