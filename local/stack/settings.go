package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tidwall/jsonc"
)

// ReadLocalSettings reads the Values of a local.settings.json; comments are allowed. A
// file that is not there has none.
func ReadLocalSettings(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var content struct {
		IsEncrypted bool
		Values      map[string]string
	}
	if err := json.Unmarshal(jsonc.ToJSON(text), &content); err != nil {
		return nil, fmt.Errorf("%s: %w; Values must be an object of strings", file, err)
	}
	if content.IsEncrypted {
		return nil, fmt.Errorf("%s is encrypted: decrypt it with func settings decrypt", file)
	}
	return content.Values, nil
}
