package topology

import "errors"

// ErrConfig: Config.json cannot be used; the text names each key and the remedy. Change the file.
var ErrConfig = errors.New("broker configuration")
