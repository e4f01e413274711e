package mutants

// All are the mutants that the chaos run catches. Those of the simulation alone stand behind
// them.
var All = []Mutant{
	{
		Name: "the dispatcher settles what it has tried to send",
		Edit: Edit{
			File: "outbox/dispatcher.go",
			Old:  "if sent > 0 {\n",
			New:  "if sent = len(ready); failure != nil {\n\t\tfailure = nil\n\t}\n\tif sent > 0 {\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "the dispatcher settles before it sends",
		Edit: Edit{
			File: "outbox/dispatcher.go",
			Old:  "sent, failure := w.send(ctx, ready)\n",
			New:  "_ = w.d.queue.Settle(ctx, w.key, ready)\n\tsent, failure := w.send(ctx, ready)\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "nobody finds what the fast path has left",
		Edit: Edit{
			File: "azure/cosmos/queue.go",
			Old:  "func (o *Outbox) Find(ctx context.Context, visit func([]outbox.Head) error) error {\n",
			New:  "func (o *Outbox) Find(ctx context.Context, visit func([]outbox.Head) error) error {\n\tif visit != nil {\n\t\treturn nil\n\t}\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "a lost answer of the broker is taken for an acknowledgement",
		Edit: Edit{
			File: "azure/servicebus/shipment.go",
			Old:  "fault := diagnose(ctx, err, sending)\n",
			New:  "fault := diagnose(ctx, err, sending)\n\tif !fault.class.Permanent() {\n\t\treturn nil, false\n\t}\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "the sender goes on behind the first failure",
		Edit: Edit{
			File: "azure/servicebus/call.go",
			Old:  "if c.results[j] != nil && c.events[j].Key == c.events[i].Key {\n",
			New:  "if c.results[j] != nil && c.events[j].Key != c.events[i].Key && false {\n",
		},
		Breaks: Order,
	},
	{
		Name: "the newest pending event goes out first",
		Edit: Edit{
			File: "azure/cosmos/queue.go",
			Old:  "AND c.seq > @after ORDER BY c.seq\"\n",
			New:  "AND c.seq > @after ORDER BY c.seq DESC\"\n",
		},
		Breaks: Order,
	},
	{
		Name: "pending events expire",
		Edit: Edit{
			File: "azure/cosmos/documents.go",
			Old:  "	ETag        string          `json:\"_etag,omitempty\"` // set by the store\n",
			New:  "	TTL         int64           `json:\"ttl,omitempty\"`\n	ETag        string          `json:\"_etag,omitempty\"` // set by the store\n",
		},
		And: []Edit{{
			File: "azure/cosmos/documents.go",
			Old:  "Kind: \"event\", Pending: true,",
			New:  "Kind: \"event\", Pending: true, TTL: 1,",
		}},
		Breaks: NoLoss,
	},
	{
		Name: "the consumer applies what it has applied",
		Edit: Edit{
			File: "inbox/incarnation.go",
			Old:  "\t\treturn in, 0, copied\n",
			New:  "\t\treturn in, 0, due\n",
		},
		And: []Edit{
			{File: "inbox/batch.go", Old: "in.Data, in.LastSeq = data, e.Seq\n", New: "in.Data, in.LastSeq = data, max(in.LastSeq, e.Seq)\n"},
		},
		Breaks: OneEffect,
	},
	{
		Name: "the consumer gives up when its store is away, and says nothing",
		Edit: Edit{
			File: "inbox/lane.go",
			Old:  "\tl.failures++\n\tvar wish",
			New:  "\tl.i.mu.Lock()\n\tfor _, c := range calls {\n\t\tif !c.finished() {\n\t\t\tc.outcome = Applied\n\t\t\tl.close(c)\n\t\t}\n\t}\n\tl.i.mu.Unlock()\n\tl.failures++\n\tvar wish",
		},
		Breaks: NoLoss,
	},
}
