package mutants

// Writer are the mutants of the write side (design §4.1 to §4.3).
var Writer = []Mutant{
	{
		Name: "an answer that changes nothing is no commit",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "if len(b.members) == 0 || !l.send(b) {\n\t\treturn\n\t}\n",
			New:  "if len(b.members) == 0 || !l.send(b) {\n\t\treturn\n\t}\n\tif len(b.commit.Events) == 0 && len(b.commit.Receipts) == 0 {\n\t\tl.committed(b, Revisions{Entity: b.against()})\n\t\treturn\n\t}\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "receipts replace each other",
		Edit: Edit{
			File: "azure/cosmos/outbox.go",
			Old:  "t.CreateItem(r, nil)\n",
			New:  "t.UpsertItem(r, nil)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "the entity is replaced without If-Match",
		Edit: Edit{
			File: "azure/cosmos/outbox.go",
			Old:  "t.ReplaceItem(entityDocID, b.entity, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: b.ifMatch})\n",
			New:  "t.ReplaceItem(entityDocID, b.entity, nil)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "answers do not wait for their batch",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "made, err := l.w.store.Commit(ctx, b.commit)\n",
			New:  "for _, m := range b.members {\n\t\tl.finish([]*call{m.call}, func(c *call) { c.answer = m.answer })\n\t}\n\tmade, err := l.w.store.Commit(ctx, b.commit)\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "a read is taken for a fence",
		Edit: Edit{
			File: "outbox/doubt.go",
			Old:  "case b.against():\n",
			New:  "case b.against():\n\t\tl.fail(b.calls(), &Error{Class: Unavailable, Op: \"commit\"})\n\t\tif b != nil {\n\t\t\treturn notStored, cur, nil\n\t\t}\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "a refusal of the repetition is believed",
		Edit: Edit{
			File: "outbox/doubt.go",
			Old:  "case stored:\n\t\t\tl.committed(b, Revisions{Entity: cur.Revision})\n",
			New:  "case open:\n\t\t\tif err == ErrConflict {\n\t\t\t\tl.unsend(b)\n\t\t\t\treturn\n\t\t\t}\n\t\tcase stored:\n\t\t\tl.committed(b, Revisions{Entity: cur.Revision})\n",
		},
		And:    []Edit{{File: "outbox/doubt.go", Old: "if cur, err = l.current(ctx); err != nil {\n", New: "cur = b.from\n\tif err != nil {\n"}},
		Breaks: TrueAnswers,
	},
	{
		Name: "a lost answer is taken for a refusal",
		Edit: Edit{
			File: "outbox/lane.go",
			Old:  "case class == Ambiguous:\n\t\tl.settle(ctx, b, err)\n",
			New:  "case class == Ambiguous:\n\t\tl.fail(b.calls(), &Error{Class: Unavailable, Op: \"commit\", Err: err})\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "a refusal after a lost answer is believed by the adapter",
		Edit: Edit{
			File: "azure/cosmos/retry.go",
			Old:  "doubt = doubt || flt.effect != nothing\n",
			New:  "doubt = doubt && flt.effect != nothing\n",
		},
		And:    []Edit{{File: "azure/cosmos/retry.go", Old: "if m == once && flt.effect == unknown {\n\t\t\tflt.again = false\n", New: "if m == once && flt.effect == unknown && flt.class == outbox.Rejected {\n\t\t\tflt.again = false\n"}},
		Breaks: TrueAnswers,
	},
	{
		Name: "numbers do not come from the entity",
		Edit: Edit{
			File: "outbox/writer.go",
			Old:  "next.LastSeq += int64(len(dec.Events))\n",
			New:  "next.LastSeq += int64(len(dec.Events)) + 1\n",
		},
		Breaks: Order,
	},
	{
		Name: "session tokens are dropped when a replica lags",
		Edit: Edit{
			File: "azure/cosmos/retry.go",
			Old:  "k.behind(ctx, try)\n",
			New:  "k.tokens.drop()\n",
		},
		Breaks: TrueAnswers,
	},
}
