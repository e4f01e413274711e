package cosmos

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/outbox"
	"golang.org/x/sync/singleflight"
)

// placeAge is how long it is believed which container stands under a name. Each new entity
// asks, and the service allows few reads of that sort; but every document that is read says
// where it lies, and renews or ends the belief: see seen. A container that was made anew
// between two such signs, under a process that goes on, costs the effects of the entities
// that are first written in between, until they are written again.
const placeAge = 5 * time.Second

// place remembers which container stands under a name.
type place struct {
	flight singleflight.Group // of those who ask the account

	mu    sync.Mutex
	known outbox.Place
	until time.Time // known holds before this
	// home is the container that the session tokens are of: the last one that anything was
	// heard of. "" before that. left is the one before it, which does not come back.
	home, left string
}

// moved notes that rid was heard of. here: it is no container that was left; other: it is
// another one than before.
func (p *place) moved(rid string) (here, other bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rid == p.left {
		return false, false
	}
	if rid == p.home {
		return true, false
	}
	other = p.home != ""
	if other {
		p.until = time.Time{}
	}
	p.home, p.left = rid, p.home
	return true, other
}

// doubt makes the next caller ask again.
func (p *place) doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
}

// seen hears where a document lies, "" for nowhere.
func (p *place) seen(rid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case rid == "":
	case rid != p.known.ID:
		p.until = time.Time{}
	default:
		p.until = time.Now().Add(placeAge)
	}
}

func (p *place) get() (outbox.Place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known, time.Now().Before(p.until)
}

func (p *place) set(at outbox.Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.until = at, time.Now().Add(placeAge)
}

// whereabouts says which container this is. All callers share one question to the account.
func (k *container) whereabouts(ctx context.Context, what op) (outbox.Place, error) {
	if at, ok := k.place.get(); ok {
		return at, nil
	}
	select {
	case r := <-k.place.flight.DoChan("", func() (any, error) { return k.readPlace(context.WithoutCancel(ctx), what) }):
		if r.Err != nil {
			return outbox.Place{}, r.Err
		}
		return r.Val.(outbox.Place), nil
	case <-ctx.Done():
		return outbox.Place{}, &outbox.Error{Class: outbox.Timeout, Op: what.String(), Err: context.Cause(ctx)}
	}
}

// readPlace asks the account; do bounds it.
func (k *container) readPlace(ctx context.Context, what op) (outbox.Place, error) {
	var at outbox.Place
	err := k.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.Read(ctx, nil)
		if err != nil {
			return err
		}
		if p := r.ContainerProperties; p != nil {
			at = outbox.Place{ID: p.ResourceID, Since: p.LastModified.UTC()}
		}
		return nil
	})
	if err != nil {
		return outbox.Place{}, err
	}
	k.heard(at.ID)
	k.place.set(at)
	return at, nil
}

// heard notes which container has answered, "" if the answer does not say, and says whether
// that is still the one. The session tokens of one that is gone are of no use in another: its
// replicas would be behind them for ever. So each answer that brings a token should say so: of tokens
// that were kept before anything was heard of nobody could tell whose they are.
func (k *container) heard(rid string) bool {
	if rid == "" {
		return true
	}
	here, other := k.place.moved(rid)
	if other {
		k.tokens.drop()
	}
	return here
}

// behind is called when a replica has not got as far as the session tokens. It lags, and
// will have; only a container that was made anew never will, so after a few tries in a row
// the account is asked.
func (k *container) behind(ctx context.Context, try int) {
	if try == patience {
		k.place.doubt()
		_, _ = k.whereabouts(ctx, op{"read the container of", k.name}) // which it hears of
	}
}

// patience is how many tries a replica is given to catch up.
const patience = 3

// containerRID is the _rid of the container that a document with this _rid lies in: its
// first eight bytes, in the service's base64. "" for what is no _rid.
func containerRID(document string) string {
	id, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(document, "-", "/"))
	if err != nil || len(id) != 16 {
		return ""
	}
	return strings.ReplaceAll(base64.StdEncoding.EncodeToString(id[:8]), "/", "-")
}
