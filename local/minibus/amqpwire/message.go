package amqpwire

// Section codes (3.2).
const (
	sectionHeader                = 0x70
	sectionDeliveryAnnotations   = 0x71
	sectionMessageAnnotations    = 0x72
	sectionProperties            = 0x73
	sectionApplicationProperties = 0x74
	sectionData                  = 0x75
	sectionSequence              = 0x76
	sectionValue                 = 0x77
	sectionFooter                = 0x78
)

// Message is an encoded message cut into sections. Each field holds the described value, descriptor included, and
// points into what was given to Split; nil sections are absent. Body is all body sections together.
type Message struct {
	Header                Raw
	DeliveryAnnotations   Raw
	MessageAnnotations    Raw
	Properties            Raw
	ApplicationProperties Raw
	Body                  Raw
	Footer                Raw
}

// Split cuts an encoded message into its sections and checks their order and form (3.2). Two may stand anywhere but inside
// the body: rhea writes the footer before it, Python's client the delivery annotations behind it.
func Split(b []byte) (Message, error) {
	var m Message
	r := NewReader(b)
	last, bodyFrom, bodyTo := uint64(0), 0, 0
	for r.Len() > 0 {
		from := r.off
		code, err := r.descriptor()
		if err != nil {
			return Message{}, err
		}
		repeated := code == last && (code == sectionData || code == sectionSequence) && from == bodyTo
		switch {
		case code == sectionFooter, code == sectionDeliveryAnnotations:
		case code <= last && !repeated, last >= sectionData && !repeated:
			return Message{}, malformed("section 0x%x after 0x%x", code, last)
		default:
			last = code
		}
		if err := r.section(code); err != nil {
			return Message{}, err
		}
		if code >= sectionData && code <= sectionValue {
			if !repeated {
				bodyFrom = from
			}
			from, bodyTo = bodyFrom, r.off // body sections are adjacent: the range grows
		}
		if !m.put(code, b[from:r.off:r.off]) {
			return Message{}, malformed("section 0x%x, which is not known or there already", code)
		}
	}
	return m, nil
}

// section checks the value of one section against the type that its descriptor demands.
func (r *Reader) section(code uint64) error {
	if r.Len() == 0 {
		return ErrTruncated
	}
	c := r.buf[r.off]
	ok := true
	switch code {
	case sectionHeader, sectionProperties, sectionSequence:
		ok = c == codeList0 || c == codeList8 || c == codeList32
	case sectionDeliveryAnnotations, sectionMessageAnnotations, sectionApplicationProperties, sectionFooter:
		ok = c == codeMap8 || c == codeMap32
	case sectionData:
		ok = c == codeBinary8 || c == codeBinary32
	}
	if !ok {
		return malformed("constructor 0x%02x in section 0x%x", c, code)
	}
	return r.skip(0)
}

// put keeps a section. It reports false if there is none with this code, or one already.
func (m *Message) put(code uint64, raw Raw) bool {
	to := &m.Body
	switch code {
	case sectionHeader:
		to = &m.Header
	case sectionDeliveryAnnotations:
		to = &m.DeliveryAnnotations
	case sectionMessageAnnotations:
		to = &m.MessageAnnotations
	case sectionProperties:
		to = &m.Properties
	case sectionApplicationProperties:
		to = &m.ApplicationProperties
	case sectionFooter:
		to = &m.Footer
	case sectionData, sectionSequence, sectionValue:
		*to = raw
		return true
	default:
		return false
	}
	if *to != nil {
		return false
	}
	*to = raw
	return true
}

// DataSections returns the contents of a body that consists of data sections, as a batch does (message format 0x80013700).
func (m Message) DataSections() ([][]byte, error) {
	var parts [][]byte
	for r := NewReader(m.Body); r.Len() > 0; {
		code, err := r.descriptor()
		if err != nil {
			return nil, err
		}
		v, err := r.value(0)
		if err != nil {
			return nil, err
		}
		b, ok := v.([]byte)
		if code != sectionData || !ok {
			return nil, malformed("section 0x%x where data must stand", code)
		}
		parts = append(parts, b)
	}
	return parts, nil
}

// BodyValue decodes an amqp-value body; other bodies give nil.
func (m Message) BodyValue() (any, error) {
	if len(m.Body) == 0 {
		return nil, nil
	}
	r := NewReader(m.Body)
	if code, err := r.descriptor(); err != nil || code != sectionValue {
		return nil, err
	}
	return r.value(0)
}

// AppendSectionMap starts a map section (annotations, application properties) of count pairs; pairs writes them.
func AppendSectionMap(b []byte, code byte, count int, pairs func([]byte) []byte) []byte {
	b = append(b, codeDescribed, codeSmallUlong, code)
	return appendCompound(b, codeMap32, 2*count, pairs)
}

// Codes of the map sections for AppendSectionMap.
const (
	DeliveryAnnotations   byte = sectionDeliveryAnnotations
	MessageAnnotations    byte = sectionMessageAnnotations
	ApplicationProperties byte = sectionApplicationProperties
)

// AppendData encodes a data section.
func AppendData(b, data []byte) []byte {
	return Append(append(b, codeDescribed, codeSmallUlong, sectionData), data)
}

// AppendValue encodes an amqp-value section.
func AppendValue(b []byte, v any) []byte {
	return Append(append(b, codeDescribed, codeSmallUlong, sectionValue), v)
}

// Header is the transport header (3.2.1).
type Header struct {
	Durable       *bool
	Priority      *uint8
	TTL           *uint32 // milliseconds
	FirstAcquirer *bool
	DeliveryCount *uint32
}

func (h *Header) code() byte { return sectionHeader }
func (h *Header) layout(c *coder) {
	c.optBool(&h.Durable)
	c.optUbyte(&h.Priority)
	c.optUint(&h.TTL)
	c.optBool(&h.FirstAcquirer)
	c.optUint(&h.DeliveryCount)
}

// Properties is the bare message's own header (3.2.4). IDs are of any of four types.
type Properties struct {
	MessageID          any
	UserID             []byte
	To                 *string
	Subject            *string
	ReplyTo            *string
	CorrelationID      any
	ContentType        Symbol
	ContentEncoding    Symbol
	AbsoluteExpiryTime *Timestamp
	CreationTime       *Timestamp
	GroupID            *string
	GroupSequence      *uint32
	ReplyToGroupID     *string
}

func (p *Properties) code() byte { return sectionProperties }
func (p *Properties) layout(c *coder) {
	c.value(&p.MessageID)
	c.binary(&p.UserID)
	c.optString(&p.To)
	c.optString(&p.Subject)
	c.optString(&p.ReplyTo)
	c.value(&p.CorrelationID)
	c.symbol(&p.ContentType)
	c.symbol(&p.ContentEncoding)
	c.timestamp(&p.AbsoluteExpiryTime)
	c.timestamp(&p.CreationTime)
	c.optString(&p.GroupID)
	c.optUint(&p.GroupSequence)
	c.optString(&p.ReplyToGroupID)
}

// Decode reads a header section; a nil section gives an empty Header.
func (h *Header) Decode(section Raw) error { return decodeSection(section, h) }

// Append encodes the section.
func (h *Header) Append(b []byte) []byte { return appendComposite(b, h) }

// Decode reads a properties section; a nil section gives empty Properties. UserID points into it.
func (p *Properties) Decode(section Raw) error { return decodeSection(section, p) }

// Append encodes the section.
func (p *Properties) Append(b []byte) []byte { return appendComposite(b, p) }

func decodeSection(section Raw, v composite) error {
	if section == nil {
		return nil
	}
	r := NewReader(section)
	if _, err := r.descriptor(); err != nil {
		return err
	}
	return r.fields(v)
}

// SetMessageID returns a properties section like the one given (nil: none) with another message-id, which is a string.
// All other fields keep their encoding.
func SetMessageID(section Raw, id string) (Raw, error) {
	out := []byte{codeDescribed, codeSmallUlong, sectionProperties}
	fields, err := rawFields(section)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		fields = make([]Raw, 1)
	}
	fields[0] = AppendString(nil, id)
	return appendCompound(out, codeList32, len(fields), func(b []byte) []byte {
		for _, f := range fields {
			b = append(b, f...)
		}
		return b
	}), nil
}

func rawFields(section Raw) ([]Raw, error) {
	if section == nil {
		return nil, nil
	}
	r := NewReader(section)
	if _, err := r.descriptor(); err != nil {
		return nil, err
	}
	code, err := r.byte()
	if err != nil || code == codeList0 {
		return nil, err
	}
	in, n, err := r.compound(code == codeList32)
	if err != nil {
		return nil, err
	}
	fields := make([]Raw, 0, min(n, in.Len()))
	for range n {
		f, err := in.Raw()
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}
