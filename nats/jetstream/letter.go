package jetstream

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter, beside those of the message.
const (
	// HeaderReason is a word for why the message was refused, HeaderDetail the fault.
	HeaderReason = "Relaybox-Reason"
	HeaderDetail = "Relaybox-Detail"
	// HeaderID is the message's own Nats-Msg-Id. A letter has another one: a message that was sent
	// again, and is refused again, is another letter.
	HeaderID = "Relaybox-Msg-Id"
	// HeaderSubject and HeaderSequence are where the message stood.
	HeaderSubject  = "Relaybox-Subject"
	HeaderSequence = "Relaybox-Sequence"
	// HeaderDeliveries is how often it was delivered.
	HeaderDeliveries = "Relaybox-Deliveries"
)

// maxDetail bounds HeaderDetail, in bytes.
const maxDetail = 512

// LetterSubject is where the dead letters of a durable consumer go, of messages under subject.
func LetterSubject(letters, durable, subject string) string {
	return letters + "." + durable + "." + subject
}

// bury stores the message as a dead letter, and ends it only then. While no stream takes it, the
// message comes again.
func (w *Consumer) bury(ctx context.Context, l *line, raw js.Msg, m Message, why *Refused) error {
	letter := w.letter(raw, m, why)
	log := w.client.opts.Logger.With("subject", m.Subject, "message", m.ID, "letter", letter.Subject)
	ctx, cancel := context.WithTimeout(ctx, w.client.opts.SendTimeout)
	defer cancel()
	ctx, done := w.client.waits.under(ctx, letter.Subject)
	defer done()
	if _, err := l.js.PublishMsg(ctx, letter); err != nil {
		err = errors.Join(err, context.Cause(ctx))
		log.Error("a refused message cannot be stored as a dead letter, and comes again: let a stream take its subject", "signal", "dead-letter-away", "error", err)
		return raw.NakWithDelay(passingPause.Ceiling(m.Delivery))
	}
	w.refused.forget(m.Sequence)
	log.Error("a message is a dead letter", "signal", "dead-letter", "reason", why.Reason, "deliveries", m.Delivery)
	return raw.Term()
}

// letter is m as it is stored with the dead letters. A second copy of it, for the same delivery
// further on, has the same id.
func (w *Consumer) letter(raw js.Msg, m Message, why *Refused) *nats.Msg {
	h := nats.Header{}
	maps.Copy(h, raw.Headers())
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") })
	sequence := strconv.FormatUint(m.Sequence, 10)
	h.Set(js.MsgIDHeader, w.stream+"/"+w.durable+"/"+sequence)
	h.Set(HeaderID, m.ID)
	h.Set(HeaderReason, why.Reason)
	h.Set(HeaderDetail, detail(why.Err))
	h.Set(HeaderSubject, m.Subject)
	h.Set(HeaderSequence, sequence)
	h.Set(HeaderDeliveries, strconv.Itoa(m.Delivery))
	return &nats.Msg{Subject: LetterSubject(w.opts.Letters, w.durable, m.Subject), Header: h, Data: raw.Data()}
}

// detail is a fault as a header can carry it.
func detail(err error) string {
	if err == nil {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, err.Error())
	return strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
}
