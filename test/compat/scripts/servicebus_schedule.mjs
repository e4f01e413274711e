// Messages for later.
import assert from 'node:assert/strict';
import { run } from './cases.mjs';
import { Long, connect, fails, none, numbered, one, receive, send } from './servicebus.mjs';

const inAMinute = () => new Date(Date.now() + 60_000);

await run({
  'scheduleMessages: invisible until due': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    const numbers = await sender.scheduleMessages(numbered(3), inAMinute());
    assert.ok(numbers.length === 3 && numbers.every(Long.isLong));
    assert.equal(new Set(numbers.map(String)).size, 3);
    const receiver = client.createReceiver('queue');
    await none(receiver);
    const peeked = await receiver.peekMessages(10);
    assert.deepEqual(peeked.map((m) => m.state), ['scheduled', 'scheduled', 'scheduled']);
    assert.deepEqual(peeked.map((m) => String(m.sequenceNumber)), numbers.map(String));
    await bus.advance(61_000);
    const messages = await receive(receiver, 3);
    assert.deepEqual(messages.map((m) => [m.body, m.state, m.deliveryCount]), [[0, 'active', 0], [1, 'active', 0], [2, 'active', 0]]);
  },

  'one message that is scheduled': async (bus) => {
    const client = connect(bus);
    const [number] = await client.createSender('queue').scheduleMessages({ body: 'x', messageId: 'm' }, inAMinute());
    const [m] = await client.createReceiver('queue').peekMessages(1, { fromSequenceNumber: number });
    assert.equal(m.messageId, 'm');
  },

  'scheduledEnqueueTimeUtc of a plain send': async (bus) => {
    const client = connect(bus);
    const at = inAMinute();
    await send(client, 'queue', { body: 'later', scheduledEnqueueTimeUtc: at }, { body: 'now' });
    const receiver = client.createReceiver('queue');
    const now = await one(receiver);
    assert.equal(now.body, 'now');
    await receiver.completeMessage(now);
    await none(receiver);
    await bus.advance(61_000);
    const m = await one(receiver);
    assert.equal(m.body, 'later');
    assert.equal(m.scheduledEnqueueTimeUtc.getTime(), at.getTime());
    assert.ok(m.enqueuedTimeUtc >= at);
  },

  'a time that has passed is now': async (bus) => {
    const client = connect(bus);
    await client.createSender('queue').scheduleMessages({ body: 'x' }, new Date(Date.now() - 1000));
    assert.equal((await one(client.createReceiver('queue'))).body, 'x');
  },

  'cancelScheduledMessages': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    const numbers = await sender.scheduleMessages(numbered(3), inAMinute());
    await sender.cancelScheduledMessages(numbers.slice(1));
    await bus.advance(61_000);
    const receiver = client.createReceiver('queue');
    assert.equal((await one(receiver)).body, 0);
    await none(receiver);
  },

  'what is not scheduled cannot be cancelled': async (bus) => {
    const client = connect(bus);
    const sender = client.createSender('queue');
    await fails(sender.cancelScheduledMessages(Long.fromNumber(99)), 'MessageNotFound');
    await sender.sendMessages({ body: 'the sender lives on' });
    assert.equal((await bus.counts('queue')).Active, 1);
  },

  'scheduling on a topic': async (bus) => {
    const client = connect(bus);
    await client.createSender('topic').scheduleMessages({ body: 'x' }, inAMinute());
    const receiver = client.createReceiver('topic', 'all');
    await none(receiver);
    await bus.advance(61_000);
    assert.equal((await one(receiver)).body, 'x');
  },

  'scheduling in a session': async (bus) => {
    const client = connect(bus);
    await client.createSender('sessions').scheduleMessages({ body: 'x', sessionId: 's' }, inAMinute());
    await bus.advance(61_000);
    const receiver = await client.acceptNextSession('sessions');
    assert.equal(receiver.sessionId, 's');
    assert.equal((await one(receiver)).body, 'x');
  },
});
