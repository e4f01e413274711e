package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/entity"
	ordersapp "github.com/relaybox/relaybox/examples/orders"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/profile"
)

// nickname is the member that the newer version of a profile has and the older one does not
// know, and renamed the event that follows when it is another one.
const (
	nickname = "nickname"
	renamed  = "nickname-changed"
)

// followers are events that follow the updated of the same write.
var followers = []string{profile.EmailChanged, renamed}

// newProfile is a profile as the newer version has it.
type newProfile struct {
	DisplayName string            `json:"displayName"`
	Email       string            `json:"email,omitempty"`
	Nickname    string            `json:"nickname,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

// older is what the older version knows of it.
func (p *newProfile) older() *profile.Profile {
	if p == nil {
		return nil
	}
	return &profile.Profile{DisplayName: p.DisplayName, Email: p.Email, Attributes: p.Attributes}
}

// newMove is the detail of an event that both versions know, with more in it.
type newMove struct {
	profile.Move
	Nickname string `json:"nickname,omitempty"`
}

// change is the detail of renamed.
type change struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// newView has a member that the older version does not know: how many events the newer one
// has applied.
type newView struct {
	Applied map[string]int64 `json:"applied"`
	ByNewer int64            `json:"byNewer,omitempty"`
}

var newProfiles = entity.Kind[newProfile, newView]{
	Name:     profile.Kind.Name,
	Validate: func(p newProfile, faults *entity.Faults) { profile.Kind.Validate(*p.older(), faults) },
	Events:   map[string]any{profile.EmailChanged: newMove{}, renamed: change{}},
	Changes: func(old, next *newProfile) []entity.Event {
		events := profile.Kind.Changes(old.older(), next.older())
		if old == nil || next == nil {
			return events
		}
		for n := range events {
			if move, ok := events[n].Detail.(profile.Move); ok {
				events[n].Detail = newMove{move, next.Nickname}
			}
		}
		if old.Nickname != next.Nickname {
			events = append(events, entity.Event{Name: renamed, Detail: change{old.Nickname, next.Nickname}})
		}
		return events
	},
	Apply: func(v newView, c entity.Change[newProfile]) (newView, error) {
		was, err := profile.Kind.Apply(profile.View{Applied: v.Applied}, entity.Change[profile.Profile]{Name: c.Name})
		return newView{Applied: was.Applied, ByNewer: v.ByNewer + 1}, err
	},
}

// newer is the version of the app that has it.
var newer = functions.Edition{
	Kinds: []entity.Definition{newProfiles, ordersapp.Kind},
	Functions: map[string]func(entity.Deps) (http.Handler, error){
		"WriteProfile": newProfiles.Writes,
		"ReadProfile":  newProfiles.Reads,
	},
}

// enrich gives a request about a profile what only the newer version takes.
func (c *client) enrich(r request) request {
	if !c.w.mixed || c.kind != &profiles || r.body == "" || c.random.IntN(2) == 0 {
		return r
	}
	value := fmt.Sprintf("%q", fmt.Sprint("nick-", c.random.IntN(4)))
	if r.method == http.MethodPatch && c.random.IntN(4) == 0 {
		value = "null"
	}
	r.body = fmt.Sprintf("%s,%q:%s}", strings.TrimSuffix(r.body, "}"), nickname, value)
	return r
}

// targetOf is an instance to send a request to; the older version refuses what it does not know.
func (c *client) targetOf(r request) *instance {
	to := c.anywhere()
	for strings.Contains(r.body, nickname) && !to.newer && c.random.IntN(8) > 0 {
		to = c.anywhere()
	}
	return to
}

// keeps are the members of an entity that an instance does not know.
func (i *instance) keeps(k *kind) []string {
	if !i.w.mixed || i.newer || k != &profiles {
		return nil
	}
	return []string{nickname}
}

// watchViews notes when a view has lost what the newer version wrote into it.
func (w *world) watchViews(ctx context.Context) {
	type seen struct {
		life  string
		count int64
	}
	last := map[string]seen{}
	for ctx.Err() == nil {
		for key, docs := range w.documents(views) {
			var model numbered
			var data struct{ View newView }
			_ = json.Unmarshal(docs["model"], &model)
			_ = json.Unmarshal(model.Data, &data)
			now := seen{model.Incarnation.ID, data.View.ByNewer}
			if was := last[key]; was.life == now.life && now.count < was.count {
				w.mu.Lock()
				w.forgotten = append(w.forgotten, fmt.Sprintf("%s: the newer version had applied %d events, now the view says %d", key, was.count, now.count))
				w.mu.Unlock()
			}
			last[key] = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follows says whether an event has the version of the one before it.
func (e event) follows() bool { return slices.Contains(followers, e.name()) }
