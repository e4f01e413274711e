// What the cases through rhea share: promises around its events, and a put-token, which it knows nothing of.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { load } from './cases.mjs';

export const rhea = load('rhea');
export const types = rhea.types;

// happens waits for an event.
export const happens = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

// connect opens a connection and shows tokens for entities.
export async function connect(bus, entities = [], options = {}) {
  const client = new Client(bus, entities, options);
  bus.closes(client);
  bus.mends(() => client.mend());
  await bus.step(() => client.open());
  return client;
}

// Client is a connection, and one after another where the broker is harmed: rhea is told not to connect again by itself,
// because it would attach links before their tokens are shown.
class Client {
  #bus;
  #entities;
  #options;
  #nodes;
  #gone; // the connection is
  #links = new Set(); // to attach again

  constructor(bus, entities, options) {
    this.#bus = bus;
    this.#entities = entities;
    this.#options = options;
  }

  async open() {
    const { host, port, hostname } = new URL(this.#bus.connectionString.match(/Endpoint=sb:([^;]*)/)[1].replace(/^/, 'http:'));
    const container = rhea.create_container({ id: `rhea ${Math.random()}` });
    this.host = host;
    this.connection = container.connect({ host: hostname, port, username: 'anonymous', reconnect: false, ...this.#options });
    this.#nodes = {};
    this.#gone = happens(this.connection, 'disconnected');
    this.connection.on('disconnected', () => {}); // rhea warns of what nobody listens to
    await happens(this.connection, 'connection_open');
    for (const entity of this.#entities) {
      const answer = await this.#ask('$cbs', this.#token(entity));
      assert.equal(answer.application_properties['status-code'], 202, answer.application_properties['status-description']);
    }
  }

  // mend connects again, with the links that are open, once rhea has noticed that its connection is gone.
  async mend() {
    if (!this.connection) return;
    await this.#gone;
    await this.open();
    for (const link of this.#links) await link.attach();
  }

  async close() {
    if (!this.connection || this.connection.is_closed()) return;
    const closed = Promise.race([happens(this.connection, 'connection_close'), this.#gone]);
    this.connection.close();
    await closed;
  }

  step(act) {
    return this.#bus.step(act);
  }

  // request asks a node and waits for the answer with its id.
  request(node, message) {
    return this.step(() => this.#ask(node, message));
  }

  async #ask(node, message) {
    this.#nodes[node] ??= this.#open(node);
    const { sender, receiver } = await this.#nodes[node];
    const id = `request ${Math.random()}`;
    const answered = new Promise((resolve) => {
      const listen = ({ message }) => {
        if (message.correlation_id !== id) return;
        receiver.removeListener('message', listen);
        resolve(message);
      };
      receiver.on('message', listen);
    });
    sender.send({ message_id: id, reply_to: 'replies', ...message });
    return answered;
  }

  async #open(node) {
    const session = this.connection.create_session();
    session.begin();
    const sender = session.open_sender({ target: { address: node } });
    const receiver = session.open_receiver({ source: { address: node }, target: { address: 'replies' } });
    await Promise.all([happens(sender, 'sendable'), happens(receiver, 'receiver_open')]);
    return { sender, receiver };
  }

  putToken(entity, key) {
    return this.request('$cbs', this.#token(entity, key));
  }

  #token(entity, key = 'SAS_KEY_VALUE') {
    const audience = `amqp://${this.host}/${entity}`;
    const resource = encodeURIComponent(audience);
    const expires = Math.floor(Date.now() / 1000) + 600;
    const signature = createHmac('sha256', key).update(`${resource}\n${expires}`).digest('base64');
    return {
      body: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=RootManageSharedAccessKey`,
      application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: audience },
    };
  }

  // sender opens a link and waits for credit.
  sender(address, options = {}) {
    return this.#link('sender', 'sendable', () => this.connection.open_sender({ target: { address }, ...options }));
  }

  // receiver opens a link that gives no credit and settles nothing by itself.
  receiver(address, options = {}) {
    const settings = { source: { address }, credit_window: 0, autoaccept: false, autosettle: false, ...options };
    return this.#link('receiver', 'receiver_open', () => this.connection.open_receiver({ ...settings }));
  }

  // #link attaches a link, which keeps what listens to it when it is attached again.
  async #link(kind, ready, attach) {
    const link = { client: this };
    const forget = () => this.#links.delete(link);
    link.attach = async () => {
      const before = link.now;
      link.now = attach();
      await happens(link.now, ready);
      if (!before) link.now.once(`${kind}_close`, forget);
      for (const name of before?.eventNames() ?? []) for (const listen of before.rawListeners(name)) link.now.on(name, listen);
    };
    await this.step(link.attach);
    this.#links.add(link);
    return new Proxy(link, {
      get(_, name) {
        if (name in link) return link[name];
        if (name === 'close') forget();
        const member = link.now[name];
        return typeof member === 'function' ? member.bind(link.now) : member;
      },
      set: (_, name, value) => Reflect.set(link.now, name, value),
    });
  }
}

// sent sends a message and returns what became of it.
export function sent(sender, message, tag, format) {
  return sender.client.step(() => {
    const delivery = sender.send(message, tag, format);
    return settled(sender, delivery);
  });
}

// take gives credit for n messages and waits for them.
export const take = (receiver, n = 1) => receiver.client.step(() => taken(receiver, n));

function taken(receiver, n) {
  return new Promise((resolve) => {
    const all = [];
    const listen = (context) => {
      all.push(context);
      if (all.length < n) return;
      receiver.removeListener('message', listen);
      resolve(all);
    };
    receiver.on('message', listen);
    receiver.add_credit(n);
  });
}

// answered settles a delivery, not for good, and waits for what the broker says.
export function answered(receiver, delivery, state) {
  return receiver.client.step(() => {
    assert.ok(delivery.link === receiver.now, 'the link that has brought it is gone');
    const answer = settled(receiver, delivery);
    delivery.update(false, state);
    return answer;
  });
}

function settled(link, delivery) {
  return new Promise((resolve) => {
    const listen = ({ delivery: d }) => {
      if (d !== delivery) return;
      link.removeListener('settled', listen);
      resolve(d.remote_state);
    };
    link.on('settled', listen);
  });
}

export const { accepted, released, rejected, modified } = rhea.message;

// takeBytes takes one message without decoding it.
export function takeBytes(receiver) {
  return receiver.client.step(() => {
    const { decode } = rhea.message;
    rhea.message.decode = (bytes) => ({ bytes });
    return taken(receiver, 1).finally(() => {
      rhea.message.decode = decode;
    });
  });
}

// is says whether the state of a delivery is an outcome: accepted, rejected, ...
export function is(outcome, state, what = '') {
  assert.equal(state?.constructor.composite_type, outcome, `${what} ${JSON.stringify(state)}`);
}
