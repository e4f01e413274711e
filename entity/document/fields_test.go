package document

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

type named struct {
	Name string `json:"name"`
}

// Named is embedded by pointer, which an unexported struct cannot be.
type Named struct {
	Name  string `json:"name"`
	Other int
}

type untagged struct{ Name string }

type shadowing struct {
	Name string `json:"name"`
	Named
}

type deeper struct {
	untagged
	Inner struct{ A, b, C int }
	More  int `json:"-,"` //nolint:staticcheck // encoding/json takes it for the name "-", and so does this package
	Gone  int `json:"-"`
}

type ofPointer struct {
	*Named
	X bool `json:"x,omitempty"`
}

type tagWins struct {
	untagged
	tagged
}

type tagged struct {
	Other string `json:"Name"`
}

type alike struct{ Name int }

type twinsBelow struct {
	Name string
	untagged
	alike
}

type underName struct {
	Named `json:"named"`
}

type nested struct {
	tagWins
	home
}

type grove struct {
	*Tree
}

// Tree embeds itself.
type Tree struct {
	*Tree
	Y int `json:"y"`
}

// lister makes JSON of its own that it does not take back.
type lister struct{ N int }

func (lister) MarshalJSON() ([]byte, error) { return []byte(`[]`), nil }

// set gives every part of v that encoding/json prints a value.
func set(v reflect.Value) {
	switch k := v.Kind(); {
	case k == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem())
	case k == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				set(v.Field(i))
			}
		}
	case k == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case k == reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		set(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), value)
	case k == reflect.String:
		v.SetString("x")
	case k == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	}
}

// checkFields compares what encoding/json prints of a T with what is read into one.
func checkFields[T any](t *testing.T) {
	t.Helper()
	require.NoError(t, Check[T]())
	var v, zero T
	set(reflect.ValueOf(&v).Elem())
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var printed map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &printed))
	require.ElementsMatch(t, slices.Collect(maps.Keys(printed)), Members[T](), "%T", v)

	var faults Faults
	got, err := Decode[T](text, &faults)
	require.NoError(t, err)
	require.NoError(t, faults.Err())
	require.NotEqual(t, zero, got)
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again), "%T: each member is kept in the field that prints it", v)
}

// TestMembersAreThoseThatAreWritten: a name that encoding/json prints is read, and no other.
func TestMembersAreThoseThatAreWritten(t *testing.T) {
	t.Parallel()
	checkFields[home](t)
	checkFields[shadowing](t)
	checkFields[deeper](t)
	checkFields[ofPointer](t)
	checkFields[tagWins](t)
	checkFields[twinsBelow](t)
	checkFields[underName](t)
	checkFields[nested](t)
	checkFields[struct {
		error
		A, b int
		B    *int `json:"a.b/c,omitempty"`
		M    map[string][]string
		N    []byte `json:"ñ"`
	}](t)
}

func TestCheckSaysWhichFieldsAreNotPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want []string
	}{
		{Check[struct {
			untagged
			alike
		}](), []string{".untagged.Name", ".alike.Name", `both "Name"`, "another name in its json tag"}},
		{Check[struct{ *named }](), []string{".named", "embedded pointer", "embed the struct itself"}},
		{Check[struct {
			named `json:"n"`
		}](), []string{".named", "a field with a name of its own"}},
		{Check[Tree](), []string{"Tree.Tree", "in itself", "give the field a name"}},
		{Check[grove](), []string{"Tree.Tree", "in itself"}},
		{Check[struct{ P **int }](), []string{".P", "pointer to a pointer", "make it a *int"}},
		{Check[struct{ L []**int }](), []string{".L[…]", "pointer to a pointer"}},
		{Check[struct {
			A int `json:"note"`
			B int `json:"NOTE"`
		}](), []string{".B", `"NOTE"`, `"note"`, "rename one"}},
		{Check[struct {
			A int `json:"no\"te"` //nolint:staticcheck // it is refused
		}](), []string{".A", "json tag"}},
		{Check[struct{ L lister }](), []string{".L", "give it UnmarshalJSON"}},
		{Check[struct{ T []Tree }](), []string{".T[…].Tree", "in itself"}},
	} {
		require.Error(t, c.err, "%v", c.want)
		for _, part := range c.want {
			require.Contains(t, c.err.Error(), part)
		}
	}
}
