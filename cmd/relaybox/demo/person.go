package demo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
)

// profiles are made, changed and deleted in any order.
var profiles = &kind{
	name: "profile", path: "profiles", ids: 100,
	parse: parseAs[person], apply: applyToPerson, events: personEvents, view: personView,
	want: wantPerson, put: putPerson,
}

// person is a profile. Its display name begins with the mark of the intent that made it.
type person struct {
	DisplayName string            `json:"displayName"`
	Email       string            `json:"email,omitempty"`
	Bio         string            `json:"bio,omitempty"`
	Locale      string            `json:"locale,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

func (p person) equal(other state) bool {
	q, ok := other.(person)
	return ok && p.DisplayName == q.DisplayName && p.Email == q.Email && p.Bio == q.Bio &&
		p.Locale == q.Locale && maps.Equal(p.Attributes, q.Attributes)
}

func (p person) String() string { return fmt.Sprintf("profile %q", p.DisplayName) }

func applyToPerson(cur state, i *intent) (state, error) {
	switch i.verb {
	case remove:
		return nil, nil
	case patch:
		merged, err := merge(cur, i.body)
		if err != nil {
			return nil, err
		}
		return parseAs[person](merged)
	}
	return parseAs[person](i.body)
}

func personEvents(old, next state) []string {
	switch {
	case old == nil:
		return []string{"created"}
	case next == nil:
		return []string{"deleted"}
	case old.(person).Email != next.(person).Email:
		return []string{"updated", "email-changed"}
	}
	return []string{"updated"}
}

// personView counts the events by name.
func personView(events []expected) any {
	applied := map[string]int64{}
	for _, e := range events {
		applied[e.name]++
	}
	return map[string]any{"applied": applied}
}

// Shares of the requests for profiles, in percent; the rest are PUTs.
const (
	percentPatch   = 25
	percentRemove  = 8
	percentKeep    = 3
	percentUnicode = 30
	percentHuge    = 1
)

var (
	names   = []string{"Ada", "Grace", "Edsger", "Barbara", "Ken", "Radia", "Donald", "Frances"}
	scripts = []string{"Łukasz Żółć", "Ærøskøbing", "山田 太郎", "محمد العربي", "Zoë 👩‍💻 Ωmega", "नमस्ते", "\u202bעברית\u202c", "e\u0301\u0308 combining"}
	locales = []string{"en", "pt-BR", "pl-PL", "ja", "ar-EG", ""}
)

func wantPerson(rng *rand.Rand, mark string) intent {
	switch p := rng.IntN(100); {
	case p < percentPatch:
		return patchPerson(rng, mark)
	case p < percentPatch+percentRemove:
		return intent{mark: mark, verb: remove}
	case p < percentPatch+percentRemove+percentKeep:
		return intent{mark: mark, verb: keep}
	}
	return putPerson(rng, mark)
}

func putPerson(rng *rand.Rand, mark string) intent {
	who := pick(rng, names)
	if chance(rng, percentUnicode) {
		who = pick(rng, scripts)
	}
	p := person{
		DisplayName: mark + " " + who,
		Email:       address(rng),
		Bio:         "Likes " + who + " & <b>angle brackets</b>.\nWrote \"quotes\" in " + mark,
		Locale:      pick(rng, locales),
		Attributes:  map[string]string{"team": pick(rng, names), "mark": mark},
	}
	if chance(rng, percentHuge) {
		p.Bio = strings.Repeat("b", 60_000)
		for i := range 40 {
			p.Attributes[fmt.Sprintf("filler-%02d", i)] = strings.Repeat("x", 4_000)
		}
	}
	return intent{mark: mark, verb: put, body: encode(p)}
}

// patchPerson changes the name, often the address, and adds or removes an attribute.
func patchPerson(rng *rand.Rand, mark string) intent {
	change := map[string]any{"displayName": mark + " " + pick(rng, scripts)}
	if chance(rng, 40) {
		change["email"] = address(rng)
	}
	if chance(rng, 20) {
		change["locale"] = nil
	}
	if chance(rng, 50) {
		change["attributes"] = map[string]any{"team": nil, "patched-by": mark}
	}
	return intent{mark: mark, verb: patch, body: encode(change)}
}

// address draws from few, so that many writes keep the one that is there.
func address(rng *rand.Rand) string {
	return fmt.Sprintf("person%d@example.com", rng.IntN(3))
}
