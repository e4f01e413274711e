package sqlfilter_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// mail is a message of maps; keys are in lower case.
type mail struct{ system, user map[string]any }

func (m mail) System(name string) (any, bool) {
	v, ok := m.system[strings.ToLower(name)]
	return v, ok
}

func (m mail) User(name string) (any, bool) {
	v, ok := m.user[strings.ToLower(name)]
	return v, ok
}

func (m mail) SetSystem(name string, v any) bool {
	if _, ok := m.system[strings.ToLower(name)]; !ok || name == "SequenceNumber" {
		return false
	}
	m.system[strings.ToLower(name)] = v
	return true
}

func (m mail) SetUser(name string, v any) { m.user[strings.ToLower(name)] = v }
func (m mail) RemoveUser(name string)     { delete(m.user, strings.ToLower(name)) }

func sample() mail {
	return mail{
		system: map[string]any{"label": "order", "correlationid": "c-1", "sessionid": nil, "sequencenumber": int64(7)},
		user: map[string]any{
			"color": "blue", "quantity": int32(10), "weight": 2.5, "urgent": true, "nothing": nil, "a-b": "dash", `say "x"`: "quote",
			"price": float32(1.5), "at": time.Unix(100, 0), "pattern": "100%", "bytes": []byte("xy"), "big": uint64(1<<63 + 1),
			"id": uuid.MustParse("12345678-1234-5678-1234-56781234567a"), "span": time.Minute, "mark": "!", "least": int64(math.MinInt64),
		},
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for text, want := range map[string]bool{
		"1=1": yes, "1 = 0": no, "TRUE = true": yes, "true <> false": yes, "NULL = NULL": no, "NOT (NULL = NULL)": no,
		"color = 'blue'": yes, "COLOR = 'blue'": yes, "color = 'Blue'": no, "user.color='blue'": yes, "[color] = 'blue'": yes, `"color" = 'blue'`: yes,
		"[a-b] = 'dash'": yes, `"say ""x""" = 'quote'`: yes, "user.[a-b] = 'dash'": yes,
		"sys.Label = 'order'": yes, "sys.label = 'order' and SYS.CorrelationId = 'c-1'": yes, "label = 'order'": no,
		"quantity = 10": yes, "quantity = 10.0": yes, "quantity > 9 AND quantity <= 10": yes, "quantity != 11": yes, "quantity <> 10": no,
		"weight * 2 = quantity / 2": yes, "quantity % 3 = 1": yes, "7 / 2 = 3": yes, "7 / 2.0 = 3.5": yes, "-quantity = -10": yes, "+quantity = 10": yes,
		"1 + 2 * 3 = 7": yes, "(1 + 2) * 3 = 9": yes, "10 - 4 - 3 = 3": yes, "'a' + 'b' = 'ab'": yes, "price = 1.5": yes, "big > 9e18": yes, ".5 = 0.5": yes, "1e2 = 100": yes,
		"quantity = '10'": no, "NOT quantity = '10'": no, "urgent = true": yes, "urgent > false": no, "at = at": yes, "bytes = bytes": yes, "bytes < bytes": no, "color >= 'b'": yes,
		// Missing properties are unknown.
		"missing = 1": no, "NOT missing = 1": no, "missing = 1 OR 1 = 1": yes, "1 = 1 OR missing = 1": yes, "missing = 1 AND 1 = 0": no,
		"NOT (missing = 1 AND 1 = 0)": yes, "NOT (1 = 0 AND missing = 1)": yes, "NOT (missing = 1 OR 1 = 0)": no, "missing + 1 = 1": no, "missing IS NULL": yes, "missing IS NOT NULL": no,
		"nothing IS NULL": yes, "color IS NOT NULL": yes, "sys.SessionId IS NULL": yes,
		"EXISTS(color)": yes, "EXISTS(missing)": no, "NOT EXISTS (missing)": yes, "exists(nothing)": yes, "EXISTS(sys.label)": yes, "EXISTS(sys.SessionId)": no,
		"color IN ('red', 'blue')": yes, "color NOT IN ('red')": yes, "color IN ('red')": no, "missing IN (1)": no, "missing NOT IN (1)": no,
		"quantity IN (1, 10.0)": yes, "quantity NOT IN (1, NULL)": no, "quantity IN (NULL, 10)": yes, "quantity + 1 IN (11)": yes,
		"color LIKE 'bl%'": yes, "color LIKE '%u_'": yes, "color LIKE 'b_e'": no, "color NOT LIKE 'r%'": yes, "color LIKE 'BLUE'": no, "color LIKE '%'": yes, "color LIKE ''": no,
		"missing LIKE '%'": no, "missing NOT LIKE '%'": no, "quantity LIKE '1%'": no, `pattern LIKE '100\%' ESCAPE '\'`: yes, `color LIKE 'b\%' ESCAPE '\'`: no, "'a%b%c' LIKE '%b%c'": yes,
		"property('color') = 'blue'": yes, "p('col' + 'or') = 'blue'": yes, "property(missing) = 1": no, "newid() <> newid()": yes, "newid() LIKE '________-%'": yes,
		"NOT color = 'red' AND NOT color = 'green'": yes, "color = 'red' OR color = 'blue' AND quantity = 10": yes, "(color = 'red' OR color = 'blue') AND quantity = 9": no,
		// A text takes what stands beside it in, and an id equals its text.
		"'order-' + quantity = 'order-10'": yes, "quantity + '-' + weight = '10-2.5'": yes, "'is ' + urgent = 'is True'": yes, "'a' + missing = 'a'": no,
		"id = '12345678-1234-5678-1234-56781234567A'": yes, "'12345678-1234-5678-1234-56781234567A' = id": yes, "id = id": yes, "id <> 'x'": yes, "id > id": no, "id = 1": no,
		"id IN ('x', '12345678-1234-5678-1234-56781234567a')": yes, "id LIKE '12345678-%'": yes, "'id ' + id LIKE 'id 1%a'": yes, "span > span": no, "span = span": yes,
		"pattern LIKE '100!%' ESCAPE mark": yes, "pattern LIKE '100!%' ESCAPE '!' + ''": yes, "pattern LIKE '100%' ESCAPE missing": no,
		"-9223372036854775808 < -9223372036854775807": yes, "least = -9223372036854775808": yes, "0 - 9223372036854775807 - 1 = least": yes, "5 - -9223372036854775807 > 0": no,
		"color = @color": yes, "quantity = @N": yes, "'it''s' = 'it''s'": yes, "NOT NOT 1=1": yes, "grün = 1": no,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			f, err := sqlfilter.Parse(text, map[string]any{"@color": "blue", "n": 10})
			require.NoError(t, err)
			require.Equal(t, text, f.String())
			got, err := f.Match(sample())
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestErrorsOfEvaluation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"sys.Nope = 1": sqlfilter.ErrNoSystemProperty, "sys.Nope IS NULL": sqlfilter.ErrNoSystemProperty, "1=0 OR sys.Nope = 1": sqlfilter.ErrNoSystemProperty,
		"1 / 0 = 1": sqlfilter.ErrDivision, "quantity % 0 = 1": sqlfilter.ErrDivision, "color * 2 = 1": sqlfilter.ErrOperand, "-color = 1": sqlfilter.ErrOperand,
		"NOT sys.Nope = 1": sqlfilter.ErrNoSystemProperty, "color IN (1/0)": sqlfilter.ErrDivision, "'a' LIKE 1/0": sqlfilter.ErrDivision, "'a' LIKE 'a' ESCAPE color": sqlfilter.ErrOperand, "'a' LIKE 'a' ESCAPE quantity": sqlfilter.ErrOperand,
	} {
		f, err := sqlfilter.Parse(text, nil)
		require.NoError(t, err, text)
		got, err := f.Match(sample())
		require.ErrorIs(t, err, want, text)
		require.False(t, got, text)
	}
	f, err := sqlfilter.Parse("1 = 1 OR 1/0 = 1", nil)
	require.NoError(t, err)
	got, err := f.Match(sample())
	require.NoError(t, err, "what is decided already is not looked at")
	require.True(t, got)
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "position 1: expected a value before the end", "color": "position 1: this is a value", "color =": "position 8: expected a value", "= 1": "position 1: expected a value before =",
		"color = 'x": "position 9: the text constant has no closing quote", "[color = 1": "position 1: the bracketed name", `"" = 1`: "position 1: the quoted name is empty",
		"color = 1 1": "position 11: 1 stands behind the end", "color = 1;": "position 10: ; stands behind", "(color = 1": "position 11: expected ) before the end",
		"other.color = 1": "position 1: the scope is other", "sys. = 1": "position 6: expected a property's name", "sys.AND = 1": "position 5: expected a property's name",
		"len(color) = 1": "position 1: there is no function len", "color = @none": "position 9: the parameter @none has no value", "color = @ 1": "position 9: @ is not followed",
		"color IN ()": "position 11: expected a value", "color IN (1": "position 12: expected )", "color IN 1": "position 10: expected ( before 1", "color LIKE": "position 11: expected a value",
		"color LIKE 'a' ESCAPE 'ab'": "position 23: ESCAPE takes a text of one character", "color NOT 1": "position 11: expected IN or LIKE", "1 IS NULL": "position 3: IS NULL asks about a property",
		"color IS 1": "position 10: expected NULL before 1", "color = 1 AND 2": "position 11: AND joins conditions", "NOT 1": "position 1: NOT stands before a condition", "color # 1": "position 7: unexpected '#'",
		"color = 12x": "position 9: a number runs into a name", "color = 99999999999999999999": "position 9: the number does not fit", "color = 9223372036854775808": "position 9: the number does not fit", "color = -9223372036854775809": "position 10: the number does not fit", "color LIKE 'a' ESCAPE (1=1)": "position 23: ESCAPE takes a text",
		"color LIKE 'a' ESCAPE 1": "position 23: ESCAPE takes a text", "color = '" + strings.Repeat("😀", 508) + "'": "longer than 1024 characters", "color = 1e999": "position 9: the number is out of range",
		"EXISTS(1)": "position 8: expected a value before 1", "EXISTS color": "position 8: expected ( before color", "(1=1) = 1": "position 7: = stands behind", "1 = (1=1)": "position 10: = compares values",
		"1 + (1=1) = 1": "position 3: + takes values", "-(1=1)": "position 7: - stands before a value", strings.Repeat("(", 1025): "longer than 1024 characters", strings.Repeat("(", 1000): "expected a value before the end",
	} {
		_, err := sqlfilter.Parse(text, nil)
		var syntax *sqlfilter.SyntaxError
		require.ErrorAs(t, err, &syntax, text)
		require.ErrorContains(t, err, want, text)
	}
}

// The limit counts characters, and not bytes.
func TestLength(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"color = '" + strings.Repeat("é", 1014) + "'", "color = '" + strings.Repeat("😀", 507) + "'"} {
		_, err := sqlfilter.Parse(text, nil)
		require.NoError(t, err)
		_, err = sqlfilter.Parse(text+" ", nil)
		require.Error(t, err)
	}
}

// What a text names is known before a message is there.
func TestNames(t *testing.T) {
	t.Parallel()
	f, err := sqlfilter.Parse("sys.Label = a AND EXISTS([b c]) AND user.c IN (sys.To)", nil)
	require.NoError(t, err)
	require.Equal(t, []sqlfilter.Name{
		{Text: "Label", At: 4, System: true, Bare: true}, {Text: "a", At: 12, Bare: true}, {Text: "b c", At: 25}, {Text: "c", At: 41, Bare: true}, {Text: "To", At: 51, System: true, Bare: true},
	}, f.Names())
	a, err := sqlfilter.ParseAction("SET sys.Label = 'x'; SET a = b; REMOVE sys.To", nil)
	require.NoError(t, err)
	require.Equal(t, []sqlfilter.Name{
		{Text: "Label", At: 8, System: true, Bare: true, Set: true, Value: sqlfilter.Constant{Known: true, Value: "x"}}, {Text: "a", At: 25, Bare: true, Set: true},
		{Text: "b", At: 29, Bare: true}, {Text: "To", At: 43, System: true, Bare: true, Set: true, Value: sqlfilter.Constant{Known: true}},
	}, a.Names())
}

func TestActions(t *testing.T) {
	t.Parallel()
	a, err := sqlfilter.ParseAction("SET color = 'red'; SET quantity = quantity + 1 SET sys.Label = 'new ' + sys.Label; REMOVE weight; REMOVE missing; SET [x-y] = missing; SET twice = quantity * 2", nil)
	require.NoError(t, err)
	m := sample()
	require.NoError(t, a.Apply(m))
	require.Equal(t, "red", m.user["color"])
	require.Equal(t, int64(11), m.user["quantity"])
	require.Equal(t, int64(22), m.user["twice"], "each statement sees what the ones before it did")
	require.Equal(t, "new order", m.system["label"])
	require.NotContains(t, m.user, "weight")
	require.Contains(t, m.user, "x-y")
	require.Nil(t, m.user["x-y"])

	a, err = sqlfilter.ParseAction("REMOVE sys.Label", nil)
	require.NoError(t, err)
	require.NoError(t, a.Apply(m))
	require.Nil(t, m.system["label"])
	for text, want := range map[string]error{
		"SET sys.Nope = 1": sqlfilter.ErrNoSystemProperty, "SET sys.SequenceNumber = 1": sqlfilter.ErrNoSystemProperty, "SET a = 1/0": sqlfilter.ErrDivision,
	} {
		a, err := sqlfilter.ParseAction(text, nil)
		require.NoError(t, err)
		require.ErrorIs(t, a.Apply(sample()), want)
	}
	for text, want := range map[string]string{
		"": "position 1: no statement", "DELETE a": "position 1: expected SET or REMOVE before DELETE", "SET a 1": "position 7: expected = before 1", "SET a = 1 = 1": "position 11: expected SET or REMOVE",
		"SET a = (1=1)": "position 9: SET takes a value", "SET = 1": "position 5: expected a value", strings.Repeat("SET a=1;", 33): "more than 32 statements",
	} {
		_, err := sqlfilter.ParseAction(text, nil)
		require.ErrorContains(t, err, want, text)
	}
}

// FuzzParse: no text may hurt, and what was read can be evaluated.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"color = 'blue' AND NOT quantity IN (1,2)", "a LIKE '%x_' ESCAPE '!'", "SET a = 1; REMOVE b", "sys.Label IS NOT NULL", "((1))", "-.5e-3 < @p"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := sqlfilter.Parse(text, map[string]any{"p": 1}); err == nil {
			_, _ = c.Match(sample()) // an error is an answer
		}
		if a, err := sqlfilter.ParseAction(text, nil); err == nil {
			_ = a.Apply(sample())
		}
	})
}
