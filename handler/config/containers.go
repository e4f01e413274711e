package config

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Containers are the two containers of a kind.
type Containers struct{ Outbox, Inbox string }

// OwnContainers are the containers of kinds that have their own, by kind.
func (c *Config) OwnContainers() map[string]Containers {
	own := map[string]Containers{}
	for kind, pair := range c.ownEntries() {
		if pair != nil {
			own[kind] = *pair
		}
	}
	return own
}

// ownEntries are the entries of COSMOS_KIND_CONTAINERS in order: a kind and its containers,
// or the text of an entry that cannot be read and nil.
func (c *Config) ownEntries() iter.Seq2[string, *Containers] {
	return func(yield func(string, *Containers) bool) {
		for entry := range strings.SplitSeq(c.Cosmos.Own, ",") {
			entry = strings.TrimSpace(entry)
			if entry == "" {
				continue
			}
			kind, pair, _ := strings.Cut(entry, "=")
			outbox, inbox, _ := strings.Cut(pair, "/")
			kind, own := strings.TrimSpace(kind), &Containers{strings.TrimSpace(outbox), strings.TrimSpace(inbox)}
			if kind == "" || own.Outbox == "" || own.Inbox == "" || strings.Contains(own.Inbox, "/") {
				kind, own = entry, nil
			}
			if !yield(kind, own) {
				return
			}
		}
	}
}

// shown is a text in quotes, unless it may be a connection string, with its key.
func shown(text string) string {
	if strings.Contains(text, ";") || strings.Contains(text, "://") {
		return "a text that may hold a key"
	}
	return strconv.Quote(text)
}

func (c *Config) ownFaults() []error {
	var faults []error
	seen := map[string]bool{}
	for kind, own := range c.ownEntries() {
		switch {
		case own == nil:
			faults = append(faults, fmt.Errorf("%s cannot be read", shown(kind)))
			continue
		case seen[kind]:
			faults = append(faults, fmt.Errorf("%s is there twice", kind))
		}
		seen[kind] = true
		for _, name := range []string{own.Outbox, own.Inbox} {
			if err := misnamed(name); err != nil {
				faults = append(faults, fmt.Errorf("the container %s of %s: %w", shown(name), kind, err))
			}
		}
	}
	return append(faults, c.mixed()...)
}

// mixed are the faults of containers that would be written and consumed in. That the two
// shared ones are one is a fault of their own settings.
func (c *Config) mixed() []error {
	writers, consumers := map[string][]string{}, map[string][]string{} // of a container
	add := func(who string, of Containers) {
		writers[of.Outbox] = append(writers[of.Outbox], who)
		consumers[of.Inbox] = append(consumers[of.Inbox], who)
	}
	own := c.OwnContainers()
	for _, kind := range slices.Sorted(maps.Keys(own)) {
		add(kind, own[kind])
	}
	if c.Cosmos.Outbox != c.Cosmos.Inbox {
		add("the kinds without their own", Containers{c.Cosmos.Outbox, c.Cosmos.Inbox})
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(writers)) {
		if consumers[name] != nil {
			faults = append(faults, fmt.Errorf("the container %q is the outbox of %s and the inbox of %s: the consumer owns a container of its own",
				name, strings.Join(writers[name], ", "), strings.Join(consumers[name], ", ")))
		}
	}
	return faults
}

// misnamed says why the store has no database or container of a name.
func misnamed(name string) error {
	if len(name) > 255 || strings.ContainsAny(name, `/\?#`) || strings.HasSuffix(name, " ") || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("a name has at most 255 bytes, none of / \\ ? #, no control character and no blank at its end")
	}
	return nil
}
