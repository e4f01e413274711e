// What the cases through @azure/service-bus share.
import assert from 'node:assert/strict';
import { load } from './cases.mjs';

export const sdk = load('@azure/service-bus');
export const Long = load('long');

// retries of a client: none in peace, where a case wants to see the first answer.
export const retries = (bus) => (bus.harmed ? { maxRetries: 10, retryDelayInMs: 50, maxRetryDelayInMs: 500 } : { maxRetries: 0 });

// connect makes a client.
export function connect(bus, { connectionString = bus.connectionString, timeoutInMs = bus.harmed ? 3000 : 10_000 } = {}) {
  const client = new sdk.ServiceBusClient(connectionString, { retryOptions: { ...retries(bus), timeoutInMs } });
  return bus.steps(bus.closes(client));
}

// send sends messages with an entity's own sender.
export async function send(client, entity, ...messages) {
  const sender = client.createSender(entity);
  await sender.sendMessages(messages);
  await sender.close();
}

// numbered makes n messages with the bodies 0, 1, ...
export const numbered = (n, more = {}) => Array.from({ length: n }, (_, i) => ({ body: i, ...more }));

// receive takes exactly n messages; a receiver may need several calls for them.
export async function receive(receiver, n = 1) {
  const all = [];
  while (all.length < n) {
    const some = await receiver.receiveMessages(n - all.length, { maxWaitTimeInMs: 5000 });
    assert.notEqual(some.length, 0, `${all.length} of ${n} messages have come`);
    all.push(...some);
  }
  return all;
}

// one takes the only message there is.
export const one = async (receiver) => (await receive(receiver))[0];

// none sees that there is no message.
export async function none(receiver) {
  assert.deepEqual(await receiver.receiveMessages(1, { maxWaitTimeInMs: 200 }), []);
}

// fails expects an error of the service with a code.
export async function fails(promise, code, words = /./) {
  await assert.rejects(promise, (rejection) => {
    const error = rejection.errors?.at(-1) ?? rejection; // of a client that tries again
    assert.equal(error.name, 'ServiceBusError', `${error.stack}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });
}
