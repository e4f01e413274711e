package minicosmos

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// home is the container that documents live in, as far as it never changes and shows in them.
type home struct {
	number   uint32 // unique per incarnation, never used again
	database uint32 // number of its database
	rid      string // "_rid", from both numbers
	self     string // "_self": dbs/<rid>/colls/<rid>/
	pk       partition.Definition
}

// rids are little resource ids: a database's four bytes, a container's eight, a
// document's sixteen, in the service's variant of base64.
var ridEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-")

// newHome is that of a container of a database, both by number.
func newHome(database, number uint32) home {
	rid := containerRID(database, number)
	return home{number: number, database: database, rid: rid, self: "dbs/" + databaseRID(database) + "/colls/" + rid + "/"}
}

func databaseRID(number uint32) string {
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, number))
}

func containerRID(database, number uint32) string {
	b := binary.LittleEndian.AppendUint32(nil, database)
	return ridEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, number|1<<31))
}

func (h *home) documentRID(number uint64) string {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 16), h.database)
	b = binary.BigEndian.AppendUint32(b, h.number|1<<31)
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint64(b, number))
}
