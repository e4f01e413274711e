package partition

import (
	"math"
	"math/big"
	"strings"

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
		return bound1(uint32(0xFFFFFFFF) / uint32(n) * uint32(i))
	}
	space := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 126), big.NewInt(1))
	step := space.Div(space, big.NewInt(int64(n)))
	return upperHex(step.Mul(step, big.NewInt(int64(i))).FillBytes(make([]byte, 16)))
}

// Halve divides a range into two at its middle; it returns false if there is nothing between its ends.
func (d *Definition) Halve(r Range) (low, high Range, ok bool) {
	const digits = 32
	number := func(epk string) *big.Int {
		n, _ := new(big.Int).SetString((epk + strings.Repeat("0", digits))[:digits], 16) // made by bound, or here
		return n
	}
	first, last := "0", "4"               // version 2 clears the two highest bits
	if d.Kind == Hash && d.Version != 2 { // version 1 begins with a number of 32 bits, in an order of its own
		first, last = bound1(0), bound1(math.MaxUint32)
	}
	from, to := number(max(r.Min, first)), number(min(r.Max, last))
	middle := new(big.Int).Add(from, to)
	middle.Rsh(middle, 1)
	bound := upperHex(middle.FillBytes(make([]byte, 16)))
	if bound <= r.Min || middle.Cmp(to) >= 0 {
		return r, r, false
	}
	return Range{Min: r.Min, Max: bound}, Range{Min: bound, Max: r.Max}, true
}

// bound1 is the beginning of version 1's keys with that hash.
func bound1(hash uint32) string { return upperHex(appendOrdered(nil, sql.NumberOf(float64(hash)))) }
