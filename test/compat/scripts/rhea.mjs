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
  const { host, port, hostname } = new URL(bus.connectionString.match(/Endpoint=sb:([^;]*)/)[1].replace(/^/, 'http:'));
  const container = rhea.create_container({ id: `rhea ${Math.random()}` });
  const connection = container.connect({ host: hostname, port, username: 'anonymous', reconnect: false, ...options });
  connection.on('disconnected', () => {});
  bus.closes({
    close: async () => {
      if (connection.is_closed()) return;
      const closed = Promise.race([happens(connection, 'connection_close'), happens(connection, 'disconnected')]);
      connection.close();
      await closed;
    },
  });
  await happens(connection, 'connection_open');
  const client = new Client(connection, host);
  for (const entity of entities) {
    const answer = await client.putToken(entity);
    assert.equal(answer.application_properties['status-code'], 202, answer.application_properties['status-description']);
  }
  return client;
}

class Client {
  #nodes = {};

  constructor(connection, host) {
    this.connection = connection;
    this.host = host;
  }

  // request asks a node and waits for the answer with its id.
  async request(node, message) {
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

  putToken(entity, key = 'SAS_KEY_VALUE') {
    const audience = `amqp://${this.host}/${entity}`;
    const resource = encodeURIComponent(audience);
    const expires = Math.floor(Date.now() / 1000) + 600;
    const signature = createHmac('sha256', key).update(`${resource}\n${expires}`).digest('base64');
    return this.request('$cbs', {
      body: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=RootManageSharedAccessKey`,
      application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: audience },
    });
  }

  // sender opens a link and waits for credit.
  async sender(address, options = {}) {
    const sender = this.connection.open_sender({ target: { address }, ...options });
    await happens(sender, 'sendable');
    return sender;
  }

  // receiver opens a link that gives no credit and settles nothing by itself.
  async receiver(address, options = {}) {
    const receiver = this.connection.open_receiver({ source: { address }, credit_window: 0, autoaccept: false, autosettle: false, ...options });
    await happens(receiver, 'receiver_open');
    return receiver;
  }
}

// sent sends a message and returns what became of it.
export function sent(sender, message, tag, format) {
  return new Promise((resolve) => {
    const delivery = sender.send(message, tag, format);
    const listen = ({ delivery: d }) => {
      if (d !== delivery) return;
      sender.removeListener('settled', listen);
      resolve(d.remote_state);
    };
    sender.on('settled', listen);
  });
}

// take gives credit for n messages and waits for them.
export function take(receiver, n = 1) {
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
  return new Promise((resolve) => {
    const listen = ({ delivery: d }) => {
      if (d !== delivery) return;
      receiver.removeListener('settled', listen);
      resolve(d.remote_state);
    };
    receiver.on('settled', listen);
    delivery.update(false, state);
  });
}

export const { accepted, released, rejected, modified } = rhea.message;

// takeBytes takes one message without decoding it.
export function takeBytes(receiver) {
  const { decode } = rhea.message;
  rhea.message.decode = (bytes) => ({ bytes });
  return take(receiver).finally(() => {
    rhea.message.decode = decode;
  });
}

// is says whether the state of a delivery is an outcome: accepted, rejected, ...
export function is(outcome, state, what = '') {
  assert.equal(state?.constructor.composite_type, outcome, `${what} ${JSON.stringify(state)}`);
}
