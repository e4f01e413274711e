package amqpwire

// Source (3.5.3) is where a link's messages come from.
type Source struct {
	Address          string
	Durable          uint32
	ExpiryPolicy     Symbol
	Timeout          uint32
	Dynamic          bool
	DynamicNodeProps Raw
	DistributionMode Symbol
	Filter           Map
	DefaultOutcome   Raw
	Outcomes         []Symbol
	Capabilities     []Symbol
}

func (s *Source) code() byte { return 0x28 }
func (s *Source) layout(c *coder) {
	c.string(&s.Address)
	c.uint(&s.Durable)
	c.symbol(&s.ExpiryPolicy)
	c.uint(&s.Timeout)
	c.bool(&s.Dynamic)
	c.raw(&s.DynamicNodeProps)
	c.symbol(&s.DistributionMode)
	c.mapping(&s.Filter)
	c.raw(&s.DefaultOutcome)
	c.symbols(&s.Outcomes)
	c.symbols(&s.Capabilities)
}

// Target (3.5.4) is where they go.
type Target struct {
	Address          string
	Durable          uint32
	ExpiryPolicy     Symbol
	Timeout          uint32
	Dynamic          bool
	DynamicNodeProps Raw
	Capabilities     []Symbol
}

func (t *Target) code() byte { return 0x29 }
func (t *Target) layout(c *coder) {
	c.string(&t.Address)
	c.uint(&t.Durable)
	c.symbol(&t.ExpiryPolicy)
	c.uint(&t.Timeout)
	c.bool(&t.Dynamic)
	c.raw(&t.DynamicNodeProps)
	c.symbols(&t.Capabilities)
}
