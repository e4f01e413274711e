package partition

import (
	"math/big"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The ends of the key space.
const (
	MinEPK = ""
	MaxEPK = "FF"
)

// Range is a physical range of effective partition keys: Min inclusive, Max exclusive.
type Range struct{ Min, Max string }

// Contains tells whether an effective partition key lies in the range.
func (r Range) Contains(epk string) bool { return epk >= r.Min && epk < r.Max }

// Split divides the whole key space into n equal ranges, as the service does for a new
// container.
func (d *Definition) Split(n int) []Range {
	ranges := make([]Range, 0, n)
	from := MinEPK
	for i := 1; i < n; i++ {
		bound := d.bound(i, n)
		ranges = append(ranges, Range{Min: from, Max: bound})
		from = bound
	}
	return append(ranges, Range{Min: from, Max: MaxEPK})
}

// bound is the upper end of the i-th of n ranges.
func (d *Definition) bound(i, n int) string {
	if d.Kind == Hash && d.Version != 2 {
		return upperHex(appendOrdered(nil, sql.NumberOf(float64(uint32(0xFFFFFFFF)/uint32(n)*uint32(i)))))
	}
	space := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 126), big.NewInt(1))
	step := space.Div(space, big.NewInt(int64(n)))
	return upperHex(step.Mul(step, big.NewInt(int64(i))).FillBytes(make([]byte, 16)))
}
