package minicosmos

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// rangeFeed answers /pkranges: the physical ranges. SDKs read it incrementally until
// they get 304 for the ETag of the last answer; without that they give up.
func (s *Server) rangeFeed(r *request, c *container) (*answer, *Error) {
	if r.Method != http.MethodGet {
		return nil, notAllowed("The feed of ranges knows GET.")
	}
	etag := `"` + strconv.Itoa(len(c.ranges)) + `"`
	if r.Header.Get("If-None-Match") == etag {
		return &answer{status: http.StatusNotModified, etag: etag, charge: chargeMetadata, count: 0}, nil
	}
	list := make([]sql.Value, len(c.ranges))
	for i, rng := range c.ranges {
		id := strconv.Itoa(i)
		rid := c.documentRID(1<<62 | uint64(i))
		list[i] = sql.ObjectOf(
			[]string{"_rid", "id", "_etag", "minInclusive", "maxExclusive", "ridPrefix", "_self", "throughputFraction", "status", "parents", "_ts"},
			[]sql.Value{sql.StringOf(rid), sql.StringOf(id), sql.StringOf(etag), sql.StringOf(rng.Min), sql.StringOf(rng.Max), sql.NumberOf(float64(i)),
				sql.StringOf(c.self + "pkranges/" + rid + "/"), sql.NumberOf(1 / float64(len(c.ranges))), sql.StringOf("online"), sql.ArrayOf(nil), c.properties.Load().Get("_ts")})
	}
	a := feed(c.rid, "PartitionKeyRanges", list)
	a.etag = etag
	return a, nil
}

// selectedRange reads x-ms-documentdb-partitionkeyrangeid: the index of a range, -1 for all.
func (c *container) selectedRange(header string) (int, *Error) {
	if header == "" {
		return -1, nil
	}
	id := header[strings.LastIndexByte(header, ',')+1:] // "<container rid>,<range>" is legal too
	i, err := strconv.Atoi(id)
	if err != nil || i < 0 || i >= len(c.ranges) {
		return -1, &Error{Status: http.StatusGone, Substatus: 1002, Code: "Gone", Message: "The partition key range " + strconv.Quote(header) + " does not exist."}
	}
	return i, nil
}

// sessionToken is range:version#LSN#region=LSN for what a range shows now.
func (c *container) sessionToken(rng uint16) (token string, lsn uint64) {
	lsn = c.durableLSN[rng].Load()
	n := strconv.FormatUint(lsn, 10)
	return strconv.Itoa(int(rng)) + ":0#" + n + "#0=" + n, lsn
}
