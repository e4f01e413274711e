package entity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// sign is what a consumer keeps of a door.
type sign struct {
	Text string `json:"text"`
}

// signs hears of doors what is named, or all.
func signs(events ...string) entity.Consumer {
	hears := entity.Hear(door(), func(_ sign, c entity.Change[Door]) (sign, error) {
		if c.State == nil {
			return sign{}, nil
		}
		if c.State.Name == "" {
			return sign{}, errors.New("a door without a name has no sign")
		}
		return sign{c.State.Name}, nil
	}, events...)
	return entity.Consumer{Name: "signs", Subscription: "SIGN_SUBSCRIPTION", Hears: []entity.Hearing{hears}, Policy: inbox.Newest}
}

// TestWhatAConsumerKeeps is its own model and nothing beside it; a replayed event has a name of
// its own, and is taken for what its state says.
func TestWhatAConsumerKeeps(t *testing.T) {
	t.Parallel()
	kinds, err := signs(entity.Created).Kinds()
	require.NoError(t, err)
	var model json.RawMessage
	for _, step := range []struct {
		changes map[string]any
		want    string
	}{
		{map[string]any{"data": map[string]any{"id": "d", "state": map[string]any{"name": "Front"}}}, `{"text":"Front"}`},
		{map[string]any{"type": "relaybox.door.snapshot", "sequence": "00000000000000000007", "data": map[string]any{"id": "d", "state": map[string]any{"name": "Back"}}}, `{"text":"Back"}`},
		{map[string]any{"type": "relaybox.door.deleted", "sequence": "00000000000000000008", "data": map[string]any{"id": "d", "state": nil}}, `{"text":""}`},
		{map[string]any{"type": "relaybox.door.created", "sequence": "00000000000000000009"}, `{"text":"Front"}`},
		{map[string]any{"type": "relaybox.door.snapshot", "sequence": "00000000000000000011", "data": map[string]any{"id": "d", "state": nil}}, `{"text":""}`},
	} {
		e, err := kinds.Event(event(t, step.changes), "")
		require.NoError(t, err)
		model, err = kinds.Apply(model, e)
		require.NoError(t, err)
		require.JSONEq(t, step.want, string(model))
	}
	e, err := kinds.Event(event(t, map[string]any{"data": map[string]any{"id": "d", "state": map[string]any{}}}), "")
	require.NoError(t, err)
	_, err = kinds.Apply(model, e)
	require.Equal(t, entity.NotApplicable, inbox.ReasonOf(err))
	model, err = kinds.Apply(json.RawMessage(`{"text":"x","newer":1}`), decoded(t, event(t, nil)))
	require.NoError(t, err)
	require.JSONEq(t, `{"text":"Front","newer":1}`, string(model), "what a newer version keeps stays")
}

func decoded(t *testing.T, body []byte) inbox.Event {
	t.Helper()
	e, err := inbox.Decode(body)
	require.NoError(t, err)
	return e
}

// TestTheRuleOfAConsumer lets through what it hears, and what is replayed for it.
func TestTheRuleOfAConsumer(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]entity.Consumer{
		"sys.Label IN ('relaybox.door.created', 'relaybox.door.deleted') OR replayfor = '%SIGN_SUBSCRIPTION%'": signs(entity.Created, entity.Deleted),
		"sys.Label LIKE 'relaybox.door.%' OR replayfor = '%SIGN_SUBSCRIPTION%'":                                signs(),
		"sys.Label IN ('relaybox.door.deleted') OR sys.Label LIKE 'relaybox.other.%' OR replayfor = '%SIGN_SUBSCRIPTION%'": {
			Subscription: "SIGN_SUBSCRIPTION", Hears: []entity.Hearing{signs(entity.Deleted).Hears[0], entity.Hear(other(), nothing)},
		},
	} {
		require.Equal(t, want, c.Rule())
	}
	c := signs(entity.Created)
	require.True(t, c.Wants("relaybox.door.created"))
	require.False(t, c.Wants("relaybox.door.deleted"))
	require.False(t, c.Wants("relaybox.other.created"))
	require.False(t, c.Wants(inbox.SkippedType))
	require.True(t, signs().Wants("relaybox.door.opened-by-a-newer-version"))
}

func other() entity.Kind[Door, entity.None] { return entity.Kind[Door, entity.None]{Name: "other"} }

func nothing(m sign, _ entity.Change[Door]) (sign, error) { return m, nil }

// TestConsumersThatCannotBe are refused with the remedy.
func TestConsumersThatCannotBe(t *testing.T) {
	t.Parallel()
	change := func(f func(*entity.Consumer)) entity.Consumer {
		c := signs(entity.Created)
		f(&c)
		return c
	}
	for want, c := range map[string]entity.Consumer{
		`consumer "Signs": a name is`:  change(func(c *entity.Consumer) { c.Name = "Signs" }),
		`Subscription is "SIGNS"`:      change(func(c *entity.Consumer) { c.Subscription = "SIGNS" }),
		"it hears nothing":             change(func(c *entity.Consumer) { c.Hears = nil }),
		"one of Hears is empty":        change(func(c *entity.Consumer) { c.Hears = []entity.Hearing{{}} }),
		"set Policy to inbox.Newest":   change(func(c *entity.Consumer) { c.Policy = inbox.Strict }),
		`the kind has no event "shut"`: change(func(c *entity.Consumer) { c.Hears = signs("shut").Hears }),
		`"created" is there twice`:     change(func(c *entity.Consumer) { c.Hears = signs(entity.Created, entity.Created).Hears }),
		"the function is nil": change(func(c *entity.Consumer) {
			c.Hears = []entity.Hearing{entity.Hear[Door, entity.None, sign](other(), nil)}
		}),
		`kind "door" is there twice`: change(func(c *entity.Consumer) { c.Hears = append(c.Hears, c.Hears...) }),
	} {
		_, err := c.Kinds()
		require.ErrorContains(t, err, want)
		_, err = c.Consume("event", nil, nil)
		require.ErrorContains(t, err, want)
	}
	c := signs()
	c.Policy = inbox.Snapshot
	_, err := c.Kinds()
	require.NoError(t, err, "it hears all of them")
}

// TestAConsumersFunction refuses what it does not hear: a rule that lets through too much loses
// nothing for a version that hears more. The log says whose function it was.
func TestAConsumersFunction(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	c := signs(entity.Created)
	kinds, err := c.Kinds()
	require.NoError(t, err)
	models := &inboxtest.MemStore{}
	h, err := c.Consume("event", inbox.New(models, kinds.Apply, inbox.Options{Policy: c.Policy}), slog.New(slog.NewTextHandler(&said, nil)))
	require.NoError(t, err)
	of, ok := entity.ConsumerOf(h)
	require.True(t, ok)
	require.Equal(t, "signs", of.Name)
	_, ok = entity.ConsumerOf(http.NotFoundHandler())
	require.False(t, ok)

	body := string(event(t, map[string]any{"sequence": "00000000000000000005"}))
	require.Equal(t, http.StatusOK, delivered(t, h, body, 1).Code)
	m, err := models.Load(t.Context(), "door:d")
	require.NoError(t, err)
	require.EqualValues(t, 5, m.LastSeq)
	require.JSONEq(t, `{"text":"Front"}`, string(m.Data))
	require.Equal(t, http.StatusInternalServerError, delivered(t, h, strings.ReplaceAll(body, "door", "gate"), 1).Code)
	require.Contains(t, said.String(), "consumer=signs")
	require.Contains(t, said.String(), "reason=unknown-kind")
}
