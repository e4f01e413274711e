package access

import (
	"fmt"
	"strings"
)

// Part returns the value of a part of a connection string, `Name=Value;Name=Value`, "" if
// there is none. Parts come in any order and their names in any case; of two with one name
// the last one holds, as for the SDKs.
func Part(connectionString, name string) string {
	value := ""
	for part := range strings.SplitSeq(connectionString, ";") {
		if n, v, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(n, name) {
			value = v
		}
	}
	return value
}

// CheckPlace refuses a connection string where the place of a service belongs, for which
// wanted is the word. Its error does not repeat s, which may hold a key.
func CheckPlace(s, wanted string) error {
	if strings.ContainsAny(s, ";=") {
		return fmt.Errorf("it looks like a connection string and should be %s", wanted)
	}
	return nil
}
