// Sending: single messages, batches, sizes, and that what arrives is what was sent.
import assert from 'node:assert/strict';
import { run } from './cases.mjs';
import { connect, fails, none, numbered, one, receive, send } from './servicebus.mjs';

// roundTrip sends a message and receives it.
async function roundTrip(bus, message, options) {
  const client = connect(bus);
  const sender = client.createSender('queue');
  await sender.sendMessages(message);
  return one(client.createReceiver('queue', options));
}

await run({
  'every field of a message': async (bus) => {
    const message = {
      body: 'body',
      messageId: 'id',
      contentType: 'text/plain',
      correlationId: 'correlation',
      partitionKey: 'session',
      sessionId: 'session',
      replyToSessionId: 'reply session',
      timeToLive: 60_000,
      subject: 'subject',
      to: 'to',
      replyTo: 'reply to',
    };
    const m = await roundTrip(bus, message);
    for (const [name, value] of Object.entries(message)) assert.deepEqual(m[name], value, name);
    assert.equal(m.expiresAtUtc - m.enqueuedTimeUtc, 60_000);
  },

  'application properties of every type': async (bus) => {
    const date = new Date(1700000000123);
    const applicationProperties = {
      text: 'ünï',
      empty: '',
      yes: true,
      no: false,
      small: 7,
      negative: -7,
      large: 2 ** 31,
      larger: 2 ** 53 - 1,
      half: 0.5,
      date,
      nothing: null,
    };
    const m = await roundTrip(bus, { body: 'x', applicationProperties }, { skipConvertingDate: true });
    assert.deepEqual(m.applicationProperties, applicationProperties);
  },

  'ids that are numbers and UUIDs': async (bus) => {
    const client = connect(bus);
    const uuid = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
    await send(client, 'queue', { body: 1, messageId: 42, correlationId: 43 }, { body: 2, messageId: uuid, correlationId: uuid });
    const [a, b] = await receive(client.createReceiver('queue'), 2);
    assert.deepEqual([a.messageId, a.correlationId], [42, 43]);
    assert.ok(uuid.equals(b.messageId) && uuid.equals(b.correlationId));
  },

  'bodies of every kind': async (bus) => {
    const client = connect(bus);
    const bodies = ['text', '', { a: [1, { b: null }] }, [1, 2], 7, 0.25, true, null, Buffer.from([0, 1, 255])];
    await send(client, 'queue', ...bodies.map((body) => ({ body })));
    const got = await receive(client.createReceiver('queue'), bodies.length);
    assert.deepEqual(got.slice(0, -1).map((m) => m.body), bodies.slice(0, -1));
    assert.deepEqual([...got.at(-1).body], [0, 1, 255]);
  },

  'an annotated message: value, sequence and data bodies': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    const value = { text: 'x', list: [1, 'two', null], flag: true };
    await sender.sendMessages({ bodyType: 'value', body: value });
    await sender.sendMessages({ bodyType: 'sequence', body: [[1, 'a'], ['b']] });
    await sender.sendMessages({ bodyType: 'data', body: Buffer.from('raw') });
    const messages = await receive(client.createReceiver('queue'), 3);
    assert.deepEqual(messages.map((m) => m._rawAmqpMessage.bodyType), ['value', 'sequence', 'data']);
    const [a, b, c] = messages.map((m) => m.body);
    assert.deepEqual({ ...a }, value);
    assert.deepEqual(b, [[1, 'a'], ['b']]);
    assert.equal(c.toString(), 'raw');
  },

  // rhea writes the footer before the body.
  'an annotated message: header, annotations, properties, footer': async (bus) => {
    const m = await roundTrip(bus, {
      bodyType: 'data',
      body: Buffer.from('x'),
      header: { durable: true, priority: 9, timeToLive: 5000 },
      messageAnnotations: { mine: 'annotation' },
      deliveryAnnotations: { hop: 'by hop' },
      properties: { subject: 's', userId: 'me', contentEncoding: 'gzip', groupSequence: 3, creationTime: Date.now() },
      applicationProperties: { a: 1 },
      footer: { end: 'foot' },
    });
    const raw = m._rawAmqpMessage;
    assert.equal(raw.header.durable, true);
    assert.equal(raw.header.priority, 9);
    assert.equal(raw.header.timeToLive, 5000);
    assert.equal(raw.messageAnnotations.mine, 'annotation');
    assert.equal(raw.deliveryAnnotations.hop, 'by hop');
    assert.equal(raw.properties.subject, 's');
    assert.equal(raw.properties.contentEncoding, 'gzip');
    assert.equal(raw.properties.groupSequence, 3);
    assert.equal(raw.footer.end, 'foot');
    assert.equal(m.applicationProperties.a, 1);
  },

  'an array is one batch, in order': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', ...numbered(100));
    const messages = await receive(client.createReceiver('queue'), 100);
    assert.deepEqual(messages.map((m) => m.body), numbered(100).map((m) => m.body));
    assert.equal(new Set(messages.map((m) => m.messageId)).size, 100);
  },

  'a batch knows how much it may hold': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    const batch = await sender.createMessageBatch();
    assert.equal(batch.maxSizeInBytes, 262144);
    while (batch.tryAddMessage({ body: 'x'.repeat(10_000), applicationProperties: { n: batch.count } }));
    assert.ok(batch.count > 20 && batch.sizeInBytes <= 262144);
    await sender.sendMessages(batch);
    const messages = await receive(client.createReceiver('queue'), batch.count);
    assert.deepEqual(messages.map((m) => m.applicationProperties.n), messages.map((_, i) => i));
    await assert.rejects(sender.createMessageBatch({ maxSizeInBytes: 262145 }));
  },

  '200 kB in several frames': async (bus) => {
    const body = Buffer.alloc(200_000, 'abcdefg');
    const m = await roundTrip(bus, { body });
    assert.ok(body.equals(m.body));
  },

  'a message of more than 256 kB is refused, and the sender lives on': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    await fails(sender.sendMessages({ body: Buffer.alloc(300_000) }), 'MessageSizeExceeded');
    await sender.sendMessages({ body: 'small' });
    assert.equal((await one(client.createReceiver('queue'))).body, 'small');
  },

  'a batch of more than 256 kB is refused whole': async (bus) => {
    const client = connect(bus);
    await fails(send(client, 'queue', ...numbered(4, { applicationProperties: { padding: 'x'.repeat(90_000) } })), 'MessageSizeExceeded');
    assert.deepEqual(await bus.peek('queue'), []);
  },

  'thirty-two senders at once': async (bus) => {
    const client = connect(bus);
    const senders = Array.from({ length: 32 }, () => client.createSender('queue'));
    await Promise.all(senders.map((s, i) => s.sendMessages({ body: i })));
    const bodies = (await receive(client.createReceiver('queue'), 32)).map((m) => m.body);
    assert.deepEqual(bodies.sort((a, b) => a - b), senders.map((_, i) => i));
  },

  'one sender, many sends at once': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    await Promise.all(numbered(500).map((m) => sender.sendMessages(m)));
    assert.equal((await bus.counts('queue')).Active, 500);
  },

  'time to live: a message that has expired is not received': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', { body: 'short', timeToLive: 1000 }, { body: 'long' });
    await bus.advance(1001);
    const receiver = client.createReceiver('queue');
    assert.equal((await one(receiver)).body, 'long');
    await none(receiver);
    assert.equal((await bus.counts('queue')).DeadLetter, 0);
  },

  'time to live: or it is dead-lettered': async (bus) => {
    const client = connect(bus);
    await send(client, 'late', { body: 'short', timeToLive: 1000 });
    await bus.advance(1001);
    const m = await one(client.createReceiver('late', { subQueueType: 'deadLetter' }));
    assert.equal(m.deadLetterReason, 'TTLExpiredException');
    assert.equal(m.deadLetterSource, 'late');
    assert.equal(m.body, 'short');
  },

  'duplicates are dropped within the window': async (bus) => {
    const client = connect(bus);
    await send(client, 'once', { body: 1, messageId: 'same' });
    const receiver = client.createReceiver('once');
    await receiver.completeMessage(await one(receiver));
    await send(client, 'once', { body: 2, messageId: 'same' }, { body: 3, messageId: 'other' });
    assert.equal((await one(receiver)).body, 3);
    await none(receiver);
    await bus.advance(61_000);
    await send(client, 'once', { body: 4, messageId: 'same' });
    assert.ok((await bus.peek('once')).some((m) => m.MessageID === 'same'));
  },

  'auto-forward': async (bus) => {
    const client = connect(bus);
    await send(client, 'first', { body: 'through' });
    assert.equal((await one(client.createReceiver('queue'))).body, 'through');
  },
});
