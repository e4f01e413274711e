package mutants

// Simulated are the mutants that the simulation catches beside those of All: they take two
// consumers at once, a lagging replica, or an answer that is lost in the right moment.
var Simulated = []Mutant{
	{
		Name: "the read model is replaced whatever it is by now",
		Edit: Edit{
			File: "azure/cosmos/inbox.go",
			Old:  "t.ReplaceItem(modelDocID, model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})\n",
			New:  "_ = tag\n\t\t\tt.ReplaceItem(modelDocID, model, nil)\n",
		},
		Breaks: OneEffect,
	},
	{
		Name: "the lane goes on behind the first failure",
		Edit: Edit{
			File: "azure/servicebus/lane.go",
			Old:  "group.fail(rest, *f)\n\t\t\treturn\n",
			New:  "group.fail(rest[:1], *f)\n\t\t\trest = rest[1:]\n",
		},
		And: []Edit{{
			File: "azure/servicebus/call.go",
			Old:  "if c.results[j] != nil && c.events[j].Key == c.events[i].Key {\n",
			New:  "if c.results[j] != nil && c.events[j].Key != c.events[i].Key && false {\n",
		}},
		Breaks: Order,
	},
	{
		Name: "an outage counts as a refusal",
		Edit: Edit{
			File: "outbox/dispatcher.go",
			Old:  "if !ClassOf(failure).Permanent() {\n",
			New:  "if failure == nil {\n",
		},
		And: []Edit{{
			File: "outbox/policy.go",
			Old:  "case !ClassOf(err).Permanent():\n",
			New:  "case err == nil:\n",
		}},
		Breaks: "G6",
	},
	{
		Name: "the entity is replaced whatever it is by now",
		Edit: Edit{
			File: "azure/cosmos/outbox.go",
			Old:  "t.ReplaceItem(entityDocID, b.entity, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: b.ifMatch})\n",
			New:  "t.ReplaceItem(entityDocID, b.entity, nil)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "events are numbered by the entity's version",
		Edit: Edit{
			File: "outbox/batch.go",
			Old:  "l.w.number(c.req, p.next.Incarnation, cur.LastSeq, now, dec.Events)",
			New:  "l.w.number(c.req, p.next.Incarnation, cur.Version, now, dec.Events)",
		},
		Breaks: NoPhantom,
	},
	{
		Name: "what changes nothing is answered without a commit",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "if len(b.members) == 0 || !l.send(b) {\n\t\treturn\n\t}\n",
			New: "if len(b.members) == 0 || !l.send(b) {\n\t\treturn\n\t}\n" +
				"\tif len(b.commit.Events) == 0 {\n\t\tfor _, m := range b.members {\n" +
				"\t\t\tl.finish([]*call{m.call}, func(c *call) { c.answer = m.answer })\n\t\t}\n\t\treturn\n\t}\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "receipts are upserted",
		Edit: Edit{
			File: "azure/cosmos/outbox.go",
			Old:  "for _, r := range b.receipts {\n\t\tt.CreateItem(r, nil)\n",
			New:  "for _, r := range b.receipts {\n\t\tt.UpsertItem(r, nil)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "answers do not wait for their batch",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "revision, err := l.w.store.Commit(ctx, b.commit)\n",
			New: "for _, m := range b.members {\n\t\tl.finish([]*call{m.call}, func(c *call) { c.answer = m.answer })\n\t}\n" +
				"\trevision, err := l.w.store.Commit(ctx, b.commit)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "a read alone says that a batch was not stored",
		Edit: Edit{
			File: "outbox/doubt.go",
			Old:  "case b.against():\n",
			New:  "case b.against():\n\t\tif ctx != nil {\n\t\t\treturn notStored, cur, nil\n\t\t}\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "a batch in doubt counts as refused",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "case class == Ambiguous:\n\t\tl.settle(ctx, b, err)\n",
			New:  "case class == Ambiguous:\n\t\tl.unsend(b)\n\t\tl.conflict(ctx, b.against())\n",
		},
		Breaks: TrueAnswers,
	},
}
