package rest

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// rangeFeed answers /pkranges: the physical ranges. SDKs read it incrementally until
// they get 304 for the ETag of the last answer; without that they give up.
func (s *Service) rangeFeed(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	if r.Method != http.MethodGet {
		return nil, refusal.NotAllowed("The feed of ranges knows GET.")
	}
	l := c.Layout()
	etag := `"` + strconv.Itoa(len(l.All)) + `"` // each split adds two
	if r.Header.Get("If-None-Match") == etag {
		return &wire.Answer{Status: http.StatusNotModified, ETag: etag, Charge: wire.ChargeMetadata, Count: 0}, nil
	}
	list := make([]sql.Value, len(l.Live))
	for i, p := range l.Live {
		rid := c.DocumentRID(1<<62 | uint64(p.ID))
		parents := make([]sql.Value, len(p.Parents))
		for j, id := range p.Parents {
			parents[j] = sql.StringOf(strconv.Itoa(id))
		}
		list[i] = sql.ObjectOf(
			[]string{"_rid", "id", "_etag", "minInclusive", "maxExclusive", "ridPrefix", "_self", "throughputFraction", "status", "parents", "_ts"},
			[]sql.Value{sql.StringOf(rid), sql.StringOf(strconv.Itoa(p.ID)), sql.StringOf(etag), sql.StringOf(p.Min), sql.StringOf(p.Max), sql.NumberOf(float64(p.ID)),
				sql.StringOf(c.Self + "pkranges/" + rid + "/"), sql.NumberOf(1 / float64(len(l.Live))), sql.StringOf("online"), sql.ArrayOf(parents), c.Properties().Get("_ts")})
	}
	a := wire.Feed(c.RID, "PartitionKeyRanges", list)
	a.ETag = etag
	return a, nil
}

// part reads x-ms-documentdb-partitionkeyrangeid, x-ms-start-epk and x-ms-end-epk.
func (r *call) part() (query.Part, *refusal.Error) {
	p := query.Part{ID: -1}
	if header := r.Header.Get("X-Ms-Documentdb-Partitionkeyrangeid"); header != "" {
		n, err := strconv.Atoi(header[strings.LastIndexByte(header, ',')+1:]) // "<container rid>,<range>" is legal too
		if err != nil || n < 0 {
			return p, refusal.BadRequest("The header x-ms-documentdb-partitionkeyrangeid %q names no range.", header)
		}
		p.ID = n
	}
	from, to := r.Header.Get("X-Ms-Start-Epk"), r.Header.Get("X-Ms-End-Epk")
	if from == "" && to == "" {
		return p, nil
	}
	if !validEPK(from) || !validEPK(to) || to != "" && to <= from {
		return p, refusal.BadRequest("The headers x-ms-start-epk %q and x-ms-end-epk %q are not the bounds of a range: hexadecimal digits, the first below the second.", from, to)
	}
	if to == "" {
		to = partition.MaxEPK
	}
	p.Keys = &partition.Range{Min: from, Max: to}
	return p, nil
}

// validEPK tells whether a client's bound of a key range is one: upper-case hexadecimal digits, or nothing.
func validEPK(s string) bool {
	_, err := hex.DecodeString(s)
	return (err == nil || s == partition.MaxEPK) && s == strings.ToUpper(s)
}
