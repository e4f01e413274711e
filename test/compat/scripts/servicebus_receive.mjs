// Receiving: what waits, what comes and in which form.
import assert from 'node:assert/strict';
import { run, until } from './cases.mjs';
import { Long, connect, none, numbered, one, receive, sdk, send } from './servicebus.mjs';

await run({
  'an empty queue answers [] in time, and the link stays open': async (bus) => {
    const client = connect(bus);
    const receiver = client.createReceiver('queue');
    let links;
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      assert.deepEqual(await receiver.receiveMessages(10, { maxWaitTimeInMs: 500 }), []);
      const took = performance.now() - began;
      assert.ok(took > 490 && bus.inTime(began, 30_000), `took ${took} ms`);
      links ??= await bus.links();
      assert.equal(await bus.links(), links);
    }
    await send(client, 'queue', { body: 'afterwards' });
    const message = await one(receiver);
    assert.equal(message.body, 'afterwards');
    assert.equal(message.deliveryCount, 0);
    await receiver.completeMessage(message);
    assert.equal((await bus.counts('queue')).Active, 0);
  },

  'what comes during the wait is received': async (bus) => {
    const client = connect(bus);
    const receiver = client.createReceiver('queue');
    const waiting = receiver.receiveMessages(5, { maxWaitTimeInMs: 60_000 });
    await send(client, 'queue', { body: 'here' });
    const began = performance.now();
    assert.deepEqual((await waiting).map((m) => m.body), ['here']);
    assert.ok(bus.inTime(began, 30_000), 'the first message ends the wait');
  },

  'no more than asked for, in order': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(10));
    const receiver = client.createReceiver('queue');
    const bodies = [];
    for (const n of [3, 1, 6]) {
      const messages = await receive(receiver, n);
      bodies.push(...messages.map((m) => m.body));
      assert.equal((await bus.counts('queue')).Locked, bodies.length);
    }
    assert.deepEqual(bodies, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },

  'a first delivery has everything that a message should have': async (bus) => {
    const client = connect(bus);
    const before = Date.now() - 1;
    await send(client, 'queue', { body: 'bare' });
    const m = await one(client.createReceiver('queue'));
    assert.strictEqual(m.deliveryCount, 0);
    assert.ok(m.messageId, 'the broker names a message without an id');
    assert.ok(Long.isLong(m.sequenceNumber));
    assert.equal(m.sequenceNumber.toString(), '1');
    assert.ok(m.enqueuedTimeUtc instanceof Date && m.enqueuedTimeUtc >= before && m.enqueuedTimeUtc <= Date.now() + 1);
    assert.ok(m.lockedUntilUtc - m.enqueuedTimeUtc >= 60_000 && m.lockedUntilUtc - Date.now() <= 60_000);
    assert.match(m.lockToken, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(m.state, 'active');
    assert.equal(m.deadLetterReason, undefined);
    assert.equal(m.deadLetterSource, undefined);
    assert.equal(m.sessionId, undefined);
  },

  'subscribe with two calls at once processes five messages exactly once': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(5));
    const seen = [];
    const errors = [];
    let now = 0;
    let most = 0;
    const subscription = client.createReceiver('queue').subscribe(
      {
        processMessage: async (m) => {
          most = Math.max(most, ++now);
          await until(() => most === 2, 'a second call'); // the first waits for another
          seen.push(m.body);
          now--;
        },
        processError: async ({ error }) => errors.push(error),
      },
      { maxConcurrentCalls: 2 },
    );
    await until(async () => (await bus.counts('queue')).Active === 0, 'an empty queue');
    await subscription.close();
    assert.deepEqual(seen.sort(), [0, 1, 2, 3, 4]);
    assert.equal(most, 2);
    assert.deepEqual(errors, []);
    assert.equal((await bus.counts('queue')).DeadLetter, 0);
  },

  'a handler that throws abandons, until the message is dead-lettered': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', { body: 'poison' });
    const counts = [];
    const sources = [];
    const subscription = client.createReceiver('queue').subscribe({
      processMessage: async (m) => {
        counts.push(m.deliveryCount);
        throw new Error('the handler fails');
      },
      processError: async ({ errorSource }) => sources.push(errorSource),
    });
    const dead = await one(client.createReceiver('queue', { subQueueType: 'deadLetter' }));
    await subscription.close();
    assert.deepEqual(counts, [0, 1, 2]);
    assert.deepEqual(new Set(sources), new Set(['processMessageCallback']));
    assert.equal(dead.deadLetterReason, 'MaxDeliveryCountExceeded');
  },

  'subscribe without autoCompleteMessages leaves settling to the handler': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(3));
    const receiver = client.createReceiver('queue');
    const got = [];
    const subscription = receiver.subscribe(
      {
        processMessage: async (m) => {
          if (m.body === 1) await receiver.deferMessage(m);
          else await receiver.completeMessage(m);
          got.push(m.body);
        },
        processError: async ({ error }) => got.push(error),
      },
      { autoCompleteMessages: false },
    );
    await until(() => got.length === 3);
    await subscription.close();
    assert.deepEqual(got, [0, 1, 2]);
    assert.equal((await bus.counts('queue')).Deferred, 1);
  },

  'a subscription that is closed takes nothing more': async (bus) => {
    const client = connect(bus);
    const receiver = client.createReceiver('queue');
    const got = [];
    const subscription = receiver.subscribe({ processMessage: async (m) => got.push(m.body), processError: async () => {} });
    await send(client, 'queue', { body: 'before' });
    await until(() => got.length === 1);
    await subscription.close();
    await receiver.close();
    await send(client, 'queue', { body: 'after' });
    assert.equal((await one(client.createReceiver('queue'))).deliveryCount, 0);
    assert.deepEqual(got, ['before']);
  },

  'an iterator receives one by one': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(3));
    const receiver = client.createReceiver('queue');
    const bodies = [];
    for await (const m of receiver.getMessageIterator({ maxWaitTimeInMs: 1000 })) {
      bodies.push(m.body);
      await receiver.completeMessage(m);
      if (bodies.length === 3) break;
    }
    assert.deepEqual(bodies, [0, 1, 2]);
    assert.equal((await bus.counts('queue')).Active, 0);
  },

  'receiveAndDelete: a message is gone once it is received': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(5));
    const receiver = client.createReceiver('queue', { receiveMode: 'receiveAndDelete' });
    const messages = await receive(receiver, 3);
    assert.deepEqual(messages.map((m) => m.body), [0, 1, 2]);
    assert.equal(messages[0].lockToken, undefined);
    assert.equal((await bus.counts('queue')).Active, 2);
    await assert.rejects(receiver.completeMessage(messages[0]), /receiveAndDelete/);
    await receive(receiver, 2);
    await none(receiver);
  },

  'subscribe with receiveAndDelete': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(30));
    const got = [];
    const receiver = client.createReceiver('queue', { receiveMode: 'receiveAndDelete' });
    const subscription = receiver.subscribe({ processMessage: async (m) => got.push(m.body), processError: async ({ error }) => got.push(error) });
    await until(() => got.length === 30);
    await subscription.close();
    assert.deepEqual(got, numbered(30).map((m) => m.body));
    assert.equal((await bus.counts('queue')).Active, 0);
  },

  'two receivers share a queue': async (bus) => {
    const client = connect(bus);
    const [a, b] = [client.createReceiver('queue'), client.createReceiver('queue')];
    await send(client, 'queue', ...numbered(6));
    const [x, y] = await Promise.all([receive(a, 3), receive(b, 3)]);
    assert.deepEqual([...x, ...y].map((m) => m.body).sort(), [0, 1, 2, 3, 4, 5]);
  },

  'more than a session window of messages': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    for (let i = 0; i < 5; i++) await sender.sendMessages(numbered(500));
    const receiver = client.createReceiver('queue', { receiveMode: 'receiveAndDelete' });
    const messages = await receive(receiver, 2500);
    messages.forEach((m, i) => assert.equal(m.sequenceNumber.toNumber(), i + 1));
  },

  'peek shows messages in every state and changes nothing': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    await sender.sendMessages(numbered(3));
    const receiver = client.createReceiver('queue');
    const [locked, deferred] = await receive(receiver, 2);
    await receiver.deferMessage(deferred);
    const [number] = await sender.scheduleMessages({ body: 'later' }, new Date(Date.now() + 60_000));
    const peeker = client.createReceiver('queue');
    for (let i = 0; i < 2; i++) {
      const all = await peeker.peekMessages(10, { fromSequenceNumber: Long.ONE });
      const states = all.map((m) => [m.body, m.state, m.deliveryCount]);
      assert.deepEqual(states, [[0, 'active', 0], [1, 'deferred', 0], [2, 'active', 0], ['later', 'scheduled', 0]]);
      assert.deepEqual(await peeker.peekMessages(10), [], 'peeking goes on where it was');
      const again = await peeker.peekMessages(1, { fromSequenceNumber: number });
      assert.equal(again[0].body, 'later');
      assert.ok(again[0].scheduledEnqueueTimeUtc instanceof Date);
    }
    await receiver.completeMessage(locked);
  },

  'peek pages': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(7));
    const receiver = client.createReceiver('queue');
    const sizes = [];
    for (let i = 0; i < 4; i++) sizes.push((await receiver.peekMessages(3)).length);
    assert.deepEqual(sizes, [3, 3, 1, 0]);
  },

  'peek leaves the body out if asked to': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', { body: 'a'.repeat(1000), subject: 'kept', applicationProperties: { n: 1 } });
    const [m] = await client.createReceiver('queue').peekMessages(1, { omitMessageBody: true });
    assert.equal(m.body, undefined);
    assert.equal(m.subject, 'kept');
    assert.equal(m.applicationProperties.n, 1);
    const [full] = await client.createReceiver('queue').peekMessages(1, { fromSequenceNumber: Long.ONE });
    assert.equal(full.body.length, 1000);
  },

  'peek in a dead-letter queue': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', { body: 'bad' });
    const receiver = client.createReceiver('queue');
    await receiver.deadLetterMessage(await one(receiver), { deadLetterReason: 'because' });
    const dead = client.createReceiver('queue', { subQueueType: 'deadLetter' });
    const [m] = await dead.peekMessages(5);
    assert.equal(m.body, 'bad');
    assert.equal(m.deadLetterReason, 'because');
    assert.equal((await bus.peek('queue/$DeadLetterQueue')).length, 1);
  },

  'an aborted receive does not lose what comes later': async (bus) => {
    const client = connect(bus);
    const receiver = client.createReceiver('queue');
    const abort = new AbortController();
    const waiting = receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000, abortSignal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await assert.rejects(waiting, { name: 'AbortError' });
    const again = one(receiver); // its credit is still there
    await send(client, 'queue', { body: 'kept' });
    const m = await again;
    assert.equal(m.body, 'kept');
    assert.equal(m.deliveryCount, 0);
  },

  'a client that is closed says so': async (bus) => {
    const client = connect(bus);
    const receiver = client.createReceiver('queue');
    await client.close();
    await client.close();
    await assert.rejects(receiver.receiveMessages(1), /closed/);
    assert.equal(await bus.links(), 0);
    assert.ok(sdk.isServiceBusError(new sdk.ServiceBusError('x', 'GeneralError')));
  },
});
