package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/outbox"
)

// pageReason is why, in the record of an act that gives no reason.
const pageReason = "from the page of relaybox up"

// Act implements page.Source.
func (p *pageSource) Act(ctx context.Context, a page.Act) (string, error) {
	if a.Reason == "" {
		a.Reason = pageReason
	}
	switch a.Verb {
	case page.SwitchFault:
		return p.switchFault(a)
	case page.ClearFaults:
		p.clearFaults()
		return "all faults are off", nil
	}
	p.acts.Lock()
	defer p.acts.Unlock()
	switch a.Verb {
	case page.Redrive, page.Skip:
		return p.mendEvents(ctx, a)
	case page.PauseSending, page.ResumeSending:
		return p.setPause(ctx, a)
	case page.RedriveLetters:
		return p.redriveLetters(ctx, a)
	}
	return "", fmt.Errorf("there is no verb %q", a.Verb)
}

// chosen is what an act is about, named or all.
func chosen(a page.Act, thing string) (choice, error) {
	switch {
	case a.All && len(a.Names) > 0, !a.All && len(a.Names) == 0:
		return choice{}, fmt.Errorf("which %ss? Name them, or say all", thing)
	case a.All && a.Verb == page.Skip:
		return choice{}, errors.New("skip takes names: what somebody has seen, and agreed to")
	}
	return choice{thing: thing, names: a.Names, all: a.All}, nil
}

// mendEvents does what relaybox events redrive and skip do.
func (p *pageSource) mendEvents(ctx context.Context, a page.Act) (string, error) {
	c, err := chosen(a, "event")
	if err != nil {
		return "", err
	}
	d, err := p.open(patience)
	if err != nil {
		return "", err
	}
	defer d.Close()
	m := eventMending{events: events{parked: true, choice: c}, mending: mending{verb: string(a.Verb)}}
	var text strings.Builder
	r := newEventResult(&text, false, m.verb, false)
	w := &eventWork{operator: outbox.NewOperator(d, d, person(), a.Reason), verb: m.verb, result: r, progress: &progress{out: io.Discard, last: time.Now()}}
	err = r.finish(m.eachMendable(ctx, d, r, func(page []outbox.Event) error { return w.do(ctx, page) }))
	return told(text.String(), err)
}

// told is what a verb has printed, as its result or, if something is left, as its error.
func told(text string, err error) (string, error) {
	text = strings.TrimSpace(text)
	if _, status := errors.AsType[exitStatus](err); status {
		return "", errors.New(text)
	}
	if err != nil && text != "" {
		err = fmt.Errorf("%s: %w", text, err)
	}
	return text, err
}

// setPause does what relaybox pause and resume do.
func (p *pageSource) setPause(ctx context.Context, a page.Act) (string, error) {
	d, err := p.open(patience)
	if err != nil {
		return "", err
	}
	defer d.Close()
	do, done, vain := (*outbox.Operator).Pause, "paused", "was paused before: that pause stands"
	if a.Verb == page.ResumeSending {
		do, done, vain = (*outbox.Operator).Resume, "resumed", "was not paused"
	}
	act, err := do(outbox.NewOperator(d, d, person(), a.Reason), ctx, outbox.Scope(a.Scope), a.Name)
	if err != nil {
		return "", err
	}
	if act.State == outbox.ActChanged {
		done = vain
	}
	return fmt.Sprintf("%s: %s", paused(*act.Halt), done), nil
}

// redriveLetters does what relaybox deadletters redrive does.
func (p *pageSource) redriveLetters(ctx context.Context, a page.Act) (string, error) {
	c, err := chosen(a, "dead letter")
	if err != nil {
		return "", err
	}
	m := letterMending{deadLetters: deadLetters{where: p.where, choice: c}, mending: mending{verb: "redrive", author: person(), reason: a.Reason}}
	letters, where, err := m.open(servicebus.DeadLetterOptions{Patience: actPatience})
	if err != nil {
		return "", err
	}
	defer hangUp(ctx, letters)
	plan, unknown, err := m.plan(ctx, letters)
	if err != nil {
		return "", err
	}
	r := &mended{Verb: m.verb, Unknown: unknown}
	for _, l := range plan.Behind {
		r.add(servicebus.Act{Letter: l, Outcome: behind})
	}
	path := where.Topic + "/Subscriptions/" + where.Subscription
	if len(plan.Letters) > 0 {
		err = m.carryOut(ctx, letters, plan, path, r, func() {}, p.out)
	}
	var text strings.Builder
	err = r.finish(&text, false, err)
	return told(text.String(), err)
}

// actPatience is how long an act waits for letters that somebody else has locked.
const actPatience = 30 * time.Second
