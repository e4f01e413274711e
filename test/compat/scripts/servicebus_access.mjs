// Who may do what, and what those are told who may not.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { run } from './cases.mjs';
import { connect, fails, one, sdk, send } from './servicebus.mjs';

const as = (bus, name, key) => bus.connectionString.replace(/(SharedAccessKeyName=)[^;]*;(SharedAccessKey=)[^;]*;/, `$1${name};$2${key};`);

// token is a shared access signature for a path of the broker.
function token(bus, path, expires, { name = 'RootManageSharedAccessKey', key = 'SAS_KEY_VALUE' } = {}) {
  const host = new URL(sdk.parseServiceBusConnectionString(bus.connectionString).endpoint.replace('sb:', 'http:')).host;
  const resource = encodeURIComponent(`sb://${host}/${path}`);
  const signature = createHmac('sha256', key).update(`${resource}\n${expires}`).digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=${name}`;
}

const signed = (bus, ...rest) => bus.connectionString.replace(/SharedAccessKeyName=[^;]*;SharedAccessKey=[^;]*;/, `SharedAccessSignature=${token(bus, ...rest)};`);

const soon = () => Math.floor(Date.now() / 1000) + 600;

await run({
  'a wrong key': async (bus) => {
    const client = connect(bus, { connectionString: as(bus, 'RootManageSharedAccessKey', 'wrong') });
    await fails(send(client, 'queue', { body: 0 }), 'UnauthorizedAccess');
    await fails(client.createReceiver('queue').receiveMessages(1), 'UnauthorizedAccess');
    await fails(client.acceptNextSession('sessions'), 'UnauthorizedAccess');
    assert.deepEqual(await bus.peek('queue'), []);
  },

  'a key that does not exist': async (bus) => {
    await fails(send(connect(bus, { connectionString: as(bus, 'nobody', 'x') }), 'queue', { body: 0 }), 'UnauthorizedAccess');
  },

  'an entity that does not exist': async (bus) => {
    const client = connect(bus);
    const began = performance.now();
    await fails(send(client, 'absent', { body: 0 }), 'MessagingEntityNotFound', /absent/);
    await fails(client.createReceiver('absent').receiveMessages(1), 'MessagingEntityNotFound');
    await fails(client.createReceiver('topic', 'absent').receiveMessages(1), 'MessagingEntityNotFound');
    await fails(client.createReceiver('absent').peekMessages(1), 'MessagingEntityNotFound');
    await fails(client.acceptSession('absent', 's'), 'MessagingEntityNotFound');
    assert.ok(bus.inTime(began, 30_000));
  },

  'subscribe to an entity that does not exist reports it': async (bus) => {
    const client = connect(bus);
    const error = await new Promise((resolve) =>
      client.createReceiver('absent').subscribe({ processMessage: async () => {}, processError: async (args) => resolve(args.error) }),
    );
    assert.equal(error.code, 'MessagingEntityNotFound');
  },

  'Listen is not Send': async (bus) => {
    const client = connect(bus, { connectionString: as(bus, 'listener', 'listens') });
    await fails(send(client, 'queue', { body: 0 }), 'UnauthorizedAccess', /'Send' claim\(s\) are required/);
    await send(connect(bus), 'queue', { body: 'x' });
    const receiver = client.createReceiver('queue');
    await receiver.completeMessage(await one(receiver));
    await fails(client.createSender('queue').scheduleMessages({ body: 0 }, new Date(Date.now() + 60_000)), 'UnauthorizedAccess');
  },

  'the rule manager needs no more than Listen': async (bus) => {
    const manager = connect(bus, { connectionString: as(bus, 'listener', 'listens') }).createRuleManager('topic', 'all');
    await manager.createRule('r', { sqlExpression: 'a = 1' });
    await manager.deleteRule('r');
  },

  'a token that was made elsewhere': async (bus) => {
    const client = connect(bus, { connectionString: signed(bus, 'queue', soon()) });
    await send(client, 'queue', { body: 'x' });
    assert.equal((await one(client.createReceiver('queue'))).body, 'x');
    await fails(send(client, 'quick', { body: 0 }), 'UnauthorizedAccess');
  },

  'a token that has expired': async (bus) => {
    const client = connect(bus, { connectionString: signed(bus, 'queue', 1) });
    await fails(send(client, 'queue', { body: 0 }), 'UnauthorizedAccess', /ExpiredToken/);
  },
});
