package document

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// Home is the container that documents live in, as far as it never changes and shows in them.
type Home struct {
	Number   uint32               // unique per incarnation, never used again
	database uint32               // number of its database
	RID      string               // "_rid", from both numbers
	Self     string               // "_self": dbs/<rid>/colls/<rid>/
	PK       partition.Definition // the paths of the partition key
}

// rids are little resource ids: a database's four bytes, a container's eight, a
// document's sixteen, in the service's variant of base64.
var ridEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-")

// NewHome is that of a container of a database, both by number.
func NewHome(database, number uint32) Home {
	rid := ContainerRID(database, number)
	return Home{Number: number, database: database, RID: rid, Self: "dbs/" + DatabaseRID(database) + "/colls/" + rid + "/"}
}

// DatabaseRID is a database's "_rid".
func DatabaseRID(number uint32) string {
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, number))
}

// ContainerRID is a container's "_rid".
func ContainerRID(database, number uint32) string {
	b := binary.LittleEndian.AppendUint32(nil, database)
	return ridEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, number|1<<31))
}

// DocumentNumber reads the number from the "_rid" of a document of this container.
func (h *Home) DocumentNumber(rid string) (number uint64, ok bool) {
	b, err := ridEncoding.DecodeString(rid)
	if err != nil || len(b) != 16 {
		return 0, false
	}
	number = binary.LittleEndian.Uint64(b[8:])
	return number, h.DocumentRID(number) == rid
}

// DocumentRID is the "_rid" of the document with that number.
func (h *Home) DocumentRID(number uint64) string {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 16), h.database)
	b = binary.BigEndian.AppendUint32(b, h.Number|1<<31)
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint64(b, number))
}
