package entity_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

type lamp struct {
	Watts int  `json:"watts"`
	On    bool `json:"on"`
}

// A kind is a value, and its HTTP resource follows from it.
func Example() {
	kind := entity.Kind[lamp, entity.None]{
		Name: "lamp",
		Validate: func(l lamp, faults *entity.Faults) {
			if l.Watts < 1 {
				faults.Add("watts", "must be at least 1")
			}
		},
		Actions: entity.Actions[lamp]{"light": entity.Do(func(l lamp, _ entity.None) (lamp, error) {
			if l.On {
				return l, entity.Refuse("The lamp is on already.")
			}
			l.On = true
			return l, nil
		})},
	}
	kinds, err := entity.NewKinds(kind)
	if err != nil {
		fmt.Println(err)
		return
	}
	store := &outboxtest.MemStore{}
	lamps, err := kind.Resource(entity.Deps{Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/home"}), Reader: store, Kinds: kinds})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/lamps/{id}", lamps)
	mux.Handle("/lamps/{id}/{action}", lamps)

	for _, request := range []string{`PUT hall {"watts":0}`, `PUT hall {"watts":40}`, `POST hall/light `, `POST hall/light `, `POST hall/burn `} {
		part := strings.SplitN(request, " ", 3)
		r := httptest.NewRequest(part[0], "/lamps/"+part[1], strings.NewReader(part[2]))
		if part[2] != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(strings.TrimSpace(request), w.Code)
	}
	// Output:
	// PUT hall {"watts":0} 422
	// PUT hall {"watts":40} 201
	// POST hall/light 200
	// POST hall/light 409
	// POST hall/burn 404
}
