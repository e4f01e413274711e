package mutants

// Simulated are the mutants that the simulation catches beside those of All: they take two
// consumers at once, a lagging replica, an answer that is lost in the right moment, an event
// that nobody can send, or a store that loses its power.
var Simulated = []Mutant{
	{
		Name: "the read model is replaced whatever it is by now",
		Edit: Edit{
			File: "azure/cosmos/inbox.go",
			Old:  "t.ReplaceItem(modelDocID, b.model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})\n",
			New:  "_ = tag\n\t\tt.ReplaceItem(modelDocID, b.model, nil)\n",
		},
		And: []Edit{{
			File: "azure/cosmos/inbox.go",
			Old:  "items.ReplaceItem(ctx, pk, modelDocID, b.model, &azcosmos.ItemOptions{IfMatchEtag: &tag})\n",
			New:  "items.ReplaceItem(ctx, pk, modelDocID, b.model, nil)\n\t\t_ = tag\n",
		}},
		Breaks: OneEffect,
	},
	{
		Name: "an event does not wait for its predecessor",
		Edit: Edit{
			File: "inbox/incarnation.go",
			Old:  "\treturn in, lost, ahead\n",
			New:  "\treturn in, 0, due\n",
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
		Name: "a key goes on past its parked event",
		Edit: Edit{
			File: "outbox/dispatcher.go",
			Old:  "case e.Parked() && e.Fault.Due().After(time.Now()):\n\t\t\treturn ready, e.Seq, nil\n",
			New:  "case e.Parked() && e.Fault.Due().After(time.Now()):\n",
		},
		Breaks: Order,
	},
	{
		Name: "what the broker refuses is never parked",
		Edit: Edit{
			File: "outbox/policy.go",
			Old:  "case attempt < max(limit, proofs):\n",
			New:  "case attempt > 0 || limit < 0:\n",
		},
		Breaks: Isolation,
	},
	{
		Name: "a refused event pauses every key",
		Edit: Edit{
			File: "outbox/policy.go",
			Old:  "return Verdict{Action: Retry}\n",
			New:  "return Verdict{Action: Pause, After: 10 * time.Second}\n",
		},
		And: []Edit{{
			File: "outbox/gate.go",
			Old:  "g.probe = ClassOf(err).Permanent()\n",
			New:  "g.probe = ClassOf(err).Permanent() && false\n",
		}},
		Breaks: Isolation,
	},
	{
		Name: "sweeps do not count what is parked",
		Edit: Edit{
			File: "outbox/sweep.go",
			Old:  "s.total.Standing += len(heads)\n",
			New:  "s.total.Standing += 0 * len(heads)\n",
		},
		Breaks: Isolation,
	},
	{
		Name: "the store answers before its disk has it",
		Edit: Edit{
			File: "local/disk/disk.go",
			Old:  "done <- errors.Join(db.Apply(b, pebble.Sync), b.Close())",
			New:  "done <- errors.Join(db.Apply(b, pebble.NoSync), b.Close())",
		},
		Breaks: TrueAnswers,
	},
}

// Reborn are the mutants that the simulation catches when the entities' container is
// replaced by another one.
var Reborn = []Mutant{
	{
		Name: "an entity goes on under its incarnation in a restored container",
		Edit: Edit{
			File: "outbox/batch.go",
			Old:  "if cur.Incarnation.ID != \"\" && !cur.Moved {\n",
			New:  "if cur.Incarnation.ID != \"\" {\n\t\tnext.Moved = false\n",
		},
		Breaks: NoPhantom,
	},
	{
		Name: "a bet needs nobody's word for the container",
		Edit: Edit{
			File: "outbox/kept.go",
			Old:  "return e, ok && k.vouched(e.Place)\n",
			New:  "return e, ok && (k.vouched(e.Place) || true)\n",
		},
		Breaks: NoPhantom,
	},
	{
		Name: "settling goes by the number",
		Edit: Edit{
			File: "azure/cosmos/queue.go",
			Old:  "if e.Revision == \"\" {\n\t\treturn nil\n",
			New:  "if e.Revision == \"\" || e.ID != \"\" {\n\t\treturn nil\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "the consumer looks at numbers only",
		Edit: Edit{
			File: "inbox/incarnation.go",
			Old:  "if m.none() || e.Incarnation.ID != m.Incarnation.ID {\n",
			New:  "if m.none() {\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "the consumer follows whatever it has not seen before",
		Edit: Edit{
			File: "inbox/incarnation.go",
			Old:  "if !m.none() && e.Incarnation.before(m.Incarnation) {\n",
			New:  "if !m.none() && m.LastSeq < 0 {\n",
		},
		Breaks: NoLoss,
	},
	{
		Name: "session tokens outlive their container",
		Edit: Edit{
			File: "azure/cosmos/place.go",
			Old:  "if other {\n\t\tk.tokens.drop()\n",
			New:  "if other && !here {\n\t\tk.tokens.drop()\n",
		},
		Breaks: NoLoss,
	},
}

// Mixed are the mutants that the simulation catches when two versions of the app run side by
// side.
var Mixed = []Mutant{
	{
		Name: "an older version drops members that it does not know",
		Edit: Edit{
			File: "entity/write.go",
			Old:  "if d.Data, err = document.Carry[T](from.stored, from.known, value); err != nil {\n",
			New:  "if d.Data, err = document.Carry[T](from.known, from.known, value); err != nil {\n",
		},
		Breaks: TrueAnswers,
	},
	{
		Name: "an older version drops what it does not know of a view",
		Edit: Edit{
			File: "entity/consume.go",
			Old:  "return document.Carry[V](stored, known, next)\n",
			New:  "return document.Carry[V](known, known, next)\n",
		},
		Breaks: OneEffect,
	},
	{
		Name: "an older version refuses events that it does not know",
		Edit: Edit{
			File: "entity/consume.go",
			Old:  "case d.State == nil && !k.knows(name):\n",
			New:  "case !k.knows(name):\n",
		},
		Breaks: NotPoison,
	},
}
