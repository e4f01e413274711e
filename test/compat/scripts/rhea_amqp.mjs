// Plain AMQP 1.0: links, credit, drain, outcomes, frames, and that messages pass untouched.
import assert from 'node:assert/strict';
import { run, until } from './cases.mjs';
import { accepted, answered, connect, happens, is, modified, rejected, released, rhea, sent, take, types } from './rhea.mjs';

const bodies = (contexts) => contexts.map(({ message }) => message.body);
const isAccepted = (state) => is('accepted', state);

// stored sends messages and waits until the broker has them.
async function stored(client, entity, ...messages) {
  const sender = await client.sender(entity);
  for (const m of messages) isAccepted(await sent(sender, m));
  sender.close();
}

await run({
  'send, receive, accept': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', { message_id: 'a', body: 'one' }, { body: 'two' });
    const receiver = await client.receiver('queue');
    const [a, b] = await take(receiver, 2);
    assert.deepEqual(bodies([a, b]), ['one', 'two']);
    assert.equal(a.message.message_id, 'a');
    assert.ok(b.message.message_id, 'the broker names a message without an id');
    assert.strictEqual(a.message.delivery_count, 0);
    assert.equal(a.message.message_annotations['x-opt-sequence-number'], 1);
    assert.equal(a.delivery.tag.length, 16);
    isAccepted(await answered(receiver, a.delivery, accepted().described()));
    isAccepted(await answered(receiver, b.delivery, accepted().described()));
    assert.deepEqual(await bus.peek('queue'), []);
  },

  'without a token there is no link': async (bus) => {
    const client = await connect(bus);
    for (const open of ['open_sender', 'open_receiver']) {
      const { [open.slice(5)]: refused } = await client.step(() => happens(client.connection[open]('queue'), `${open.slice(5)}_error`));
      assert.equal(refused.error.condition, 'amqp:unauthorized-access');
    }
    const wrong = await client.putToken('queue', 'wrong');
    assert.equal(wrong.application_properties['status-code'], 401);
    const absent = await client.putToken('absent');
    assert.equal(absent.application_properties['status-code'], 404);
    assert.ok((await client.connection.is_open()), 'the connection lives on');
  },

  'outcomes: released, modified, rejected': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', ...['released', 'failed', 'deferred', 'rejected', 'dead'].map((body) => ({ body })));
    const receiver = await client.receiver('queue');
    const [r, f, d, x, dead] = (await take(receiver, 5)).map((c) => c.delivery);
    is('released', await answered(receiver, r, released().described()));
    is('modified', await answered(receiver, f, modified({ delivery_failed: true, message_annotations: { noted: 'once' } }).described()));
    is('modified', await answered(receiver, d, modified({ undeliverable_here: true }).described()));
    is('rejected', await answered(receiver, x, rejected().described()));
    const error = { condition: 'com.microsoft:dead-letter', info: { DeadLetterReason: 'why', DeadLetterErrorDescription: 'because', extra: 7 } };
    is('rejected', await answered(receiver, dead, rejected({ error }).described()));
    const queue = await bus.peek('queue');
    assert.deepEqual(queue.map((m) => m.DeliveryCount), [0, 1, 0]);
    assert.equal(queue[1].Properties.noted, 'once');
    assert.equal((await bus.counts('queue')).Deferred, 1);
    const letters = await bus.peek('queue/$DeadLetterQueue');
    assert.deepEqual(letters.map((m) => m.Properties), [{}, { DeadLetterReason: 'why', DeadLetterErrorDescription: 'because', extra: 7 }]);
    assert.deepEqual(bodies(await take(receiver, 2)), ['released', 'failed']);
  },

  'settled at once: the client wants no answer': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', { body: 1 }, { body: 2 });
    const receiver = await client.receiver('queue');
    const [a, b] = await take(receiver, 2);
    // One after the other: rhea 3.0.5 puts neighbours with different outcomes into one disposition.
    a.delivery.update(true, accepted().described());
    await until(async () => (await bus.peek('queue')).length === 1);
    b.delivery.update(true, released().described());
    await until(async () => (await bus.counts('queue')).Locked === 0);
    assert.deepEqual((await bus.peek('queue')).map((m) => m.DeliveryCount), [0]);
  },

  'a range of deliveries in one disposition': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', ...Array.from({ length: 20 }, (_, i) => ({ body: i })));
    const receiver = await client.receiver('queue');
    const all = await take(receiver, 20);
    await Promise.all(all.map(({ delivery }) => answered(receiver, delivery, accepted().described()))); // rhea makes it one
    assert.deepEqual(await bus.peek('queue'), []);
  },

  'a lock that is lost': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', { body: 'x' });
    const receiver = await client.receiver('queue');
    const [{ delivery }] = await take(receiver);
    await bus.advance(61_000);
    const state = await answered(receiver, delivery, accepted().described());
    is('rejected', state);
    assert.equal(state.error.condition, 'com.microsoft:message-lock-lost');
    assert.equal((await take(receiver))[0].message.delivery_count, 1);
  },

  'no more than the credit': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', ...Array.from({ length: 5 }, (_, i) => ({ body: i })));
    const receiver = await client.receiver('queue');
    const got = [];
    receiver.on('message', ({ message }) => got.push(message.body));
    for (const n of [1, 3]) {
      const before = got.length;
      await client.step(() => receiver.add_credit(n));
      await until(() => got.length === before + n);
      assert.equal((await bus.counts('queue')).Locked, got.length);
    }
    assert.deepEqual(got, [0, 1, 2, 3]);
  },

  'drain: what is there comes, the rest of the credit is given back': async (bus) => {
    const client = await connect(bus, ['queue']);
    const receiver = await client.receiver('queue');
    const got = [];
    receiver.on('message', ({ message }) => got.push(message.body));
    receiver.add_credit(10);
    receiver.drain_credit();
    await happens(receiver, 'receiver_drained');
    assert.equal(receiver.credit, 0);
    receiver.drain = false;
    await stored(client, 'queue', { body: 'a' }, { body: 'b' });
    assert.equal((await bus.counts('queue')).Locked, 0, 'no credit is left');
    receiver.add_credit(10);
    receiver.drain_credit();
    await happens(receiver, 'receiver_drained');
    assert.deepEqual(got, ['a', 'b']);
    assert.equal(receiver.credit, 0);
    receiver.drain = false;
    const again = take(receiver);
    await stored(client, 'queue', { body: 'c' });
    assert.deepEqual(bodies(await again), ['c']);
  },

  'a message in many frames, both ways': async (bus) => {
    const client = await connect(bus, ['queue'], { max_frame_size: 4096 });
    const body = rhea.message.data_section(Buffer.alloc(250_000, 'xyz'));
    await stored(client, 'queue', { body }, { body: 'small' });
    const [big, small] = await take(await client.receiver('queue'), 2);
    assert.ok(body.content.equals(big.message.body.content));
    assert.equal(small.message.body, 'small');
  },

  'frames of the smallest size': async (bus) => {
    const client = await connect(bus, ['queue'], { max_frame_size: 512 });
    const body = rhea.message.data_section(Buffer.alloc(20_000, 'small frames'));
    await stored(client, 'queue', { body });
    const [{ message }] = await take(await client.receiver('queue'));
    assert.ok(body.content.equals(message.body.content));
  },

  'a message that is too large': async (bus) => {
    const client = await connect(bus, ['queue']);
    const sender = await client.sender('queue');
    assert.equal(Number(sender.max_message_size ?? sender.remote.attach.max_message_size), 262144);
    const closed = happens(sender, 'sender_error');
    const state = await Promise.race([
      sent(sender, { body: rhea.message.data_section(Buffer.alloc(300_000)) }),
      closed.then(({ sender: { error } }) => ({ error })),
    ]);
    assert.equal(state.error.condition, 'amqp:link:message-size-exceeded');
    await stored(client, 'queue', { body: 'small' });
  },

  'more messages than a session window': async (bus) => {
    const client = await connect(bus, ['queue']);
    const sender = await client.sender('queue');
    const total = 3000;
    let settled = 0;
    sender.on('accepted', () => settled++);
    for (let i = 0; i < total; i++) {
      while (!sender.sendable()) await happens(sender, 'sendable');
      sender.send({ body: i });
    }
    await until(() => settled === total);
    const receiver = await client.receiver('queue', { credit_window: 100, autoaccept: true, autosettle: true });
    const got = [];
    receiver.on('message', ({ message }) => got.push(message.body));
    await until(async () => (await bus.counts('queue')).Active === 0, 'an empty queue');
    assert.deepEqual(got, Array.from({ length: total }, (_, i) => i));
  },

  'receive and delete: deliveries that are settled when they come': async (bus) => {
    const client = await connect(bus, ['queue']);
    await stored(client, 'queue', { body: 1 });
    const receiver = await client.receiver('queue', { snd_settle_mode: 1, rcv_settle_mode: 0 });
    const [{ delivery }] = await take(receiver);
    assert.equal(delivery.remote_settled, true);
    assert.deepEqual(await bus.peek('queue'), []);
  },

  'sending settled': async (bus) => {
    const client = await connect(bus, ['queue']);
    const sender = await client.sender('queue', { snd_settle_mode: 1 });
    sender.send({ body: 'trusting' });
    await until(async () => (await bus.peek('queue')).length === 1);
  },

  'a batch: messages in the data sections of one': async (bus) => {
    const client = await connect(bus, ['queue']);
    const sender = await client.sender('queue');
    const parts = ['a', 'b', 'c'].map((body) => rhea.message.encode({ body }));
    isAccepted(await sent(sender, rhea.message.encode({ body: rhea.message.data_sections(parts) }), undefined, 0x80013700));
    assert.deepEqual(bodies(await take(await client.receiver('queue'), 3)), ['a', 'b', 'c']);
  },

  'typed values keep their types': async (bus) => {
    const client = await connect(bus, ['queue']);
    const application_properties = {
      ubyte: types.wrap_ubyte(200),
      int: types.wrap_int(-5),
      long: types.wrap_long(2 ** 40),
      float: types.wrap_float(0.5),
      symbol: types.wrap_symbol('sym'),
      timestamp: types.wrap_timestamp(1700000000000),
      uuid: types.wrap_uuid(Buffer.alloc(16, 7)),
      char: types.wrap_char(0x1f600),
      binary: types.wrap_binary(Buffer.from([0, 255])),
    };
    const properties = { correlation_id: 7, user_id: Buffer.from('me'), content_type: 'a/b', creation_time: new Date(1700000000000), group_sequence: 4294967295 };
    await stored(client, 'queue', { ...properties, application_properties, body: types.wrap_described([1, 'x'], 'my:type'), footer: { end: 1 } });
    const [{ message }] = await take(await client.receiver('queue'));
    assert.deepEqual(
      { ...message.application_properties, uuid: message.application_properties.uuid.toString('hex'), binary: [...message.application_properties.binary] },
      { ubyte: 200, int: -5, long: 2 ** 40, float: 0.5, symbol: 'sym', timestamp: message.application_properties.timestamp, uuid: '07'.repeat(16), char: 0x1f600, binary: [0, 255] },
    );
    assert.equal(Number(message.application_properties.timestamp), 1700000000000);
    assert.equal(message.correlation_id, 7);
    assert.equal(message.group_sequence, 4294967295);
    assert.equal(message.user_id.toString(), 'me');
    assert.equal(message.footer.end, 1);
  },

  'sessions: a filter names one or takes the next': async (bus) => {
    const client = await connect(bus, ['sessions']);
    await stored(client, 'sessions', { group_id: 'a', body: 1 }, { group_id: 'b', body: 2 });
    const filter = (id) => ({ source: { address: 'sessions', filter: { 'com.microsoft:session-filter': id } } });
    const b = await client.receiver('sessions', filter('b'));
    assert.equal(b.source.filter['com.microsoft:session-filter'], 'b');
    assert.deepEqual(bodies(await take(b)), [2]);
    const next = await client.receiver('sessions', filter(null));
    assert.equal(next.source.filter['com.microsoft:session-filter'], 'a');
    const second = client.connection.open_receiver({ ...filter('a') });
    const { receiver } = await happens(second, 'receiver_error');
    assert.equal(receiver.error.condition, 'com.microsoft:session-cannot-be-locked');
  },

  '$management: peek, schedule, cancel, renew': async (bus) => {
    const client = await connect(bus, ['queue', 'queue/$management']);
    const ask = (operation, body) =>
      client.request('queue/$management', { application_properties: { operation: `com.microsoft:${operation}` }, body });
    await stored(client, 'queue', { body: 'x' });
    const peeked = await ask('peek-message', { 'from-sequence-number': types.wrap_long(1), 'message-count': types.wrap_int(5) });
    assert.equal(peeked.application_properties.statusCode, 200);
    assert.equal(rhea.message.decode(peeked.body.messages[0].message).body, 'x');
    const message = rhea.message.encode({ message_id: 'later', message_annotations: { 'x-opt-scheduled-enqueue-time': new Date(Date.now() + 60_000) }, body: 'later' });
    const scheduled = await ask('schedule-message', { messages: [types.wrap_map({ 'message-id': 'later', message: types.wrap_binary(message) })] });
    assert.equal(scheduled.application_properties.statusCode, 200);
    assert.equal((await bus.counts('queue')).Scheduled, 1);
    const [number] = scheduled.body['sequence-numbers'];
    const cancelled = await ask('cancel-scheduled-message', { 'sequence-numbers': types.wrap_array([number], 0x81) });
    assert.equal(cancelled.application_properties.statusCode, 200);
    assert.equal((await bus.counts('queue')).Scheduled, 0);
    const bogus = await ask('renew-lock', { 'lock-tokens': types.wrap_array([Buffer.alloc(16, 1)], 0x98) });
    assert.equal(bogus.application_properties.statusCode, 410);
  },

  'links of one session end with it': async (bus) => {
    const client = await connect(bus, ['queue', 'sessions']);
    const session = client.connection.create_session();
    session.begin();
    const receiver = session.open_receiver({ source: { address: 'sessions', filter: { 'com.microsoft:session-filter': 'a' } }, credit_window: 0 });
    await happens(receiver, 'receiver_open');
    const before = await bus.links();
    session.close();
    await until(async () => (await bus.links()) === before - 1);
    await client.receiver('sessions', { source: { address: 'sessions', filter: { 'com.microsoft:session-filter': 'a' } } });
  },

  'fifty links on one connection': async (bus) => {
    const client = await connect(bus, ['queue']);
    const senders = await Promise.all(Array.from({ length: 50 }, () => client.sender('queue')));
    for (const state of await Promise.all(senders.map((s, i) => sent(s, { body: i })))) isAccepted(state);
    assert.equal((await bus.peek('queue')).length, 50);
    for (const s of senders) s.close();
  },

  'over TLS, with a certificate that is checked': async (bus) => {
    const client = await connect(bus, ['queue'], { transport: 'tls', ca: bus.certificate });
    await stored(client, 'queue', { body: rhea.message.data_section(Buffer.alloc(200_000)) });
    const [{ message }] = await take(await client.receiver('queue'));
    assert.equal(message.body.content.length, 200_000);
  },

  'PLAIN instead of ANONYMOUS': async (bus) => {
    const client = await connect(bus, ['queue'], { username: 'RootManageSharedAccessKey', password: 'SAS_KEY_VALUE' });
    await stored(client, 'queue', { body: 'x' });
  },
});
