package cosmos

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/outbox"
)

// placeAge is how long what the account said about a container is believed. Each new
// entity asks, and the service allows few reads of that sort. An answer that hints at
// another container ends it at once: see fault.elsewhere and outbox.Entity.Moved.
const placeAge = time.Minute

// place remembers which container stands under a name.
type place struct {
	mu    sync.Mutex
	known outbox.Place
	until time.Time // known holds before this
}

// doubt makes the next caller ask again.
func (p *place) doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
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

// whereabouts says which container this is.
func (k *container) whereabouts(ctx context.Context, what op) (outbox.Place, error) {
	if at, ok := k.place.get(); ok {
		return at, nil
	}
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
	k.place.set(at)
	return at, nil
}

// containerRID is the _rid of the container that a document with this _rid lies in: its
// first eight bytes, in the service's base64. "" for what is no _rid.
func containerRID(document string) string {
	id, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(document, "-", "/"))
	if err != nil || len(id) != 16 {
		return ""
	}
	return strings.ReplaceAll(base64.StdEncoding.EncodeToString(id[:8]), "/", "-")
}
