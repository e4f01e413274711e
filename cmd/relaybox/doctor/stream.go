package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/nats/jetstream"
)

// leastAckWait: below, a short stall of an instance has its messages delivered again.
const leastAckWait = 5 * time.Second

// StreamNeeds is what the settings say about the stream and its durable consumer.
type StreamNeeds struct {
	Stream, Subject   string        // EVENTS_STREAM, EVENTS_SUBJECT
	Consumer, Letters string        // EVENTS_CONSUMER, EVENTS_DEAD_LETTERS
	SweepBudget       time.Duration // RELAYBOX_SWEEP_BUDGET
	EarlyWait         time.Duration // RELAYBOX_EARLY_WAIT
	InFlight          int           // twice RELAYBOX_INBOX_WAITING
	MaxEvent          int           // RELAYBOX_MAX_EVENT_BYTES
	MaxPayload        int64         // of the server
	Local             bool          // the server is on this machine
	Further           bool          // the consumer is one that need not hear of every event
}

func (n StreamNeeds) edit(flags string) string { return "nats stream edit " + n.Stream + " " + flags }

func (n StreamNeeds) editConsumer(flags string) string {
	return fmt.Sprintf("nats consumer edit %s %s %s", n.Stream, n.Consumer, flags)
}

// add makes the stream of events.
func (n StreamNeeds) add() string {
	return fmt.Sprintf("nats stream add %s --subjects '%s.>' --storage file --replicas 3 --retention limits --discard new --dupe-window 10m --max-age 14d --defaults", n.Stream, n.Subject)
}

func (n StreamNeeds) addConsumer() string {
	return fmt.Sprintf("nats consumer add %s %s --pull --deliver all --ack explicit --wait 1m --max-deliver=-1 --max-pending 1000 --filter '%s.>' --replay instant --defaults", n.Stream, n.Consumer, n.Subject)
}

func (n StreamNeeds) addLetters() string {
	return fmt.Sprintf("nats stream add %s_DEAD_%s --subjects '%s' --storage file --replicas 3 --retention limits --discard new --defaults", n.Stream, n.Consumer, n.letters())
}

func (n StreamNeeds) letters() string { return jetstream.LetterSubject(n.Letters, n.Consumer, ">") }

// CheckStream holds a stream against what the dispatcher needs.
func CheckStream(s js.StreamConfig, n StreamNeeds) []Finding {
	list := []Finding{
		unless(covers(s.Subjects, n.Subject+".*.*"), strings.Join(s.Subjects, ", "), finding(Refused, "subjects",
			fmt.Sprintf("%s: nothing takes %s.>", strings.Join(s.Subjects, ", "), n.Subject), n.edit("--subjects '"+n.Subject+".>'"))),
		checkWindow(s.Duplicates, n),
		checkRetention(s.Retention, n),
		checkFull("when it is full", Refused, s, n.edit("--discard new")),
		unless(s.Storage == js.FileStorage, "in files", finding(Refused, "storage", "in memory: a restart of the server loses events that were acknowledged", "make the stream anew: "+n.add())),
		unless(s.Replicas > 1 || n.Local, fmt.Sprintf("%d", s.Replicas), finding(Warning, "replicas", "1: what that server's disk loses is lost", n.edit("--replicas 3"))),
		unless(s.MaxAge == 0 || s.MaxAge >= minTimeToLive, age(s.MaxAge), finding(Warning, "time to live", span(s.MaxAge)+": an event is gone if no consumer takes it in that time", n.edit("--max-age 14d"))),
		checkMessageSize(s.MaxMsgSize, n),
	}
	if s.NoAck {
		list = append(list, finding(Refused, "acknowledgements", "off: no event counts as sent", "make the stream anew: "+n.add()))
	}
	if n.Consumer != "" && covers(s.Subjects, n.Letters+"."+n.Consumer+"."+n.Subject+".*.*") {
		list = append(list, finding(Refused, "dead letters", "the stream takes its own: they would be consumed as events", n.edit("--subjects '"+n.Subject+".>'")))
	}
	return list
}

func checkWindow(window time.Duration, n StreamNeeds) Finding {
	least := max(minWindow, n.SweepBudget+pauseCap)
	return unless(window >= least, "window "+span(window), finding(Refused, "duplicate detection",
		"window "+span(window)+": shorter than a dispatcher may pause between two tries", n.edit("--dupe-window 10m")+", at least "+span(least)))
}

func checkRetention(r js.RetentionPolicy, n StreamNeeds) Finding {
	const subject = "retention"
	switch r {
	case js.LimitsPolicy:
		return ok(subject, "limits")
	case js.InterestPolicy:
		return finding(Refused, subject, "interest: an event that comes while no consumer is there is dropped", n.edit("--retention limits"))
	}
	return finding(Warning, subject, "work queue: one consumer only, and an event that was taken cannot be read again", "make the stream anew: "+n.add())
}

// checkFull: a stream that drops its oldest messages drops what no consumer has seen, in silence.
func checkFull(subject string, status Status, s js.StreamConfig, remedy string) Finding {
	limited := s.MaxMsgs > 0 || s.MaxBytes > 0
	switch {
	case limited && s.Discard == js.DiscardOld:
		return finding(status, subject, "it drops the oldest messages, seen or not", remedy)
	case s.MaxMsgsPerSubject > 0 && !s.DiscardNewPerSubject:
		return finding(status, subject, fmt.Sprintf("it keeps %d messages of a subject and drops older ones, seen or not", s.MaxMsgsPerSubject), strings.Split(remedy, " --")[0]+" --max-msgs-per-subject=-1")
	case !limited && s.Discard == js.DiscardOld:
		return ok(subject, "it has no limit of its own")
	}
	return ok(subject, "it refuses new messages, which wait")
}

func age(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return span(d)
}

// checkMessageSize: a message carries its headers, too.
func checkMessageSize(ofStream int32, n StreamNeeds) Finding {
	const headers = 8 << 10
	limit := n.MaxPayload
	if ofStream > 0 {
		limit = min(limit, int64(ofStream))
	}
	return unless(int64(n.MaxEvent)+headers <= limit, fmt.Sprintf("up to %d bytes; server and stream take %d", n.MaxEvent, limit), finding(Refused, "event size",
		fmt.Sprintf("up to %d bytes, and server or stream takes messages of %d with their headers: such an event is parked", n.MaxEvent, limit),
		fmt.Sprintf("set RELAYBOX_MAX_EVENT_BYTES to at most %d, or raise max_payload of the server and --max-msg-size of the stream", max(0, limit-headers))))
}

// CheckDurable holds a durable consumer against what the app needs of it.
func CheckDurable(c js.ConsumerConfig, n StreamNeeds) []Finding {
	anew := fmt.Sprintf("nats consumer rm -f %s %s; %s", n.Stream, n.Consumer, n.addConsumer())
	filters := c.FilterSubjects
	if c.FilterSubject != "" {
		filters = append(filters, c.FilterSubject)
	}
	list := []Finding{
		unless(c.DeliverSubject == "", "asked for by instances", finding(Refused, "messages", "pushed to "+c.DeliverSubject+": the app asks for them, and gets none", anew)),
		unless(c.AckPolicy == js.AckExplicitPolicy, "explicit", finding(Refused, "acknowledgements", c.AckPolicy.String()+": an event counts as taken before it had its effect", anew)),
		unless(c.MaxDeliver <= 0, "without a limit; the app counts", finding(Refused, "max deliveries",
			fmt.Sprintf("%d: the server stops to deliver a message then, in silence, and nobody makes a dead letter of it", c.MaxDeliver), n.editConsumer("--max-deliver=-1"))),
		checkAckWait(c, n),
		unless(n.Further || len(filters) == 0 || covers(filters, n.Subject+".*.*"), "takes what it should", finding(Warning, "filter",
			strings.Join(filters, ", ")+": an event that it leaves out is a gap to the consumer", n.editConsumer("--filter '"+n.Subject+".>'"))),
		unless(c.MaxAckPending <= 0 || c.MaxAckPending >= n.InFlight, fmt.Sprintf("%d of all instances", c.MaxAckPending), finding(Warning, "in hand",
			fmt.Sprintf("%d of all instances, and each takes up to %d: refused messages that wait hold up the others", c.MaxAckPending, n.InFlight), n.editConsumer("--max-pending 1000"))),
	}
	if c.HeadersOnly {
		list = append(list, finding(Refused, "bodies", "left out: there is no event in a message", n.editConsumer("--no-headers-only")))
	}
	if c.InactiveThreshold > 0 {
		list = append(list, finding(Refused, "life", "ends after "+span(c.InactiveThreshold)+" without an instance, and with it the memory of what was taken", anew))
	}
	return list
}

func checkAckWait(c js.ConsumerConfig, n StreamNeeds) Finding {
	const subject = "wait for an acknowledgement"
	remedy := n.editConsumer("--wait 1m")
	switch {
	case len(c.BackOff) > 0:
		return finding(Warning, subject, "steps of a back-off, in place of one time: messages in hand for longer than a step come again", remedy+" --backoff none")
	case n.EarlyWait > 0 && c.AckWait >= n.EarlyWait:
		return finding(Refused, subject, fmt.Sprintf("%s, and events go on over a missing one after RELAYBOX_EARLY_WAIT, %s: one in the hand of an instance that has died would be skipped", span(c.AckWait), span(n.EarlyWait)), remedy)
	case c.AckWait < leastAckWait:
		return finding(Warning, subject, span(c.AckWait)+": a short stall of an instance has its messages delivered again", remedy)
	}
	return ok(subject, "%s", span(c.AckWait))
}

// CheckLetters holds the stream of a consumer's dead letters against what the app needs.
func CheckLetters(s js.StreamConfig, n StreamNeeds) []Finding {
	return []Finding{
		unless(slices.Equal(s.Subjects, []string{n.letters()}), s.Name+" takes "+n.letters(), finding(Warning, "dead letters",
			fmt.Sprintf("%s takes %s: health counts all that it holds", s.Name, strings.Join(s.Subjects, ", ")), "give them a stream of their own: "+n.addLetters())),
		checkFull("dead letters, full", Warning, s, "nats stream edit "+s.Name+" --discard new"),
	}
}

// covers says whether one of the patterns takes every subject of a form, in which * stands for any word.
func covers(patterns []string, form string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		words := strings.Split(form, ".")
		for i, p := range strings.Split(pattern, ".") {
			switch {
			case p == ">":
				return i < len(words)
			case i >= len(words), p != "*" && p != words[i]:
				return false
			}
		}
		return strings.Count(pattern, ".") == len(words)-1
	})
}
