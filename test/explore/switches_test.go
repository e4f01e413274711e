package explore

import (
	"flag"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/mutants"
)

var switches = flag.Bool("switches", false, "turn the rules of the protocol off, one at a time, and want each to be missed")

// rule is one of the protocol, as text to be replaced, and the tests that must miss it.
type rule struct {
	mutants.Mutant
	cases string
}

func off(cases string, breaks mutants.Guarantee, name, file, text, instead string) rule {
	return rule{mutants.Mutant{Name: name, Edit: mutants.Edit{File: file, Old: text, New: instead}, Breaks: breaks}, cases}
}

const (
	dispatchers = "TestDispatchers"
	consumers   = "TestConsumers"
	twins       = "TestWriters/(twins|one_key|a_delete)"
	plainPuts   = "TestWriters/(puts|cond|nothing)"
	all         = "TestWriters"
)

var rules = []rule{
	off(dispatchers, mutants.NoLoss, "only what was acknowledged is settled", "outbox/dispatcher.go", "ready[:sent]); err", "ready); err"),
	off(dispatchers, mutants.NoLoss, "what follows the first failure was not sent", "outbox/dispatcher.go", "\t\t\treturn i, err\n", "\t\t\tcontinue\n"),
	off(dispatchers, mutants.NoLoss, "settled after it was sent", "outbox/dispatcher.go", "\tw.after = 0\n", "\tw.after = 0\n\t_ = w.settle(ctx, ready)\n"),
	off(dispatchers, mutants.Order, "a parked event blocks its key", "outbox/dispatcher.go", "\t\t\treturn ready, e.Seq, nil\n", "\t\t\tcontinue\n"),
	off(dispatchers, mutants.Order, "a drain ends where it parks", "outbox/dispatcher.go", "return !f.Skipped, nil", "return false, nil"),
	off("TestWhole", mutants.Order, "the predecessor is settled before an event is sent from memory", "outbox/dispatcher.go", "return len(w.fresh) == 0 || w.fresh[0].Seq == last+1", "return true"),
	off(consumers, mutants.Order, "old numbers change nothing", "inbox/incarnation.go", "\t\treturn in, 0, copied\n", "\t\treturn in, 0, due\n"),
	off(consumers, mutants.Order, "an event waits for its predecessor", "inbox/incarnation.go", "\treturn in, lost, ahead\n", "\treturn in, 0, due\n"),
	off(consumers, mutants.NoLoss, "a conflict is decided anew", "inbox/lane.go", "\tcase err == nil:\n\t\tl.cur", "\tcase err == nil || errors.Is(err, ErrConflict):\n\t\tl.cur"),
	off(consumers, mutants.NoLoss, "a store that is away is no success", "inbox/lane.go", "\tcase err == nil:\n\t\tl.cur", "\tcase err == nil || passing(err) && !errors.Is(err, ErrConflict):\n\t\tl.cur"),
	off(consumers, mutants.NoLoss, "the model lists its early events", "inbox/batch.go", "\tin.Early = in.Early.With(e.Seq, e.Seq)\n\tb.Model = in\n", "\tb.Model = in\n"),
	off(consumers, mutants.NoLoss, "early events go in the batch that applies them", "inbox/batch.go", "\tif in.Early.Has(e.Seq) {\n", "\tif false {\n"),
	off(consumers, mutants.NoLoss, "early events are applied with their predecessor", "inbox/batch.go", "\tif !b.lane.i.waited(b.Model) {\n", "\tif true {\n"),
	off(plainPuts, mutants.TrueAnswers, "every answer is a commit", "outbox/batch.go", "\t\tif !b.add(p) {\n", "\t\tif !p.changes && p.receipt == nil {\n\t\t\tl.finish([]*call{c}, func(c *call) { c.answer = p.answer })\n\t\t\tcontinue\n\t\t}\n\t\tif !b.add(p) {\n"),
	off(twins, mutants.TrueAnswers, "answers wait for their batch", "outbox/batch.go", "\t\tif !b.add(p) {\n\t\t\tbreak\n\t\t}\n", "\t\tif !b.add(p) {\n\t\t\tbreak\n\t\t}\n\t\tif !p.changes {\n\t\t\tl.finish([]*call{c}, func(c *call) { c.answer = p.answer })\n\t\t}\n"),
	off(all, mutants.TrueAnswers, "a member is decided on the outcome of those before it", "outbox/batch.go", "dec, err := c.req.Decide(cur)", "dec, err := c.req.Decide(b.from)"),
	off(twins, mutants.TrueAnswers, "refusals leave a receipt", "outbox/batch.go", `if c.receiptID != "" && !dec.Forget {`, `if c.receiptID != "" && p.changes {`),
	off(twins, mutants.TrueAnswers, "a key stands for one request", "outbox/lane.go", "r.RequestHash != c.req.RequestHash {", "false {"),
	off(all, mutants.TrueAnswers, "doubt is settled first", "outbox/lane.go", "\tcase class == Ambiguous:\n\t\tl.settle(ctx, b, err)\n", "\tcase class == Ambiguous:\n\t\tl.unsend(b)\n"),
	off(all, mutants.TrueAnswers, "a read is no fence", "outbox/doubt.go", "\tcase b.against():\n", "\tcase b.against():\n\t\tif b != nil {\n\t\t\treturn notStored, cur, nil\n\t\t}\n"),
	off(all, mutants.TrueAnswers, "a refusal of the repeated batch decides nothing", "outbox/doubt.go", "\t\t\treturn open, cur, err\n\t\t}\n\t\tcur.Revision = made.Entity\n", "\t\t\treturn notStored, Entity{Key: l.key}, nil\n\t\t}\n\t\tcur.Revision = made.Entity\n"),
	off(all, mutants.TrueAnswers, "what cannot be told is not guessed: not stored", "outbox/doubt.go", "\t\treturn untold, cur, nil\n", "\t\treturn notStored, cur, nil\n"),
	off(all, mutants.TrueAnswers, "what cannot be told is not guessed: stored", "outbox/doubt.go", "\t\treturn untold, cur, nil\n", "\t\treturn stored, Entity{}, nil\n"),
	off(all, mutants.TrueAnswers, "a missing receipt tells that nothing was stored", "outbox/doubt.go", "\t\twhat = notStored\n", "\t\twhat, cur = stored, Entity{}\n"),
	off("TestNoSessionIsNeeded", mutants.TrueAnswers, "there is a barrier before the receipt", "outbox/doubt.go", "\tif err := l.w.store.Barrier(ctx, l.key); err != nil {\n\t\treturn open, cur, err\n\t}\n\tr, err", "\tr, err"),
	off(twins, mutants.TrueAnswers, "a receipt says whose it is", "outbox/doubt.go", "\tcase r.Batch == b.commit.Entity.Batch:\n\t\tcur.Revision = \"\"\n", "\tcase r != nil:\n\t\tcur.Revision = \"\"\n"),
	off("TestNoSessionIsNeeded", mutants.TrueAnswers, "doubt is settled by a current read", "outbox/lane.go", "\tif err := l.w.store.Barrier(ctx, l.key); err != nil {\n\t\treturn Entity{}, err\n\t}\n", ""),
	off(plainPuts, mutants.TrueAnswers, "a lost bet is read anew", "outbox/lane.go", "\t\tif l.cur, err = l.load(ctx); err != nil {\n\t\t\treturn err\n\t\t}\n", "\t\tkept := l.cur\n\t\tif l.cur, err = l.load(ctx); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tif l.lost {\n\t\t\tkept.Revision = l.cur.Revision\n\t\t\tl.cur = kept\n\t\t}\n"),
	off(all, mutants.TrueAnswers, "what was sent is in doubt when its caller leaves", "outbox/writer.go", "\tif c.sent {\n", "\tif false {\n"),
	off(all, mutants.TrueAnswers, "who was told that nothing is stored is not sent", "outbox/lane.go", "bool { return m.gone }) {", "bool { return false }) {"),
}

// TestEveryRuleIsThere: a rule whose text has moved is turned off by nobody.
func TestEveryRuleIsThere(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	for _, r := range rules {
		_, err := r.Overlay(source, t.TempDir())
		require.NoError(t, err)
	}
}

// TestSwitches: an explorer that finds nothing missing proves nothing.
func TestSwitches(t *testing.T) {
	if !*switches {
		t.Skip("takes minutes; ask with -switches")
	}
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	for _, r := range rules {
		t.Run(r.Name, func(t *testing.T) {
			overlay, err := r.Overlay(source, t.TempDir())
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "./test/explore", "-run", r.cases)
			cmd.Dir = source
			said, err := cmd.CombinedOutput()
			require.Error(t, err, "nothing was missed:\n%s", said)
			breach := "(no breach)"
			for line := range strings.Lines(string(said)) {
				if _, after, ok := strings.Cut(line, "_test.go:"); ok && strings.Contains(after, string(r.Breaks)) {
					breach = strings.TrimSpace(after)
					break
				}
			}
			require.Contains(t, breach, r.Breaks, "%s", said)
			t.Log(breach)
		})
	}
}
