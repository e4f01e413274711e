package wire

import "math/bits"

// The model of request units. The service's own figures depend on what it does inside;
// these keep its proportions (a write costs several reads, a replace more than a
// create, size counts), so that sums over a run mean something.
//
//	point read             1 up to 1 KB, growing to 10 at 100 KB
//	create                 5.8 per KB, sizes rounded up to a power of two
//	replace, patch, delete 1.5 times a create of the same size
//	index                  0.3 per indexed value of the document
//	query page             2.5 per physical range, 0.05 per document looked at,
//	                       1 per KB of result
//	change feed page       2, 1 per KB of result, 0.05 per other document looked at
//	throttled              0.38, not counted against a budget
//	refused write or read  1.24; what a failed batch never tried is free
const (
	chargeCreatePerKB  = 5.8
	chargeChangeFactor = 1.5
	chargePerIndexed   = 0.3
	chargeQueryRange   = 2.5
	chargeLookedAt     = 0.05
	chargeChangePage   = 2
	ChargeRefused      = 1.24
	ChargeThrottled    = 0.38
	ChargeDefinition   = 5
	ChargeMetadata     = 1
)

// ChargeRead is that of a document of that size.
func ChargeRead(size int) float64 {
	kb := float64(max(size, 1024)) / 1024
	return 1 + 9*(kb-1)/99
}

// ChargeCreate is that of a document of that size with so many indexed paths.
func ChargeCreate(size, indexed int) float64 {
	kb := max(1, (size+1023)/1024)
	rounded := 1 << bits.Len(uint(kb-1))
	return chargeCreatePerKB*float64(rounded) + chargePerIndexed*float64(indexed)
}

// ChargeChange is that of what replaces, patches or removes such a document.
func ChargeChange(size, indexed int) float64 { return chargeChangeFactor * ChargeCreate(size, indexed) }

// ChargeQuery is that of a page of a query over so many physical ranges.
func ChargeQuery(ranges, lookedAt, resultBytes int) float64 {
	return chargeQueryRange*float64(ranges) + chargeLookedAt*float64(lookedAt) + float64((resultBytes+1023)/1024)
}

// ChargeChanges is that of a page of the change feed.
func ChargeChanges(passedOver, resultBytes int) float64 {
	return chargeChangePage + chargeLookedAt*float64(passedOver) + float64((resultBytes+1023)/1024)
}
