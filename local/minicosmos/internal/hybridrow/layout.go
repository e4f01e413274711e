package hybridrow

// Type is the type of a column, by the code that sparse columns carry.
type Type byte

// The scalar types. False is how a sparse column says that a Bool is false.
const (
	Null            Type = 1
	False           Type = 2
	Bool            Type = 3
	Int8            Type = 5
	Int16           Type = 6
	Int32           Type = 7
	Int64           Type = 8
	Uint8           Type = 9
	Uint16          Type = 10
	Uint32          Type = 11
	Uint64          Type = 12
	VarInt          Type = 13
	VarUint         Type = 14
	Float32         Type = 15
	Float64         Type = 16
	Decimal         Type = 17
	DateTime        Type = 18
	GUID            Type = 19
	UTF8            Type = 20
	Binary          Type = 21
	Float128        Type = 22
	UnixDateTime    Type = 23
	MongoDBObjectID Type = 24
)

// sizes are the bytes of each type's value; 0 for those that have none, or any number.
var sizes = [...]int{
	Int8: 1, Int16: 2, Int32: 4, Int64: 8, Uint8: 1, Uint16: 2, Uint32: 4, Uint64: 8, Float32: 4, Float64: 8,
	Decimal: 16, DateTime: 8, GUID: 16, Float128: 16, UnixDateTime: 8, MongoDBObjectID: 12,
}

// Storage is where in a row a column stands.
type Storage byte

// The places.
const (
	Fixed Storage = iota
	Variable
	Sparse
)

// Column is one column of a layout.
type Column struct {
	Name    string
	Type    Type
	Storage Storage
	Length  int  // bytes of a fixed UTF8 or Binary
	Always  bool // it is fixed and has no bit: it is there
}

// Layout is a schema: an id and its columns, in the order of their storage. It does not change.
type Layout struct {
	ID      int32
	columns []column
	size    int // bytes of bits and fixed columns
}

// column is a Column with its place.
type column struct {
	Column
	bit   int // that says whether it is there, -1 for none
	truth int // the bit that is the value of a fixed Bool, -1 for none
	at    int // where a fixed one begins, behind the header
	size  int // of a fixed one
}

// NewLayout gives columns their places: bits first, then what is fixed.
func NewLayout(id int32, columns ...Column) *Layout {
	l := &Layout{ID: id, columns: make([]column, len(columns))}
	bits, fixed := 0, 0
	take := func() int { bits++; return bits - 1 }
	for i, c := range columns {
		placed := column{Column: c, bit: -1, truth: -1}
		if c.Storage != Sparse && !c.Always {
			placed.bit = take()
		}
		if c.Storage == Fixed {
			if c.Type == Bool {
				placed.truth = take()
			}
			placed.at, placed.size = fixed, max(sizeOf(c.Type), c.Length)
			fixed += placed.size
		}
		l.columns[i] = placed
	}
	for i := range l.columns {
		l.columns[i].at += (bits + 7) / 8
	}
	l.size = (bits+7)/8 + fixed
	return l
}

func sizeOf(t Type) int {
	if int(t) < len(sizes) {
		return sizes[t]
	}
	return 0
}
