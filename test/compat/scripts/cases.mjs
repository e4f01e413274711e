// Runs cases one after another, each on a broker of its own that the Go test beside this folder starts, under a deadline
// of its own. The conversation is a JSON object a line; script_test.go has the other side.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// load finds packages where NODE_MODULES says.
export const load = createRequire(process.env.NODE_MODULES + '/');

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let turn = Promise.resolve(); // questions wait for one another

function ask(question) {
  const answer = turn.then(async () => {
    process.stdout.write(JSON.stringify(question) + '\n');
    const { value, done } = await lines.next();
    if (done) throw new Error('the test does not answer');
    return JSON.parse(value);
  });
  turn = answer.catch(() => {});
  return answer;
}

// Bus is the broker of a case, and what is to be closed when the case ends.
class Bus {
  #closers = [];
  #over = false;
  #busy = 0; // steps that go on
  #harm; // may happen before them
  #working = false; // a subscription handles messages
  #menders = [];

  constructor({ connectionString, admin, certificate, harmed = false }) {
    this.connectionString = connectionString;
    this.admin = admin;
    this.certificate = certificate;
    this.harmed = harmed; // between steps, which clients are to get over
  }

  async #ask(question) {
    if (this.#over) throw new Error('the case is over');
    return ask(question);
  }

  advance = (ms) => this.#ask({ advance: ms });
  peek = async (entity) => (await this.#ask({ peek: entity })).messages ?? [];
  counts = async (entity) => (await this.#ask({ counts: entity })).counts;
  links = async () => (await this.#ask({ links: true })).links;

  async #harmed() {
    const { struck } = await this.#ask({ step: true, working: this.#working });
    if (struck) for (const mend of this.#menders) await mend();
  }

  // mends remembers how a client that does not find its way back by itself is helped after a harm.
  mends(mend) {
    this.#menders.push(mend);
  }

  // step does something with a client. Before it, unless another step goes on, the test may harm the broker.
  async step(act) {
    if (!this.harmed) return act();
    try {
      if (this.#busy++ === 0) this.#harm = this.#harmed();
      await this.#harm;
      // What has happened to a socket is heard of before the next thing is written to it.
      for (let i = 0; i < 2; i++) await new Promise(setImmediate);
      return await act();
    } finally {
      this.#busy--;
    }
  }

  // steps stands for a client, or for what it makes: each call whose answer has to be awaited is a step.
  steps(it) {
    if (!this.harmed) return it;
    return new Proxy(it, {
      get: (target, name) => {
        const member = target[name];
        if (typeof member !== 'function') return member;
        const call = (...args) => member.apply(target, args);
        if (/^create(Sender|Receiver|RuleManager)$/.test(name)) return (...args) => this.steps(call(...args));
        if (name === 'subscribe') this.#working = true;
        if (/^(subscribe|getMessageIterator|list.*)$/.test(name)) return call;
        if (/^accept/.test(name)) return async (...args) => this.steps(await this.step(() => call(...args)));
        return (...args) => this.step(() => call(...args));
      },
    });
  }

  // inTime says whether something was quick enough. A client that has to connect again is not asked.
  inTime = (began, ms) => this.harmed || performance.now() - began < ms;

  // closes remembers something that has a close.
  closes(it) {
    this.#closers.push(it);
    return it;
  }

  async close() {
    this.#over = true;
    for (const it of this.#closers.reverse()) await it.close();
  }
}

// Skip is thrown by a case that does not apply.
export class Skip extends Error {}

const limit = 20_000;
const harmedLimit = 120_000;

function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes more than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// until waits for a condition.
export async function until(condition, what = 'the condition') {
  const give = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > give) throw new Error(`${what} does not come true`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function text(error) {
  return error?.stack ? `${error.code ? `[${error.code}] ` : ''}${error.stack}` : String(error);
}

// run plays all cases and ends the process. The keys are their names. PLAY, a regular expression, chooses among them.
export async function run(cases) {
  const chosen = Object.entries(cases).filter(([name]) => new RegExp(process.env.PLAY ?? '').test(name));
  for (const [name, play] of chosen) {
    const bus = new Bus(await ask({ begin: name }));
    const done = { done: name };
    try {
      await within(bus.harmed ? harmedLimit : limit, play(bus), 'the case');
    } catch (error) {
      if (error instanceof Skip) done.skip = error.message;
      else done.error = text(error);
    }
    try {
      await within(bus.harmed ? harmedLimit : 5000, bus.close(), 'closing');
    } catch (error) {
      done.error = [done.error, text(error)].filter(Boolean).join('\n');
    }
    await turn;
    process.stdout.write(JSON.stringify(done) + '\n');
  }
  process.stdout.write(JSON.stringify({ end: chosen.length }) + '\n', () => process.exit(0));
}
