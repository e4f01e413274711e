package account

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// An offer is the throughput of a container or of a database that its containers share. In a serverless account there is
// none. Offers are stored and changed; they bind only under a Budget.

// Offer is a throughput as a client sees it. It is immutable.
type Offer struct {
	owner      uint32    // number of the container or database
	ID         string    // as a client addresses it
	Properties sql.Value // as a client sees them
}

// The service's limits of a throughput in request units a second.
const (
	MinThroughput   = 400
	stepThroughput  = 100
	minAutoscale    = 1000
	stepAutoscale   = 1000
	maxThroughput   = 1_000_000
	throughputField = "offerThroughput"
	autoscaleField  = "offerAutopilotSettings"
	idleShare       = 0.1 // of the maximum
)

// usualThroughput is that of a container which is created without one and whose database has none.
var usualThroughput = sql.ObjectOf([]string{throughputField}, []sql.Value{sql.NumberOf(MinThroughput)})

// units is what the offer grants: with autoscale, its maximum.
func (o *Offer) units() int {
	content := o.Properties.Get("content")
	if n, ok := content.Get(autoscaleField).Get("maxThroughput").Number(); ok {
		return int(n)
	}
	n, _ := content.Get(throughputField).Number()
	return int(n)
}

// ReadThroughput reads the throughput of a creation, manual or autoscale as their headers say it; undefined if both are "".
func ReadThroughput(manual, autoscale string) (sql.Value, *refusal.Error) {
	switch {
	case manual == "" && autoscale == "":
		return sql.Value{}, nil
	case manual != "" && autoscale != "":
		return sql.Value{}, refusal.BadRequest("The headers x-ms-offer-throughput and x-ms-cosmos-offer-autopilot-settings exclude each other.")
	case manual != "":
		n, err := strconv.Atoi(manual)
		if err != nil {
			return sql.Value{}, refusal.BadRequest("The header x-ms-offer-throughput %q is not a number.", manual)
		}
		return checkThroughput(sql.ObjectOf([]string{throughputField}, []sql.Value{sql.NumberOf(float64(n))}))
	}
	settings, err := sql.ParseJSON([]byte(autoscale))
	if err != nil {
		return sql.Value{}, refusal.BadRequest("The header x-ms-cosmos-offer-autopilot-settings is not valid JSON: %v.", err)
	}
	return checkThroughput(sql.ObjectOf([]string{autoscaleField}, []sql.Value{settings}))
}

// checkThroughput refuses a content that the service does not sell.
func checkThroughput(content sql.Value) (sql.Value, *refusal.Error) {
	name, least, step := throughputField, MinThroughput, stepThroughput
	v := content.Get(throughputField)
	if settings := content.Get(autoscaleField); settings.Kind() == sql.Object {
		name, least, step, v = "maxThroughput", minAutoscale, stepAutoscale, settings.Get("maxThroughput")
	}
	n, ok := v.Number()
	if !ok || n != float64(int(n)) || int(n) < least || int(n) > maxThroughput || int(n)%step != 0 {
		return content, refusal.BadRequest("The throughput %s is %s: it is a number from %d to %d in steps of %d.", name, v, least, maxThroughput, step)
	}
	if name != throughputField { // what is always there under autoscale
		content = content.With(throughputField, sql.NumberOf(n*idleShare))
	}
	return content, nil
}

// newOffer builds the offer of a database or container; nil for no content.
func (a *Account) newOffer(owner uint32, rid, self string, content sql.Value) *Offer {
	if !content.IsDefined() {
		return nil
	}
	id := fmt.Sprintf("o%08x", owner)
	properties := sql.ObjectOf([]string{"offerVersion", "offerType", "content", "resource", "offerResourceId", "id"},
		[]sql.Value{sql.StringOf("V2"), sql.StringOf("Invalid"), content, sql.StringOf(self), sql.StringOf(rid), sql.StringOf(id)})
	return &Offer{owner: owner, ID: id, Properties: a.stamp(properties, id, "offers/"+id+"/")}
}

// put stages an offer, which may be nil.
func (o *Offer) put(b *pebble.Batch) error {
	if o == nil {
		return nil
	}
	return b.Set(numberedKey(0, kindOffer, o.owner), o.Properties.AppendJSON(nil), nil)
}

// loadOffers reads the offers when the store is opened.
func (k *catalog) loadOffers(v *store.View, places map[uint32]*atomic.Pointer[Offer]) error {
	return v.Scan(document.Key(0, kindOffer), nil, func(stored, value []byte) (bool, error) {
		properties, err := sql.ParseJSON(value)
		owner := binary.BigEndian.Uint32(stored[5:])
		if place := places[owner]; place != nil {
			id, _ := properties.Get("id").Str()
			place.Store(&Offer{owner: owner, ID: id, Properties: properties})
		}
		return true, err
	})
}

// offerPlaces are where offers may be; the caller holds catalog.mu.
func (k *catalog) offerPlaces() []*atomic.Pointer[Offer] {
	var all []*atomic.Pointer[Offer]
	for _, db := range k.databases {
		all = append(all, &db.offer)
		for _, c := range db.containers {
			all = append(all, &c.offer)
		}
	}
	return slices.DeleteFunc(all, func(p *atomic.Pointer[Offer]) bool { return p.Load() == nil })
}

// Offers returns the throughputs of databases and containers in order of id.
func (k *catalog) Offers() []*Offer {
	k.mu.RLock()
	defer k.mu.RUnlock()
	places := k.offerPlaces()
	list := make([]*Offer, len(places))
	for i, p := range places {
		list[i] = p.Load()
	}
	slices.SortFunc(list, func(a, b *Offer) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// ReplaceOffer changes a throughput. Its kind stays: the service migrates between manual and autoscale elsewhere.
func (a *Account) ReplaceOffer(id string, sent sql.Value, ifMatch string) (*Offer, *refusal.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	places := a.offerPlaces()
	i := slices.IndexFunc(places, func(p *atomic.Pointer[Offer]) bool { return p.Load().ID == id })
	if i < 0 {
		return nil, refusal.NotFound
	}
	place, old := places[i], places[i].Load()
	content, bad := checkThroughput(sent.Get("content"))
	switch {
	case bad != nil:
		return nil, bad
	case !matches(ifMatch, old.Properties):
		return nil, refusal.Precondition
	case content.Get(autoscaleField).IsDefined() != old.Properties.Get("content").Get(autoscaleField).IsDefined():
		return nil, refusal.BadRequest("A throughput stays manual or autoscale: this one is %s.", old.Properties.Get("content"))
	}
	next := &Offer{owner: old.owner, ID: old.ID, Properties: a.stamp(old.Properties.With("content", content), old.ID, "offers/"+old.ID+"/")}
	if err := a.store.Commit(next.put, func() { place.Store(next) }); err != nil {
		return nil, refusal.Of(err)
	}
	return next, nil
}
