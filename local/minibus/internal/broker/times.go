package broker

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// times are what the administration interface tells about an entity's life, in Unix milliseconds; Broker.mu guards
// them. Creation and change survive a restart, the last access does not.
type times struct {
	created, updated int64
	accessed         int64  // by a sender or receiver; 0: not since the broker was opened
	properties       uint64 // a digest of what was configured when updated was noted
}

// date notes what is new, and what is configured otherwise than last time.
func (b *Broker) date(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.times.created == 0 {
		b.times = times{created: now, updated: now}
		b.storeTimes("", b.times)
	}
	for _, e := range b.entities {
		digest := e.Digest()
		if e.times.properties == digest {
			continue
		}
		if e.times.created == 0 {
			e.times.created = now
		}
		e.times.updated, e.times.properties = now, digest
		b.storeTimes(e.Key, e.times)
	}
}

func (b *Broker) storeTimes(path string, t times) {
	record := binary.AppendVarint(binary.AppendVarint(nil, t.created), t.updated)
	b.journal.Set(journal.Key(journal.KindTimes, path, 0), binary.AppendUvarint(record, t.properties))
}

// restoreTimes reads what storeTimes has written. An entity that is not configured any more keeps its record: it may
// come back.
func (b *Broker) restoreTimes(path string, record []byte) error {
	r := journal.NewReader(record)
	t := times{created: r.Number(), updated: r.Number(), properties: r.Unsigned()}
	if err := r.Fault(); err != nil {
		return err
	}
	if path == "" {
		b.times = t
	} else if e := b.entities[path]; e != nil {
		e.times = t
	}
	return nil
}
