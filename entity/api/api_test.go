package api_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/api"
	"github.com/relaybox/relaybox/entity/document"
)

// plain is an entity without any tag for its schema, of every form that a document has.
type plain struct {
	Embedded
	Text   string            `json:"text"`
	Whole  int64             `json:"whole,omitempty"`
	Byte   uint8             `json:"byte"`
	Float  float64           `json:"float"`
	Flag   bool              `json:"flag"`
	List   []*string         `json:"list"`
	Pair   [2]int            `json:"pair"`
	Map    map[string]nested `json:"map"`
	Maybe  *nested           `json:"maybe"`
	At     time.Time         `json:"at"`
	Bytes  []byte            `json:"bytes"`
	Raw    json.RawMessage   `json:"raw"`
	Any    any               `json:"any"`
	Big    *big.Int          `json:"big"`
	Hidden string            `json:"-"`
	Bare   string
}

type Embedded struct {
	Inner string `json:"inner"`
}

type nested struct {
	N int `json:"n"`
}

func schemas(t *testing.T, kinds []api.Kind, routes ...api.Route) map[string]json.RawMessage {
	t.Helper()
	text, err := api.Document("v1.2.3", kinds, routes)
	require.NoError(t, err)
	var d struct {
		OpenAPI    string
		Info       struct{ Version string }
		Components struct{ Schemas map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(text, &d))
	require.Equal(t, "3.1.0", d.OpenAPI)
	require.Equal(t, "v1.2.3", d.Info.Version)
	return d.Components.Schemas
}

func accepts(t *testing.T, schema json.RawMessage, text string) bool {
	t.Helper()
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(schema, &s))
	resolved, err := s.Resolve(nil)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return resolved.Validate(value) == nil
}

func plainKind() api.Kind {
	return api.Kind{
		Name: "plain-thing", Entity: reflect.TypeFor[plain](),
		Actions: map[string]api.Action{"turn-over": {Input: reflect.TypeFor[nested]()}},
		Events:  map[string]reflect.Type{"created": nil, "deleted": nil, "snapshot": nil, "turned": reflect.TypeFor[nested]()},
	}
}

// TestAKindWithoutTags: what its entity's reader takes, and what is written of it, is in
// the schemas; what is of a wrong type is not.
func TestAKindWithoutTags(t *testing.T) {
	t.Parallel()
	all := schemas(t, []api.Kind{plainKind()}, api.Route{
		Function: "Plain", Route: "plain/{id}/{action?}", Methods: []string{"GET", "put", "patch", "delete", "post"},
		Kind: "plain-thing", Serves: []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"},
	})
	for _, name := range []string{"PlainThing", "PlainThingBody", "PlainThingPatch", "PlainThingState", "TurnOverPlainThingBody",
		"PlainThingCreatedEvent", "PlainThingDeletedEvent", "PlainThingTurnedEvent"} {
		require.Contains(t, all, name)
	}
	for _, text := range []string{
		`{}`, `{"inner":"i","Bare":"b"}`, `{"list":["a",null]}`, `{"pair":[1,2]}`, `{"map":{"k":{"n":1}}}`, `{"maybe":null}`, `{"maybe":{}}`,
		`{"at":"2026-01-01T00:00:00Z"}`, `{"at":null}`, `{"bytes":"AA=="}`, `{"bytes":null}`, `{"raw":[1]}`, `{"any":null}`, `{"big":7}`, `{"whole":-1}`,
	} {
		var faults document.Faults
		_, err := document.Decode[plain]([]byte(text), &faults)
		require.NoError(t, err, text)
		require.NoError(t, faults.Err(), text)
		require.True(t, accepts(t, all["PlainThingBody"], text), text)
		require.True(t, accepts(t, all["PlainThingPatch"], text), text)
	}
	for _, text := range []string{
		`[]`, `{"text":1}`, `{"whole":"1"}`, `{"whole":1.5}`, `{"byte":256}`, `{"byte":-1}`, `{"flag":"yes"}`, `{"pair":[1]}`, `{"map":{"k":1}}`, `{"maybe":{"m":1}}`,
		`{"list":[1]}`, `{"at":1}`, `{"Hidden":"h"}`, `{"other":1}`,
	} {
		require.False(t, accepts(t, all["PlainThingBody"], text), text)
	}
	for _, text := range []string{`{"text":null,"map":{"k":null},"maybe":{"n":null},"list":null}`} {
		require.False(t, accepts(t, all["PlainThingBody"], text), text)
		require.True(t, accepts(t, all["PlainThingPatch"], text), text)
	}
	for _, p := range []plain{{}, {List: []*string{nil}, Map: map[string]nested{"k": {}}, Maybe: &nested{}, At: time.Now(), Big: big.NewInt(1), Raw: []byte("1")}} {
		text, err := document.Encode(p) // as it is stored
		require.NoError(t, err)
		require.True(t, accepts(t, all["PlainThingState"], string(text)), string(text))
	}
	require.True(t, accepts(t, all["PlainThingState"], `{"of":"tomorrow"}`))
	require.False(t, accepts(t, all["PlainThingState"], `{"text":1}`))
}

func TestEventSchemasStandAlone(t *testing.T) {
	t.Parallel()
	all, err := plainKind().EventSchemas()
	require.NoError(t, err)
	require.Len(t, all, 4)
	turned, err := json.Marshal(all["relaybox.plain-thing.turned"])
	require.NoError(t, err)
	const envelope = `{"specversion":"1.0","id":"e","source":"/x/plain-thing","type":"relaybox.plain-thing.turned","subject":"1","time":"2026-01-01T00:00:00Z",
		"datacontenttype":"application/json","sequence":"00000000000000000001","partitionkey":"plain-thing:1","incarnation":"i",
		"incarnationfirst":"00000000000000000001","incarnationsince":"2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z","data":{"id":"1","state":{},"detail":`
	require.True(t, accepts(t, turned, envelope+`{"n":1}}}`))
	require.False(t, accepts(t, turned, envelope+`{"n":"one"}}}`))
	deleted, err := json.Marshal(all["relaybox.plain-thing.deleted"])
	require.NoError(t, err)
	require.False(t, accepts(t, deleted, envelope+`{"n":1}}}`))
	for _, state := range []string{`{}`, `null`} {
		snapshot, err := json.Marshal(all["relaybox.plain-thing.snapshot"])
		require.NoError(t, err)
		text := strings.ReplaceAll(strings.ReplaceAll(envelope, ".turned", ".snapshot"), `"state":{},"detail":`, `"state":`)
		require.True(t, accepts(t, snapshot, text+state+`}}`), state)
	}
}

type tree struct {
	Branches []tree `json:"branches"`
}

func TestWhatTheSchemaCannotSayIsLeftOpen(t *testing.T) {
	t.Parallel()
	all := schemas(t, []api.Kind{{Name: "tree", Entity: reflect.TypeFor[tree]()}})
	require.True(t, accepts(t, all["TreeBody"], `{"branches":[{"branches":[]}]}`))
	require.False(t, accepts(t, all["TreeBody"], `[]`))
}

func TestLimitsAreTold(t *testing.T) {
	t.Parallel()
	type limited struct {
		Name  string            `json:"name" limits:"required minLength=1 maxLength=3 pattern=^[a-z]*$"`
		State *string           `json:"state" limits:"enum=on|off"`
		N     int               `json:"n" limits:"minimum=1 maximum=9"`
		List  []string          `json:"list" limits:"minItems=1 maxItems=2 items.maxLength=1"`
		Map   map[string]string `json:"map" limits:"maxProperties=1 keys.pattern=^k values.enum=v"`
	}
	body := schemas(t, []api.Kind{{Name: "limited", Entity: reflect.TypeFor[limited]()}})["LimitedBody"]
	for _, text := range []string{`{"name":"abc"}`, `{"name":"a","state":"on","n":9,"list":["x"],"map":{"k1":"v"}}`, `{"name":"a","state":null}`} {
		require.True(t, accepts(t, body, text), text)
	}
	for _, text := range []string{
		`{}`, `{"name":""}`, `{"name":"abcd"}`, `{"name":"A"}`, `{"name":"a","state":"x"}`, `{"name":"a","n":0}`, `{"name":"a","n":10}`,
		`{"name":"a","list":[]}`, `{"name":"a","list":["1","2","3"]}`, `{"name":"a","list":["12"]}`,
		`{"name":"a","map":{"k":"v","k2":"v"}}`, `{"name":"a","map":{"x":"v"}}`, `{"name":"a","map":{"k":"w"}}`,
	} {
		require.False(t, accepts(t, body, text), text)
	}
}

// TestWhatCannotBeDescribed names the field or the kinds.
func TestWhatCannotBeDescribed(t *testing.T) {
	t.Parallel()
	type unknown struct {
		A string `json:"a" limits:"longest=3"`
	}
	type noNumber struct {
		A string `json:"a" limits:"maxLength=many"`
	}
	type noList struct {
		A string `json:"a" limits:"items.maxLength=1"`
	}
	for text, kinds := range map[string][]api.Kind{
		`no limit "longest"`:         {{Name: "k", Entity: reflect.TypeFor[unknown]()}},
		`limits "maxLength=many"`:    {{Name: "k", Entity: reflect.TypeFor[noNumber]()}},
		`the field has no items`:     {{Name: "k", Entity: reflect.TypeFor[noList]()}},
		`the name of another kind's`: {{Name: "a-body", Entity: reflect.TypeFor[nested]()}, {Name: "a", Entity: reflect.TypeFor[nested]()}},
	} {
		_, err := api.Document("", kinds, nil)
		require.ErrorContains(t, err, text)
	}
}

// TestAFunctionOfAnotherSort is in the document with what its function.json says.
func TestAFunctionOfAnotherSort(t *testing.T) {
	t.Parallel()
	text, err := api.Document("", nil, []api.Route{{Function: "Ping", Route: "ping/{who:alpha}", Methods: []string{"get"}}})
	require.NoError(t, err)
	require.Contains(t, string(text), `"/ping/{who}":{"get":{"operationId":"getPing"`)
	require.Contains(t, string(text), `"head":{"operationId":"headPing"`)
}
