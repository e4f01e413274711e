package entity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/outbox"
)

// shelf is a kind of two versions, with lists and structs.
type shelf struct {
	Note  string  `json:"note,omitempty"`
	Books []book  `json:"books,omitempty"`
	Owner *person `json:"owner,omitempty"`
	Size  size    `json:"size,omitzero"`
}

type book struct {
	Title string `json:"title"`
}

type person struct {
	Name string `json:"name"`
}

type size struct {
	Width int `json:"width,omitempty"`
}

type shelf2 struct {
	Note  string           `json:"note,omitempty"`
	Books []map[string]any `json:"books,omitempty"`
	Size  map[string]any   `json:"size,omitempty"`
}

// steps is a view with a list.
type steps struct {
	Names []step `json:"names,omitempty"`
}

type step struct {
	Name string `json:"name"`
}

type steps2 struct {
	Names []map[string]any `json:"names,omitempty"`
}

func shelves(t *testing.T) (old, now *house) {
	t.Helper()
	old = build(t, map[string]resource{"shelves": entity.Kind[shelf, steps]{
		Name: "shelf",
		Apply: func(v steps, c entity.Change[shelf]) (steps, error) {
			v.Names = append(v.Names, step{c.Name})
			return v, nil
		},
	}})
	now = old.with(map[string]resource{"shelves": entity.Kind[shelf2, steps2]{
		Name: "shelf",
		Apply: func(v steps2, c entity.Change[shelf2]) (steps2, error) {
			v.Names = append(v.Names, map[string]any{"name": c.Name, "by": "now"})
			return v, nil
		},
	}})
	return old, now
}

func TestAnOldVersionKeepsWhatIsInListsAndStructs(t *testing.T) {
	t.Parallel()
	old, now := shelves(t)
	now.must(201, "PUT", "shelves/s", `{"books":[{"title":"A","colour":"red"},{"title":"B","colour":"blue"}],"size":{"depth":3}}`)
	for _, write := range []struct{ method, body, want string }{
		{"PATCH", `{"note":"x"}`, `{"note":"x","books":[{"title":"A","colour":"red"},{"title":"B","colour":"blue"}],"size":{"depth":3}}`},
		{"PATCH", `{"size":{"width":2}}`, `{"note":"x","books":[{"title":"A","colour":"red"},{"title":"B","colour":"blue"}],"size":{"width":2,"depth":3}}`},
		{"PATCH", `{"size":{"width":null}}`, `{"note":"x","books":[{"title":"A","colour":"red"},{"title":"B","colour":"blue"}],"size":{"depth":3}}`},
		{"PUT", `{"books":[{"title":"B"},{"title":"C"},{"title":"A"}]}`, `{"books":[{"title":"B","colour":"blue"},{"title":"C"},{"title":"A","colour":"red"}],"size":{"depth":3}}`},
		{"PATCH", `{"size":null}`, `{"books":[{"title":"B","colour":"blue"},{"title":"C"},{"title":"A","colour":"red"}]}`},
	} {
		old.must(200, write.method, "shelves/s", write.body)
		require.JSONEq(t, write.want, old.stored("shelf:s"), "%s %s", write.method, write.body)
	}
	before := len(old.types("shelf:s"))
	old.must(200, "PATCH", "shelves/s", `{"size":null}`)
	require.Len(t, old.types("shelf:s"), before, "nothing changes")
}

func TestAnOldVersionKeepsWhatIsInTheListsOfAView(t *testing.T) {
	t.Parallel()
	old, now := shelves(t)
	now.must(201, "PUT", "shelves/s", `{"note":"1"}`)
	now.consume("shelf:s")
	now.must(200, "PUT", "shelves/s", `{"note":"2"}`)
	require.JSONEq(t, `{"id":"s","state":{"note":"2"},"view":{"names":[{"name":"created","by":"now"},{"name":"updated"}]}}`, old.consume("shelf:s"))
}

// TestAcceptStartsAnewInEveryRound: what it filled in for a state that was stale is gone.
func TestAcceptStartsAnewInEveryRound(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"shelves": entity.Kind[shelf, entity.None]{
		Name: "shelf",
		Accept: func(old, next *shelf) error {
			if old != nil && next != nil && next.Owner.Name == "" {
				next.Owner.Name = old.Owner.Name // the owner stays unless the client names one
			}
			return nil
		},
	}})
	h.must(201, "PUT", "shelves/s", `{"owner":{"name":"ann"}}`)
	stale, err := h.store.Load(t.Context(), "shelf:s")
	require.NoError(t, err)
	h.must(200, "PUT", "shelves/s", `{"owner":{"name":"bob"}}`)

	rounds := 0
	h.before = func(cur *outbox.Entity) {
		if rounds++; rounds == 1 {
			*cur = stale
		}
	}
	h.with(h.served).must(200, "PUT", "shelves/s", `{"note":"x","owner":{"name":""}}`)
	require.Greater(t, rounds, 1)
	require.JSONEq(t, `{"note":"x","owner":{"name":"bob"}}`, h.stored("shelf:s"))
}

// TestAnActionThatWorksInPlace is told apart all the same.
func TestAnActionThatWorksInPlace(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"shelves": entity.Kind[shelf, entity.None]{
		Name:   "shelf",
		Events: map[string]any{"relabelled": nil},
		Actions: entity.Actions[shelf]{"relabel": entity.Do(func(s shelf, _ entity.None) (shelf, error) {
			s.Books[0].Title = "new"
			return s, nil
		})},
		Changes: func(old, next *shelf) []entity.Event {
			if old != nil && next != nil && old.Books[0] != next.Books[0] {
				return []entity.Event{{Name: "relabelled"}}
			}
			return nil
		},
	}})
	h.must(201, "PUT", "shelves/s", `{"books":[{"title":"old"}]}`)
	h.must(200, "POST", "shelves/s/relabel", "")
	require.Equal(t, []string{"relaybox.shelf.created", "relaybox.shelf.relabelled"}, h.types("shelf:s"))
}

func TestADeletionMayHaveEventsOfItsOwn(t *testing.T) {
	t.Parallel()
	k := entity.Kind[shelf, entity.None]{
		Name:   "shelf",
		Events: map[string]any{"withdrawn": nil},
		Changes: func(_, next *shelf) []entity.Event {
			if next == nil {
				return []entity.Event{{Name: "withdrawn"}, {Name: entity.Deleted}}
			}
			return nil
		},
	}
	h := build(t, map[string]resource{"shelves": k})
	h.must(201, "PUT", "shelves/s", `{"note":"secret"}`)
	h.must(204, "DELETE", "shelves/s", "")
	require.JSONEq(t, `{"id":"s","state":null}`, h.consume("shelf:s"))
	require.NotContains(t, string(h.store.Events("shelf:s")[1].Envelope), "secret")

	for _, name := range []string{entity.Created, entity.Updated, entity.Deleted} { // each at the wrong time
		k.Changes = func(_, next *shelf) []entity.Event {
			if (next == nil) == (name == entity.Deleted) {
				return nil
			}
			return []entity.Event{{Name: name}}
		}
		h := build(t, map[string]resource{"shelves": k})
		if name == entity.Deleted {
			h.must(500, "PUT", "shelves/s", `{}`)
			continue
		}
		h.must(201, "PUT", "shelves/s", `{}`)
		h.must(500, "DELETE", "shelves/s", "")
	}
}

// TestDocumentsOfStrangers are answered for what they are, in valid JSON or not at all.
func TestDocumentsOfStrangers(t *testing.T) {
	t.Parallel()
	for data, status := range map[string]int{`{ }`: 200, ` {"note":"x"} `: 200, `null`: 500, `"x"`: 500, `[]`: 500, ``: 500} {
		h := build(t, map[string]resource{"shelves": entity.Kind[shelf, entity.None]{Name: "shelf"}})
		_, err := h.store.Commit(t.Context(), outbox.Commit{Key: "shelf:s", Entity: outbox.Entity{
			Key: "shelf:s", Version: 1, LastSeq: 1, Incarnation: outbox.Incarnation{ID: "i"}, Data: []byte(data),
		}})
		require.NoError(t, err)
		for _, method := range []string{"GET", "PUT", "PATCH"} {
			body := map[string]string{"PUT": `{"note":"x"}`, "PATCH": `{}`}[method]
			w := h.do(method, "shelves/s", body)
			require.Equal(t, status, w.Code, "%s of %q: %s", method, data, w.Body)
			require.JSONEq(t, w.Body.String(), w.Body.String())
		}
	}
}

// TestAMemberInAnotherCaseIsAnotherMember, whatever encoding/json thinks.
func TestAMemberInAnotherCaseIsAnotherMember(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"shelves": entity.Kind[shelf, entity.None]{Name: "shelf"}})
	_, err := h.store.Commit(t.Context(), outbox.Commit{Key: "shelf:s", Entity: outbox.Entity{
		Key: "shelf:s", Version: 1, LastSeq: 1, Incarnation: outbox.Incarnation{ID: "i", First: 1}, Data: []byte(`{"note":"mine","NOTE":"other"}`),
	}})
	require.NoError(t, err)
	h.must(200, "PATCH", "shelves/s", `{"size":{"width":1}}`)
	require.JSONEq(t, `{"note":"mine","NOTE":"other","size":{"width":1}}`, h.stored("shelf:s"))
}

// TestValidateIsAskedAfterAccept: a member that Accept fills in may be required.
func TestValidateIsAskedAfterAccept(t *testing.T) {
	t.Parallel()
	k := entity.Kind[shelf, entity.None]{
		Name: "shelf",
		Validate: func(s shelf, faults *entity.Faults) {
			if s.Note == "" {
				faults.Add("note", "is required")
			}
		},
	}
	h := build(t, map[string]resource{"shelves": k})
	h.must(422, "PUT", "shelves/s", `{}`)
	k.Accept = func(_, next *shelf) error {
		if next != nil && next.Size.Width == 0 {
			next.Note = "filled in"
		}
		return nil
	}
	h = build(t, map[string]resource{"shelves": k})
	h.must(201, "PUT", "shelves/s", `{}`)
	h.must(422, "PUT", "shelves/s", `{"size":{"width":1}}`)
	h.must(422, "PATCH", "shelves/s", `{"note":null,"size":{"width":1}}`)
	h.must(200, "PATCH", "shelves/s", `{"note":null,"size":{"width":0}}`)
	_, err := k.Decode([]byte(`{}`))
	require.ErrorContains(t, err, "note is required")
}
