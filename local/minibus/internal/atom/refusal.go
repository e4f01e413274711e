package atom

import (
	"encoding/xml"
	"fmt"
)

// Refusal is a refusal: the error, and the reply in the service's shape.
type Refusal struct {
	XMLName xml.Name `xml:"Error"`
	Code    int
	Detail  string
}

func (e *Refusal) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Detail) }

// Refuse makes a refusal of an HTTP status and a text.
func Refuse(code int, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
