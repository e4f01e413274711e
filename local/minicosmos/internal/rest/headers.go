package rest

import (
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// meaning is a header that changes what a request means and that this server does not honour, but for values that ask for
// nothing. The names are as net/http writes them.
type meaning struct {
	header  string
	nothing string // "" for no value
}

var meanings = []meaning{
	{"X-Ms-Documentdb-Pre-Trigger-Include", ""},
	{"X-Ms-Documentdb-Post-Trigger-Include", ""},
	{"X-Ms-Indexing-Directive", "default include"},
	{"X-Ms-Documentdb-Content-Serialization-Format", "jsontext"},
	{"X-Ms-Enumeration-Direction", "forward"},
	{"X-Ms-Start-Id", ""},
	{"X-Ms-End-Id", ""},
	{"X-Ms-Documentdb-Populatepartitionstatistics", "false"},
}

// checkHeaders refuses what would be taken and not done.
func checkHeaders(h http.Header) *refusal.Error {
	for i := range meanings {
		values := h[meanings[i].header]
		if len(values) == 0 || values[0] == "" {
			continue
		}
		if !strings.Contains(" "+meanings[i].nothing+" ", " "+strings.ToLower(values[0])+" ") {
			return refusal.BadRequest("The header %s is not supported here with the value %q.", strings.ToLower(meanings[i].header), values[0])
		}
	}
	return nil
}

// intended refuses a request that was meant for a container before this one under the same name.
func (r *call) intended(c *account.Container) *refusal.Error {
	if rid := r.Header.Get("X-Ms-Cosmos-Intended-Collection-Rid"); rid != "" && rid != c.RID {
		return &refusal.Error{Status: http.StatusBadRequest, Substatus: 1024, Code: "BadRequest",
			Message: "The container was made anew: its _rid is " + c.RID + ", not " + rid + "."}
	}
	return nil
}
