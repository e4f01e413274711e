package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// write is one unit of the workload: what a client wants, and how it asks for it.
type write struct {
	number int
	key    string
	want   intent
	// instead is the PUT that the client sends when there is nothing to patch or delete.
	instead intent
	// conditional: read first, then send with If-Match, or If-None-Match: * when
	// there is nothing; on 412 read again.
	conditional bool
	// idempotencyKey is sent with every attempt when it is not empty; twin sends the
	// first attempt twice at the same time.
	idempotencyKey string
	twin           bool
}

// Shares of the workload, in percent of the writes.
const (
	percentPatch       = 25
	percentRemove      = 8
	percentKeep        = 3
	percentConditional = 20
	percentTwin        = 5
	percentKeyed       = 15
	percentUnicode     = 30
	percentHuge        = 1
)

var (
	names   = []string{"Ada", "Grace", "Edsger", "Barbara", "Ken", "Radia", "Donald", "Frances"}
	scripts = []string{"Łukasz Żółć", "Ærøskøbing", "山田 太郎", "محمد العربي", "Zoë 👩‍💻 Ωmega", "नमस्ते", "\u202bעברית\u202c", "e\u0301\u0308 combining"}
	locales = []string{"en", "pt-BR", "pl-PL", "ja", "ar-EG", ""}
)

// plan draws count writes over keys profiles. The same rng gives the same workload.
func plan(rng *rand.Rand, count, keys int) []write {
	writes := make([]write, count)
	for n := range writes {
		writes[n] = draw(rng, n, fmt.Sprintf("demo-%03d", rng.IntN(keys)))
	}
	return writes
}

func draw(rng *rand.Rand, n int, key string) write {
	w := write{number: n, key: key}
	w.want = newPut(rng, fmt.Sprintf("w%05d", n))
	switch p := rng.IntN(100); {
	case p < percentPatch:
		w.want = newPatch(rng, fmt.Sprintf("w%05d", n))
	case p < percentPatch+percentRemove:
		w.want = intent{mark: fmt.Sprintf("w%05d", n), verb: remove}
	case p < percentPatch+percentRemove+percentKeep:
		w.want = intent{mark: fmt.Sprintf("w%05d", n), verb: keep}
		w.conditional = true
	}
	w.instead = newPut(rng, fmt.Sprintf("w%05d-instead", n))
	if w.want.verb == keep {
		return w
	}
	switch p := rng.IntN(100); {
	case p < percentConditional:
		w.conditional = true
	case p < percentConditional+percentTwin:
		w.twin = true
		w.idempotencyKey = fmt.Sprintf("twin-%05d", n)
	case p < percentConditional+percentTwin+percentKeyed:
		w.idempotencyKey = fmt.Sprintf("key-%05d", n)
	}
	return w
}

func newPut(rng *rand.Rand, mark string) intent {
	who := names[rng.IntN(len(names))]
	if chance(rng, percentUnicode) {
		who = scripts[rng.IntN(len(scripts))]
	}
	p := person{
		DisplayName: mark + " " + who,
		Email:       address(rng),
		Bio:         "Likes " + who + " & <b>angle brackets</b>.\nWrote \"quotes\" in " + mark,
		Locale:      locales[rng.IntN(len(locales))],
		Attributes:  map[string]string{"team": names[rng.IntN(len(names))], "mark": mark},
	}
	if chance(rng, percentHuge) {
		p.Bio = strings.Repeat("b", 60_000)
		for i := range 40 {
			p.Attributes[fmt.Sprintf("filler-%02d", i)] = strings.Repeat("x", 4_000)
		}
	}
	return intent{mark: mark, verb: put, body: encode(p)}
}

// newPatch changes the name, often the address, and adds or removes an attribute.
func newPatch(rng *rand.Rand, mark string) intent {
	change := map[string]any{"displayName": mark + " " + scripts[rng.IntN(len(scripts))]}
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

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

func encode(v any) []byte {
	text, _ := json.Marshal(v) // text, numbers and maps of them always encode
	return text
}
