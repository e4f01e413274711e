package request

import (
	"bytes"

	"github.com/relaybox/relaybox/entity/problem"
)

// formats are what is taken for JSON by mistake, by the bytes that such a body begins with.
// No JSON text begins with any of them. The host drops Content-Encoding, so this is how a
// compressed body is known.
var formats = []struct{ begins, name, remedy string }{
	{"\x1f\x8b", "compressed (gzip)", uncompressed},
	{"\x28\xb5\x2f\xfd", "compressed (zstd)", uncompressed},
	{"\x78\x01", "compressed (deflate)", uncompressed},
	{"\x78\x5e", "compressed (deflate)", uncompressed},
	{"\x78\x9c", "compressed (deflate)", uncompressed},
	{"\x78\xda", "compressed (deflate)", uncompressed},
	{"\x1f\x9d", "compressed (compress)", uncompressed},
	{"BZh", "compressed (bzip2)", uncompressed},
	{"\xfd7zXZ\x00", "compressed (xz)", uncompressed},
	{"PK\x03\x04", "a zip archive", uncompressed},
	{"\xff\xfe\x00\x00", "UTF-32", recoded},
	{"\x00\x00\xfe\xff", "UTF-32", recoded},
	{"\xff\xfe", "UTF-16", recoded},
	{"\xfe\xff", "UTF-16", recoded},
	{"{\x00\x00\x00", "UTF-32", recoded},
	{"\x00\x00\x00{", "UTF-32", recoded},
	{"{\x00", "UTF-16", recoded},
	{"\x00{", "UTF-16", recoded},
	{"\xef\xbb\xbf", "UTF-8 with a byte order mark", "send it without the mark, the first three bytes."},
}

const (
	uncompressed = "send the JSON text as it is, without a Content-Encoding."
	recoded      = "JSON is UTF-8."
)

// otherFormat says what a body is that begins like no JSON text, nil for all others.
func otherFormat(body []byte) *problem.Problem {
	for _, f := range formats {
		if bytes.HasPrefix(body, []byte(f.begins)) {
			return problem.New(problem.MediaType, "The body looks like %s: %s", f.name, f.remedy)
		}
	}
	return nil
}
