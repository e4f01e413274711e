package minicosmos

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// rangeFeed answers /pkranges: the physical ranges. SDKs read it incrementally until
// they get 304 for the ETag of the last answer; without that they give up.
func (s *service) rangeFeed(r *call, c *container) (*answer, *Error) {
	if r.Method != http.MethodGet {
		return nil, notAllowed("The feed of ranges knows GET.")
	}
	l := c.Layout()
	etag := `"` + strconv.Itoa(len(l.all)) + `"` // each split adds two
	if r.Header.Get("If-None-Match") == etag {
		return &answer{status: http.StatusNotModified, etag: etag, charge: chargeMetadata, count: 0}, nil
	}
	list := make([]sql.Value, len(l.live))
	for i, p := range l.live {
		rid := c.documentRID(1<<62 | uint64(p.id))
		parents := make([]sql.Value, len(p.parents))
		for j, id := range p.parents {
			parents[j] = sql.StringOf(strconv.Itoa(id))
		}
		list[i] = sql.ObjectOf(
			[]string{"_rid", "id", "_etag", "minInclusive", "maxExclusive", "ridPrefix", "_self", "throughputFraction", "status", "parents", "_ts"},
			[]sql.Value{sql.StringOf(rid), sql.StringOf(strconv.Itoa(p.id)), sql.StringOf(etag), sql.StringOf(p.Min), sql.StringOf(p.Max), sql.NumberOf(float64(p.id)),
				sql.StringOf(c.self + "pkranges/" + rid + "/"), sql.NumberOf(1 / float64(len(l.live))), sql.StringOf("online"), sql.ArrayOf(parents), c.Properties().Get("_ts")})
	}
	a := feed(c.rid, "PartitionKeyRanges", list)
	a.etag = etag
	return a, nil
}

// part reads x-ms-documentdb-partitionkeyrangeid, x-ms-start-epk and x-ms-end-epk.
func (r *call) part() (part, *Error) {
	p := part{id: -1}
	if header := r.Header.Get("X-Ms-Documentdb-Partitionkeyrangeid"); header != "" {
		n, err := strconv.Atoi(header[strings.LastIndexByte(header, ',')+1:]) // "<container rid>,<range>" is legal too
		if err != nil || n < 0 {
			return p, badRequest("The header x-ms-documentdb-partitionkeyrangeid %q names no range.", header)
		}
		p.id = n
	}
	from, to := r.Header.Get("X-Ms-Start-Epk"), r.Header.Get("X-Ms-End-Epk")
	if from == "" && to == "" {
		return p, nil
	}
	if !validEPK(from) || !validEPK(to) || to != "" && to <= from {
		return p, badRequest("The headers x-ms-start-epk %q and x-ms-end-epk %q are not the bounds of a range: hexadecimal digits, the first below the second.", from, to)
	}
	if to == "" {
		to = partition.MaxEPK
	}
	p.keys = &partition.Range{Min: from, Max: to}
	return p, nil
}

// validEPK tells whether a client's bound of a key range is one: upper-case hexadecimal digits, or nothing.
func validEPK(s string) bool {
	_, err := hex.DecodeString(s)
	return (err == nil || s == partition.MaxEPK) && s == strings.ToUpper(s)
}
