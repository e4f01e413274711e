package hybridrow

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The schemas and rows of CrossVersioningSchema.json and CrossVersioningExpected.json
// (github.com/microsoft/HybridRow, src/Serialization/HybridRow.Tests.Schema and HybridRow.Tests.Unit/TestData).
var scalars = []Column{
	{Name: "null", Type: Null}, {Name: "bool", Type: Bool}, {Name: "int8", Type: Int8}, {Name: "int16", Type: Int16}, {Name: "int32", Type: Int32},
	{Name: "int64", Type: Int64}, {Name: "uint8", Type: Uint8}, {Name: "uint16", Type: Uint16}, {Name: "uint32", Type: Uint32},
	{Name: "uint64", Type: Uint64}, {Name: "float32", Type: Float32}, {Name: "float64", Type: Float64}, {Name: "float128", Type: Float128},
	{Name: "decimal", Type: Decimal}, {Name: "datetime", Type: DateTime}, {Name: "unixdatetime", Type: UnixDateTime}, {Name: "guid", Type: GUID},
	{Name: "mongodbobjectid", Type: MongoDBObjectID}, {Name: "utf8", Type: UTF8, Length: 3}, {Name: "binary", Type: Binary, Length: 3},
}

const (
	fixedRow      = "8101000000FFFF1FAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAA3E555555555555D53F2A00000000000000000000000000000000001C00CA44C50A55555505CB00B714006E39578A01D6082A00000000000000B9259C2A2E921146BB0A244A9496503C2A0000000000000000000000616263000102"
	fixedNullRow  = "810100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	variableRow   = "81020000000FADD5AAD5AAD5AAD5AA01AAD5AAD5AAD5AAD5AA010361626303000102"
	variableNull  = "810200000000"
	sparseNullRow = "8103000000"
	sparseRow     = "8103000000010103020503AA0604AAAA0705AAAAAAAA0806AAAAAAAAAAAAAAAA0907AA0A08AAAA0B09AAAAAAAA0C0AAAAAAAAAAAAAAAAA0F0BABAAAA3E100C555555555555D53F160D2A000000000000000000000000000000110E00001C00CA44C50A55555505CB00B714120F006E39578A01D60817102A000000000000001311B9259C2A2E921146BB0A244A9496503C18122A000000000000000000000014130361626315140300010222051503000000AAAAAA"
)

// arrayAt is where the first array of sparseRow begins.
const arrayAt = len(sparseRow)/2 - 10

func fixedLayout() *Layout { return NewLayout(1, scalars...) }

func variableLayout() *Layout {
	return NewLayout(2, Column{Name: "varint", Type: VarInt, Storage: Variable}, Column{Name: "varuint", Type: VarUint, Storage: Variable},
		Column{Name: "utf8", Type: UTF8, Storage: Variable}, Column{Name: "binary", Type: Binary, Storage: Variable})
}

func sparseLayout() *Layout {
	columns := make([]Column, len(scalars))
	for i, c := range scalars {
		columns[i] = Column{Name: c.Name, Type: c.Type, Storage: Sparse}
	}
	return NewLayout(3, columns...)
}

// roomsLayout is the schema Available_Rooms_By_Hotel_Date of CassandraHotelSchema.json (HybridRow.Tests.Perf/TestData).
func roomsLayout() *Layout {
	return NewLayout(4, Column{Name: "hotel_id", Type: UTF8, Length: 8}, Column{Name: "date", Type: DateTime},
		Column{Name: "room_number", Type: Uint8}, Column{Name: "is_available", Type: Bool})
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// Rows that Microsoft's own implementation has written are read, and written again as they were.
func TestRowsOfMicrosoft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		layout *Layout
		row    string
		there  int // columns
	}{
		{"fixed", fixedLayout(), fixedRow, 20},
		{"fixed, nothing there", fixedLayout(), fixedNullRow, 0},
		{"variable", variableLayout(), variableRow, 4},
		{"variable, nothing there", variableLayout(), variableNull, 0},
		{"sparse", sparseLayout(), sparseRow[:2*arrayAt], 20},
		{"sparse, nothing there", sparseLayout(), sparseNullRow, 0},
	} {
		bytes := unhex(t, test.row)
		row, err := test.layout.Read(bytes)
		require.NoError(t, err, test.name)
		there := 0
		for i := range row {
			if row.Has(i) {
				there++
			}
		}
		require.Equal(t, test.there, there, test.name)
		require.Equal(t, bytes, test.layout.Append(nil, row), test.name)
	}
	for _, layout := range []*Layout{fixedLayout(), sparseLayout()} {
		row, err := layout.Read(unhex(t, map[int32]string{1: fixedRow, 3: sparseRow[:2*arrayAt]}[layout.ID]))
		require.NoError(t, err)
		require.True(t, row.Bool(1))
		require.EqualValues(t, -1431655766, row.Int32(4))
		require.Equal(t, "abc", row.Text(18))
		require.Equal(t, []byte{0, 1, 2}, row[19])
	}
	_, err := sparseLayout().Read(unhex(t, sparseRow))
	require.ErrorContains(t, err, "type 34 is not known", "an array")
}

// A stream that Microsoft's own implementation has written: RoomsSchemaExpected.hr (HybridRow.Tests.Perf/TestData), with a
// comment and a schema in its segment, and a hundred records.
func TestStreamOfMicrosoft(t *testing.T) {
	t.Parallel()
	stream, err := os.ReadFile("testdata/rooms.hr")
	require.NoError(t, err)
	const segmentLength = 1282
	again := append([]byte{}, stream[:segmentLength]...)
	n, layout := 0, roomsLayout()
	for body, err := range Records(stream) {
		require.NoError(t, err)
		row, err := layout.Read(body)
		require.NoError(t, err)
		again = AppendRecord(again, layout, row)
		n++
	}
	require.Equal(t, 100, n)
	require.Equal(t, stream, again)
	require.Equal(t, "81f0d8ff7f010a000000", hex.EncodeToString(AppendSegment(nil)), "without comment and schema it is its length only")
}

func TestBroken(t *testing.T) {
	t.Parallel()
	rooms, err := os.ReadFile("testdata/rooms.hr")
	require.NoError(t, err)
	whole := func(b []byte) error {
		for _, err := range Records(b) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for n := range rooms {
		switch n {
		case 1282, 1282 + 36, 1282 + 72: // whole records
			require.NoError(t, whole(rooms[:n]))
		case 1282 + 10:
			require.ErrorIs(t, whole(rooms[:n]), errShort)
		}
	}
	flipped := append([]byte{}, rooms[:1282+36]...)
	flipped[1282+20] ^= 1
	require.ErrorIs(t, whole(flipped), errSum)
	require.ErrorIs(t, whole(rooms[1282:]), errSegment)
	require.ErrorIs(t, whole(append(AppendSegment(nil), rooms[1282:1282+13]...)), errShort)
	require.NoError(t, whole(append(AppendSegment(nil), AppendSegment(nil)...)), "a segment without records")
	require.ErrorIs(t, whole(binary.LittleEndian.AppendUint32([]byte{0x81, 0xf0, 0xd8, 0xff, 0x7f, 1}, 9)), errSegment, "shorter than itself")
	for row, want := range map[string]error{
		"":                                   errShort,
		"81030000":                           errShort,
		"80030000000505AA":                   errVersion,
		"8104000000":                         errSchema,
		"81030000000603":                     errShort,
		"81030000001413":                     errShort,
		"810300000014137F6162":               errShort,
		"81030000001413FFFFFFFFFFFFFFFFFF01": errShort,
		"8103000000FFFF":                     errShort,
		"81030000000503AA0503AA":             errColumn,
		"81030000000603AAAA":                 errColumn,
	} {
		_, err := sparseLayout().Read(unhex(t, row))
		require.ErrorIs(t, err, want, row)
	}
	row, err := sparseLayout().Read(unhex(t, "8103000000"+"1417616202"+"6869"+"0503AA"))
	require.NoError(t, err, "a name of two letters that the schema does not know")
	require.Equal(t, []byte{0xaa}, row[2])
}

// FuzzRecords feeds the reader anything: it neither fails nor reads past its end, and what it accepts is written and read
// again as the same values.
func FuzzRecords(f *testing.F) {
	rooms, err := os.ReadFile("testdata/rooms.hr")
	require.NoError(f, err)
	f.Add(rooms)
	f.Add(rooms[:1400])
	layouts := []*Layout{fixedLayout(), variableLayout(), sparseLayout(), roomsLayout()}
	for _, text := range []string{fixedRow, variableRow, sparseRow[:2*arrayAt], sparseRow, fixedNullRow} {
		f.Add(unhex(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		for body, err := range Records(b) {
			size += len(body)
			require.LessOrEqual(t, size, len(b))
			if err == nil {
				readAgain(t, layouts, body)
			}
		}
		readAgain(t, layouts, b)
	})
}

func readAgain(t *testing.T, layouts []*Layout, b []byte) {
	t.Helper()
	for _, layout := range layouts {
		row, err := layout.Read(b)
		if err != nil {
			continue
		}
		again, err := layout.Read(layout.Append(nil, row))
		require.NoError(t, err)
		require.Equal(t, row, again)
	}
}
