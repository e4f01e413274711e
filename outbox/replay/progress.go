package replay

// Progress is how far a run is, at this moment.
type Progress struct {
	Run
	// Waits is what the run waits for; "" for nothing.
	Waits string
	page  Counts // what the Run does not have yet
}

// So is what became of the entities so far, those of the page that is under way included.
func (p Progress) So() Counts { return p.plus(p.page) }

// Progress tells how far the run is. Any goroutine may ask.
func (r *Replay) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Run: r.run, Waits: r.waits, page: r.page}
	if p.Holder == r.holder {
		p.Charge = r.before + r.opts.Charge()
	}
	return p
}

// set is the run as it is stored, which has the page.
func (r *Replay) set(run Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run, r.page = run, Counts{}
}

// count adds to the page.
func (r *Replay) count(c Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.page = r.page.plus(c)
}

// waitFor says what the run waits for.
func (r *Replay) waitFor(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = what
}
