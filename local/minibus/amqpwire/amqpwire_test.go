package amqpwire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"
)

// nestedLists is n lists around each other.
func nestedLists(n int) []byte {
	b := []byte{codeList0}
	for range n {
		b = append([]byte{codeList32, 0, 0, byte((len(b) + 4) >> 8), byte(len(b) + 4), 0, 0, 0, 1}, b...)
	}
	return b
}

func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		nil, true, false, uint8(1), uint16(2), uint32(0), uint32(3), uint32(1 << 30), uint64(0), uint64(4), uint64(1 << 60),
		int8(-1), int16(-2), int32(-3), int64(-4), float32(1.5), 2.5, Char('ä'), Timestamp(1234567890123), UUID{1, 2, 3},
		"", "grüße", strings.Repeat("x", 300), Symbol("amqp:x"), []byte{1, 2}, bytes.Repeat([]byte{7}, 300),
		Decimal{codeDecimal64, "12345678"}, []any{}, []any{int32(1), "a", nil, []any{"b"}},
		Map{{"a", int64(1)}, {Symbol("b"), Map{}}}, Described{uint64(0x137000000C), "session"}, Described{uint64(1), nil},
	} {
		b := Append(nil, v)
		r := NewReader(b)
		got, err := r.Value()
		require.NoError(t, err)
		require.Equal(t, v, got)
		require.Zero(t, r.Len())
		raw, err := NewReader(b).Raw()
		require.NoError(t, err)
		require.Equal(t, Raw(b), raw)
	}
	for _, array := range []any{[]Symbol{"a", "b"}, []string{"x"}, []int64{1, -1}, []Timestamp{5}, []UUID{{1}}, []int64{}} {
		got, err := NewReader(Append(nil, array)).Value()
		require.NoError(t, err)
		require.IsType(t, Array{}, got)
		require.Equal(t, Append(nil, array), Append(nil, got))
	}
}

func TestBrokenValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":             {nil, ErrTruncated},
		"cut string":          {[]byte{codeString8, 5, 'a'}, ErrTruncated},
		"cut size":            {[]byte{codeBinary32, 0, 0}, ErrTruncated},
		"huge binary":         {[]byte{codeBinary32, 0xff, 0xff, 0xff, 0xff}, ErrTruncated},
		"list with less":      {[]byte{codeList8, 2, 2, codeTrue}, ErrTruncated},
		"list with more":      {[]byte{codeList8, 3, 1, codeTrue, codeTrue}, ErrMalformed},
		"odd map":             {[]byte{codeMap8, 2, 1, codeTrue}, ErrMalformed},
		"unknown constructor": {[]byte{0x57, 1}, ErrMalformed},
		"bad UTF-8":           {[]byte{codeString8, 1, 0xff}, ErrMalformed},
		"bad boolean":         {[]byte{codeBool, 2}, ErrMalformed},
		"millions of nothing": {[]byte{codeArray32, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, codeNull}, ErrTooDeep},
		"deep":                {nestedLists(maxDepth + 5), ErrTooDeep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewReader(c.in).Value()
			require.ErrorIs(t, err, c.want)
			_, err = NewReader(c.in).Raw()
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestPerformativesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, p := range []Performative{
		&Open{ContainerID: "c", Hostname: "h", MaxFrameSize: new(uint32(65536)), ChannelMax: new(uint16(7)), IdleTimeOut: new(uint32(1))},
		&Begin{RemoteChannel: new(uint16(3)), NextOutgoingID: 1, IncomingWindow: 2, OutgoingWindow: 3, HandleMax: new(uint32(255))},
		&Attach{
			Name: "", Handle: 1, Role: RoleReceiver, SndSettleMode: new(SndMixed), RcvSettleMode: new(RcvSecond),
			Source: &Source{Address: "q", Filter: Map{{Symbol("f"), Described{uint64(1), nil}}}}, Target: &Target{},
			InitialDeliveryCount: new(uint32(0)), MaxMessageSize: 262144, Properties: Map{{Symbol("p"), int64(1)}},
		},
		&Flow{NextIncomingID: new(uint32(0)), Handle: new(uint32(0)), DeliveryCount: new(uint32(4)), LinkCredit: new(uint32(5)), Drain: true},
		&Transfer{DeliveryID: new(uint32(0)), DeliveryTag: []byte{1}, MessageFormat: new(uint32(0)), Settled: new(true), State: &Accepted{}},
		&Disposition{Role: RoleReceiver, First: 1, Last: new(uint32(2)), Settled: true, State: &Rejected{&Error{"a:b", "text", nil}}},
		&Disposition{State: &Modified{DeliveryFailed: true, MessageAnnotations: Append(nil, Map{{Symbol("k"), "v"}})}},
		&Disposition{State: &Released{}}, &Disposition{State: &Received{1, 2}},
		&Detach{Handle: 1, Closed: true, Error: Errorf(CondNotFound, "x")}, &End{}, &Close{},
		&SASLMechanisms{[]Symbol{"PLAIN", "ANONYMOUS"}}, &SASLInit{Mechanism: "PLAIN", InitialResponse: []byte{0}}, &SASLOutcome{Code: 1},
	} {
		f, err := NewFrameReader(bytes.NewReader(AppendFrame(nil, FrameAMQP, 9, p)), 4096).Next()
		require.NoError(t, err)
		require.EqualValues(t, 9, f.Channel)
		got, rest, err := DecodePerformative(f.Body)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, p, got)
	}
}

func TestTransfersAreCutIntoFrames(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte("0123456789"), 300)
	stream, n := AppendTransfers(nil, 1, Transfer{DeliveryID: new(uint32(5)), DeliveryTag: []byte("tag")}, payload, 512)
	frames := NewFrameReader(bytes.NewReader(stream), 512)
	var got []byte
	for i := range n {
		f, err := frames.Next()
		require.NoError(t, err)
		p, part, err := DecodePerformative(f.Body)
		require.NoError(t, err)
		require.Equal(t, i < n-1, p.(*Transfer).More)
		require.Equal(t, i == 0, p.(*Transfer).DeliveryID != nil)
		got = append(got, part...)
	}
	require.Equal(t, payload, got)
}

// none writes no pairs.
func none(b []byte) []byte { return b }

// Python's client writes the delivery annotations behind the body, rhea the footer before it.
func TestSplitTakesSectionsOutOfOrder(t *testing.T) {
	t.Parallel()
	body := append(AppendData(nil, []byte("one")), AppendData(nil, []byte("two"))...)
	notes := AppendSectionMap(nil, DeliveryAnnotations, 1, func(b []byte) []byte { return Append(AppendSymbol(b, "k"), "v") })
	footer := AppendSectionMap(nil, sectionFooter, 0, none)
	for name, parts := range map[string][][]byte{
		"in order": {notes, body, footer}, "Python": {body, notes, footer}, "rhea": {notes, footer, body}, "both": {footer, body, notes},
	} {
		got, err := Split(bytes.Join(parts, nil))
		require.NoError(t, err, name)
		require.Equal(t, Message{DeliveryAnnotations: notes, Body: body, Footer: footer}, got, name)
	}
}

// Python's client looks for the fields of an error by their places.
func TestNoFieldIsLeftOut(t *testing.T) {
	t.Parallel()
	for want, p := range map[byte]Performative{
		10: &Open{}, 8: &Begin{}, 14: &Attach{}, 11: &Flow{}, 6: &Disposition{}, 3: &Detach{}, 1: &End{},
	} {
		fields, err := rawFields(AppendPerformative(nil, p))
		require.NoError(t, err)
		require.Len(t, fields, int(want), "%T", p)
	}
	fields, err := rawFields(AppendPerformative(nil, &Disposition{State: &Rejected{Errorf(CondNotAllowed, "x")}}))
	require.NoError(t, err)
	fault, err := rawFields(fields[4])
	require.NoError(t, err)
	parts, err := rawFields(fault[0])
	require.NoError(t, err)
	require.Len(t, parts, 3)
}

func TestSplitKeepsSections(t *testing.T) {
	t.Parallel()
	id := "group"
	m := &amqp.Message{
		Header: &amqp.MessageHeader{Durable: true, TTL: time.Second}, Annotations: amqp.Annotations{"a": int64(1)},
		Properties: &amqp.MessageProperties{MessageID: "m", GroupID: &id}, ApplicationProperties: map[string]any{"k": "v"},
		Data: [][]byte{[]byte("one"), []byte("two")}, Footer: amqp.Annotations{"f": true},
	}
	b, err := m.MarshalBinary()
	require.NoError(t, err)
	got, err := Split(b)
	require.NoError(t, err)
	require.Equal(t, b, bytes.Join([][]byte{got.Header, got.DeliveryAnnotations, got.MessageAnnotations, got.Properties,
		got.ApplicationProperties, got.Body, got.Footer}, nil))
	parts, err := got.DataSections()
	require.NoError(t, err)
	require.Equal(t, m.Data, parts)

	changed, err := SetMessageID(got.Properties, "other")
	require.NoError(t, err)
	var p Properties
	require.NoError(t, p.Decode(changed))
	require.Equal(t, "other", p.MessageID)
	require.Equal(t, "group", *p.GroupID)

	for name, b := range map[string][]byte{
		"order":    append(AppendValue(nil, "x"), AppendSectionMap(nil, MessageAnnotations, 0, none)...),
		"between":  bytes.Join([][]byte{AppendData(nil, nil), AppendSectionMap(nil, DeliveryAnnotations, 0, none), AppendData(nil, nil)}, nil),
		"footers":  append(AppendSectionMap(nil, sectionFooter, 0, none), AppendSectionMap(nil, sectionFooter, 0, none)...),
		"mixed":    append(AppendData(nil, nil), AppendValue(nil, "x")...),
		"twice":    append(AppendValue(nil, "x"), AppendValue(nil, "x")...),
		"no map":   {0, codeSmallUlong, sectionApplicationProperties, codeTrue},
		"no bytes": {0, codeSmallUlong, sectionData, codeTrue},
		"cut":      b[:len(b)-1],
		"unknown":  {0, codeSmallUlong, 0x79, codeNull},
	} {
		_, err := Split(b)
		require.Error(t, err, name)
	}
}

// What decodes must encode again and then decode to the same; nothing may panic.
func FuzzDecodePerformative(f *testing.F) {
	for _, p := range []Performative{
		&Open{ContainerID: "c"}, &Begin{}, &Flow{Handle: new(uint32(0))}, &Close{},
		&Attach{Name: "n", Source: &Source{Address: "q", Filter: Map{{Symbol("f"), Described{uint64(1), nil}}}}, Target: &Target{}},
		&Transfer{DeliveryID: new(uint32(0))}, &Disposition{State: &Rejected{&Error{Condition: "a"}}}, &SASLInit{},
	} {
		f.Add(AppendPerformative(nil, p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _, err := DecodePerformative(b)
		if err != nil {
			return
		}
		if d := stateOf(p); d != nil {
			return // a state of an extension is read, and never written
		}
		once := AppendPerformative(nil, p)
		again, rest, err := DecodePerformative(once)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%#v: %v, %d bytes left", p, err, len(rest))
		}
		if twice := AppendPerformative(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x and %x", once, twice)
		}
	})
}

func stateOf(p Performative) (u *Unknown) {
	switch p := p.(type) {
	case *Transfer:
		u, _ = p.State.(*Unknown)
	case *Disposition:
		u, _ = p.State.(*Unknown)
	}
	return u
}

// A message that Split takes must be one that receivers can take: its sections are all of it.
func FuzzDecodeMessage(f *testing.F) {
	m := amqp.Message{Properties: &amqp.MessageProperties{MessageID: "m"}, ApplicationProperties: map[string]any{"k": int64(1)}, Data: [][]byte{{1}}}
	b, err := m.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(AppendValue(nil, Map{{"k", []int64{1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Split(b)
		if err != nil {
			return
		}
		n := len(m.Header) + len(m.DeliveryAnnotations) + len(m.MessageAnnotations) + len(m.Properties) +
			len(m.ApplicationProperties) + len(m.Body) + len(m.Footer)
		if n != len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		_, _ = m.DataSections()
		_, _ = m.BodyValue()
		_, _ = DecodePairs(m.ApplicationProperties)
		_, _ = SetMessageID(m.Properties, "x")
		_ = new(Properties).Decode(m.Properties)
		_ = new(Header).Decode(m.Header)
	})
}
