package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/local/natsserver"
	"github.com/relaybox/relaybox/local/netsim"
)

// Broker is what the part Bus is.
type Broker string

// The brokers that a stack can have.
const (
	// ServiceBus is minibus, our stand-in.
	ServiceBus Broker = "servicebus"
	// JetStream is the NATS server itself, with a stream, a durable consumer and a stream of dead letters.
	JetStream Broker = "jetstream"
)

// ParseBroker reads a name of a broker; "" is ServiceBus.
func ParseBroker(name string) (Broker, error) {
	switch b := Broker(name); b {
	case "":
		return ServiceBus, nil
	case ServiceBus, JetStream:
		return b, nil
	}
	return "", fmt.Errorf("%q is no broker of the stack: use servicebus or jetstream", name)
}

// Values of the stack's own stream; a window and a time to live like the topic's.
const (
	streamWait = 30 * time.Second // for an acknowledgement, from an instance that has died
	maxPending = 1000
	// streamStart bounds what is asked of a server in this process.
	streamStart = time.Minute
)

// LettersStream is the stream of a durable consumer's dead letters.
func LettersStream(stream, durable string) string { return stream + "_DEAD_" + durable }

// Durables are the durable consumers that the settings name: the app's first, and those of further
// consumers.
func Durables(settings map[string]string) []string {
	var all []string
	for _, setting := range []string{"EVENTS_CONSUMER", "MAILING_SUBSCRIPTION"} {
		if name := settings[setting]; name != "" {
			all = append(all, name)
		}
	}
	return all
}

// streamDefaults are the settings of an app whose broker is a stream. The host must not look for
// Service Bus.
func streamDefaults() map[string]string {
	return map[string]string{
		"EVENTS_BROKER": string(JetStream), "EVENTS_STREAM": "EVENTS", "EVENTS_SUBJECT": "events", "EVENTS_CONSUMER": "read-models",
		"EVENTS_DEAD_LETTERS": "dead-letters", "AzureWebJobs.ConsumeEvent.Disabled": "true",
		"AzureWebJobs.MailingList.Disabled": "true",
	}
}

// startStream runs the NATS server as the part Bus.
func (s *Stack) startStream(ctx context.Context) error {
	listener, err := s.listen(Bus, s.cfg.BusAddr)
	if err != nil {
		return err
	}
	dir, err := s.streamFolder()
	if err != nil {
		return err
	}
	server, err := natsserver.Open(natsserver.Options{Dir: dir, Logger: s.cfg.Logger.With("part", "nats")})
	if err != nil {
		return fmt.Errorf("open the nats server: %w", err)
	}
	s.closer = append(s.closer, server.Close)
	s.NATS, s.BusNet, s.BusAddr = server, netsim.Wrap(listener), reach(listener)
	s.StreamURL = "nats://" + s.BusAddr
	s.connectStream(s.StreamURL)
	if err := s.makeStreams(ctx); err != nil {
		return fmt.Errorf("make the streams: %w", err)
	}
	s.serve(Bus, func() error { return server.Serve(s.BusNet) })
	return nil
}

// connectStream names the server in the settings. It knows no users, whatever the environment says.
func (s *Stack) connectStream(url string) {
	for _, name := range []string{"NATS_CREDS", "NATS_NKEY", "NATS_CA", "NATS_CERT", "NATS_KEY"} {
		s.Settings[name] = ""
	}
	s.Settings["NATS_URL"] = url
}

// streamFolder is the server's: it has no streams in memory only.
func (s *Stack) streamFolder() (string, error) {
	if dir := s.folder("nats"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "relaybox-nats-")
	s.closer = append(s.closer, func() error { return os.RemoveAll(dir) })
	return dir, err
}

// makeStreams makes what the settings name, or leaves it as it is.
func (s *Stack) makeStreams(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, streamStart)
	defer cancel()
	conn, err := nats.Connect("", nats.InProcessServer(s.NATS))
	if err != nil {
		return err
	}
	defer conn.Close()
	view, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	name, subject := s.Settings["EVENTS_STREAM"], s.Settings["EVENTS_SUBJECT"]
	stream, err := view.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subject + ".>"}, Discard: jetstream.DiscardNew, Duplicates: duplicateWindow, MaxAge: timeToLive,
	})
	if err != nil {
		return err
	}
	for _, durable := range Durables(s.Settings) {
		if err := s.makeDurable(ctx, view, stream, durable); err != nil {
			return fmt.Errorf("consumer %s: %w", durable, err)
		}
	}
	return nil
}

func (s *Stack) makeDurable(ctx context.Context, view jetstream.JetStream, stream jetstream.Stream, durable string) error {
	wait := s.cfg.StreamWait
	if wait <= 0 {
		wait = streamWait
	}
	_, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait, MaxDeliver: -1, MaxAckPending: maxPending, FilterSubject: s.Settings["EVENTS_SUBJECT"] + ".>",
	})
	_, lettersErr := view.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: LettersStream(s.Settings["EVENTS_STREAM"], durable), Subjects: []string{s.Settings["EVENTS_DEAD_LETTERS"] + "." + durable + ".>"}, Discard: jetstream.DiscardNew,
	})
	return errors.Join(err, lettersErr)
}
