package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// An index is built in steps, for documents that were there before its policy, or that a version before has written. A
// step holds all writers of the container up, so it is short; what is written meanwhile has its terms from the write on.
// Queries look at all documents until the last step is visible. A crash goes on after the last step.
const (
	stepDocuments = 500
	stepBytes     = 2 << 20
	stepRetry     = 5 * time.Second // after a failure: the disk may be full
)

// index gives the documents of a container their terms, until stop is closed. One runs at a time for a container.
func (a *Account) index(c *Container) {
	defer a.background.Done()
	for {
		done, err := a.indexStep(c)
		if done {
			return
		}
		wait := time.Duration(0)
		if err != nil {
			if wait = stepRetry; !full(err) {
				a.log.Error("index documents", "container", c.name, "error", err)
			}
		}
		select {
		case <-a.stop:
			return
		case <-time.After(wait):
		}
	}
}

// startIndex begins to build the index of a container. The caller holds the container's gate exclusively, or nobody
// uses the container yet.
func (a *Account) startIndex(c *Container) {
	if c.indexing {
		return
	}
	c.indexing = true
	a.background.Add(1)
	go a.index(c)
}

// indexStep is one step; done tells that there is no more to do.
func (a *Account) indexStep(c *Container) (done bool, err error) {
	defer survive(&err)
	c.gate.Lock()
	defer c.gate.Unlock()
	defer func() { c.indexing = !done }()
	if c.dropped {
		return true, nil
	}
	v, p := a.store.Acquire(), c.policy.Load()
	defer func() { err = errors.Join(err, v.Release()) }()
	s, found, err := document.LoadIndexState(v, c.Number)
	if err != nil || !found || s.At >= s.Goal {
		return err == nil, err
	}
	records, at, err := c.unindexed(v, s)
	if err != nil {
		return false, err
	}
	for _, r := range records {
		if err := errors.Join(p.Index(r), a.setForm(c, r, true)); err != nil {
			return false, err
		}
	}
	s.At = at
	err = a.store.Commit(func(b *pebble.Batch) error {
		err := s.Put(b, c.Number)
		for _, r := range records {
			at, bad := c.place(r)
			err = errors.Join(err, bad, document.ReplaceTerms(b, c.Number, r.Number, at, nil, r.Terms))
		}
		return err
	}, nil)
	return err == nil && s.At >= s.Goal, err
}

// survive, deferred, makes a panic of work in the background its error: the process is everybody's.
func survive(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// unindexed are the next documents that are to get terms, and the number up to which they all have them then.
func (c *Container) unindexed(v *store.View, s document.IndexState) (records []*document.Record, at uint64, err error) {
	at = s.Goal
	size := 0
	err = v.Scan(document.Key(c.Number, document.KindDocument), document.RecordKey(c.Number, s.At+1), func(k, stored []byte) (bool, error) {
		if document.LastNumber(k) > s.Goal {
			return false, nil
		}
		r, err := document.Decode(stored)
		if err != nil {
			return false, err
		}
		records = append(records, r)
		if size += len(stored); len(records) == stepDocuments || size >= stepBytes {
			at = r.Number
			return false, nil
		}
		return true, nil
	})
	return records, at, err
}

// place is where a stored document lies in the key space.
func (c *Container) place(r *document.Record) (document.Place, error) {
	pk, err := r.PartitionKey(&c.PK)
	return document.PlaceOf(c.PK.EPK(pk)), err
}

// setForm finds the form under which a document stands whose terms are known, and adds it if it is new.
func (a *Account) setForm(c *Container, r *document.Record, add bool) (err error) {
	if r.Terms == nil {
		return nil
	}
	var store func(uint64, []byte) error
	if add {
		store = a.addForm(c)
	}
	r.Terms.FormID, err = c.forms.id(r.Terms, store)
	return err
}

// storedTerms computes the terms that a document of the store stands under.
func (a *Account) storedTerms(c *Container, r *document.Record) error {
	if r.Terms != nil {
		return nil
	}
	return errors.Join(c.policy.Load().Index(r), a.setForm(c, r, false))
}

// reviewIndexes prepares the indexes of a store that was opened: one that is not of its container's policy is begun anew,
// as are all of them if foreign tells that a version which knows no terms has written meanwhile.
func (a *Account) reviewIndexes(v *store.View, foreign bool) error {
	for _, c := range a.allContainers() {
		s, found, err := document.LoadIndexState(v, c.Number)
		if err != nil {
			return err
		}
		p := c.policy.Load()
		if foreign || !found || !s.Of(p) {
			s = p.FreshIndex(c.lastNumber)
			err := a.store.Commit(func(b *pebble.Batch) error { return c.putFreshIndex(b, p, c.lastNumber) }, nil)
			if err != nil {
				return err
			}
		} else if err := c.forms.load(v, c.Number); err != nil {
			return err
		}
		if s.At < s.Goal {
			a.startIndex(c)
		}
	}
	return a.store.Commit(func(b *pebble.Batch) error {
		return b.Set(document.Key(0, kindIndexed), binary.BigEndian.AppendUint32(nil, a.epoch), nil)
	}, nil)
}

// putFreshIndex stages an index without terms for documents up to a number.
func (c *Container) putFreshIndex(b *pebble.Batch, p *document.Policy, goal uint64) error {
	return errors.Join(document.DropTerms(b, c.Number), p.FreshIndex(goal).Put(b, c.Number))
}
