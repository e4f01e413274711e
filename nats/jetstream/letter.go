package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/outbox"
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
	// HeaderBody is BodyLeftOut where the message is too large for a letter with its body. That is in
	// the stream, at HeaderSequence, for as long as the stream keeps it.
	HeaderBody = "Relaybox-Body"
)

// BodyLeftOut is in HeaderBody of a letter that has neither the message's body nor its headers.
const BodyLeftOut = "left-out"

// ownHeaders begins the headers that a letter has of us.
const ownHeaders = "Relaybox-"

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
	if err := w.store(ctx, l, letter, log); err != nil {
		err = errors.Join(err, context.Cause(ctx))
		log.Error("a refused message cannot be stored as a dead letter, and comes again: let a stream take its subject", "signal", "dead-letter-away", "error", err)
		return raw.NakWithDelay(passingPause.Ceiling(m.Delivery))
	}
	w.refused.forget(m.Sequence)
	log.Error("a message is a dead letter", "signal", "dead-letter", "reason", why.Reason, "deliveries", m.Delivery)
	return raw.Term()
}

// store has a stream take the letter. One that is too large has no detail, or, if need be, no body: its
// headers make it larger than the message was.
func (w *Consumer) store(ctx context.Context, l *line, letter *nats.Msg, log *slog.Logger) error {
	_, err := l.js.PublishMsg(ctx, letter)
	if !tooLarge(ctx, err) {
		return err
	}
	detail := letter.Header.Get(HeaderDetail)
	letter.Header.Del(HeaderDetail)
	if _, err = l.js.PublishMsg(ctx, letter); err == nil {
		log.Warn("a dead letter is stored without its detail, with which it is too large", "detail", detail)
	}
	if !tooLarge(ctx, err) {
		return err
	}
	if kept := w.keeps(ctx, l); kept != nil {
		return errors.Join(err, kept)
	}
	cause := err
	maps.DeleteFunc(letter.Header, func(name string, _ []string) bool {
		return !strings.HasPrefix(name, ownHeaders) && name != js.MsgIDHeader
	})
	letter.Header.Set(HeaderDetail, detail)
	letter.Header.Set(HeaderBody, BodyLeftOut)
	letter.Data = nil
	if _, err = l.js.PublishMsg(ctx, letter); err == nil {
		log.Warn("a dead letter is stored without its body, with which it is too large: the body is in the stream of the message", "stream", w.stream, "sequence", letter.Header.Get(HeaderSequence), "error", cause)
	}
	return err
}

func tooLarge(ctx context.Context, err error) bool {
	return err != nil && unsent(ctx, err).class == outbox.TooLarge
}

// keeps is nil if the stream keeps a message that is ended.
func (w *Consumer) keeps(ctx context.Context, l *line) error {
	ctx, done := w.client.waits.under(ctx, streamInfo+w.stream)
	defer done()
	s, err := l.js.Stream(ctx, w.stream)
	switch {
	case err != nil:
		return errors.Join(err, context.Cause(ctx))
	case s.CachedInfo().Config.Retention != js.LimitsPolicy:
		return errors.New("the letter needs its body, because the stream deletes a message that is ended: raise max_payload of the server, or --max-msg-size of the stream of dead letters")
	}
	return nil
}

// letter is m as it is stored with the dead letters. A second copy of it, for the same delivery
// further on, has the same id.
func (w *Consumer) letter(raw js.Msg, m Message, why *Refused) *nats.Msg {
	h := nats.Header{}
	maps.Copy(h, raw.Headers())
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return strings.HasPrefix(name, "Nats-") || strings.HasPrefix(name, ownHeaders)
	})
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
