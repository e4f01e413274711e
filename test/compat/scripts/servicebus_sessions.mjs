// Sessions.
import assert from 'node:assert/strict';
import { run, until } from './cases.mjs';
import { connect, fails, none, numbered, one, receive, send } from './servicebus.mjs';

// in_ makes messages of a session.
const in_ = (sessionId, n = 1) => numbered(n, { sessionId });

await run({
  'acceptSession: only its messages, in order': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 3).flatMap((m) => [m, { ...m, sessionId: 'b' }]));
    for (const id of ['a', 'b']) {
      const receiver = await client.acceptSession('sessions', id);
      assert.equal(receiver.sessionId, id);
      assert.ok(receiver.sessionLockedUntilUtc - Date.now() > 30_000);
      const messages = await receive(receiver, 3);
      assert.deepEqual(messages.map((m) => [m.sessionId, m.body]), [[id, 0], [id, 1], [id, 2]]);
      for (const m of messages) await receiver.completeMessage(m);
      await none(receiver);
      await receiver.close();
    }
  },

  'a session has one owner': async (bus) => {
    const [client, other] = [connect(bus), connect(bus)];
    const receiver = await client.acceptSession('sessions', 'a');
    await fails(other.acceptSession('sessions', 'a'), 'SessionCannotBeLocked');
    await receiver.close();
    const second = await other.acceptSession('sessions', 'a');
    assert.equal(second.sessionId, 'a');
  },

  'acceptNextSession: the one that has messages': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('only'));
    const receiver = await client.acceptNextSession('sessions');
    assert.equal(receiver.sessionId, 'only');
    await receiver.completeMessage(await one(receiver));
  },

  'acceptNextSession: none in time is a ServiceTimeout': async (bus) => {
    const client = connect(bus, { timeoutInMs: 800 });
    const began = performance.now();
    await fails(client.acceptNextSession('sessions'), 'ServiceTimeout');
    assert.ok(bus.inTime(began, 30_000));
  },

  'acceptNextSession: waits for a session': async (bus) => {
    const client = connect(bus);
    const waiting = client.acceptNextSession('sessions');
    await send(client, 'sessions', ...in_('new'));
    const receiver = await waiting;
    assert.equal(receiver.sessionId, 'new');
    assert.equal((await one(receiver)).body, 0);
  },

  'acceptNextSession: each gets another one': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...['a', 'b', 'c', 'd'].flatMap((id) => in_(id, 2)));
    const receivers = await Promise.all(Array.from({ length: 4 }, () => client.acceptNextSession('sessions')));
    assert.deepEqual(receivers.map((r) => r.sessionId).sort(), ['a', 'b', 'c', 'd']);
    for (const r of receivers) assert.deepEqual((await receive(r, 2)).map((m) => m.body), [0, 1]);
  },

  'an empty session answers [] in time, and the link stays open': async (bus) => {
    const client = connect(bus);
    const receiver = await client.acceptSession('sessions', 'a');
    const links = await bus.links();
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      assert.deepEqual(await receiver.receiveMessages(10, { maxWaitTimeInMs: 300 }), []);
      const took = performance.now() - began;
      assert.ok(took > 290 && bus.inTime(began, 30_000), `took ${took} ms`);
      assert.equal(await bus.links(), links);
    }
    await send(client, 'sessions', ...in_('a'));
    assert.equal((await one(receiver)).body, 0);
  },

  'settling in a session': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 4));
    const receiver = await client.acceptSession('sessions', 'a');
    const [a, b, c, d] = await receive(receiver, 4);
    await receiver.completeMessage(a);
    await receiver.deferMessage(b, { noted: 1 });
    await receiver.deadLetterMessage(c, { deadLetterReason: 'bad' });
    await receiver.abandonMessage(d, { noted: 2 });
    const again = await one(receiver);
    assert.deepEqual([again.body, again.deliveryCount, again.applicationProperties.noted], [3, 1, 2]);
    const [deferred] = await receiver.receiveDeferredMessages(b.sequenceNumber);
    assert.deepEqual([deferred.body, deferred.state, deferred.applicationProperties.noted], [1, 'deferred', 1]);
    await receiver.completeMessage(deferred);
    const dead = client.createReceiver('sessions', { subQueueType: 'deadLetter' });
    const m = await one(dead);
    assert.deepEqual([m.body, m.sessionId, m.deadLetterReason], [2, 'a', 'bad']);
  },

  'order is kept when a message is abandoned': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 3));
    const receiver = await client.acceptSession('sessions', 'a');
    await receiver.abandonMessage(await one(receiver));
    assert.deepEqual((await receive(receiver, 3)).map((m) => m.body), [0, 1, 2]);
  },

  'a session that is closed gives its messages back, uncounted': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 3));
    const first = await client.acceptSession('sessions', 'a');
    const [m] = await receive(first, 2);
    await first.close();
    await fails(first.completeMessage(m), 'SessionLockLost').catch((error) => assert.match(String(error), /closed|SessionLockLost/));
    const messages = await receive(await client.acceptSession('sessions', 'a'), 3);
    assert.deepEqual(messages.map((x) => [x.body, x.deliveryCount]), [[0, 0], [1, 0], [2, 0]]);
  },

  'a lost client gives its session back': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a'));
    await client.acceptSession('sessions', 'a');
    await client.close();
    assert.equal((await connect(bus).acceptNextSession('sessions')).sessionId, 'a');
  },

  'state: set, get, clear, survives the receiver': async (bus) => {
    const client = connect(bus);
    const first = await client.acceptSession('sessions', 'a');
    assert.equal(await first.getSessionState(), null);
    await first.setSessionState({ step: 3, done: ['x'] });
    assert.deepEqual(await first.getSessionState(), { step: 3, done: ['x'] });
    await first.close();
    const second = await client.acceptSession('sessions', 'a');
    assert.deepEqual(await second.getSessionState(), { step: 3, done: ['x'] });
    await second.setSessionState(null);
    assert.equal(await second.getSessionState(), null);
  },

  'renewSessionLock': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a'));
    const receiver = await client.acceptSession('sessions', 'a', { maxAutoLockRenewalDurationInMs: 0 });
    const m = await one(receiver);
    const before = receiver.sessionLockedUntilUtc;
    await bus.advance(50_000);
    const until_ = await receiver.renewSessionLock();
    assert.ok(until_ - before >= 50_000);
    assert.equal(receiver.sessionLockedUntilUtc.getTime(), until_.getTime());
    await bus.advance(50_000);
    await receiver.completeMessage(m);
    assert.deepEqual(await bus.peek('sessions'), []);
  },

  'a session lock that has expired': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a'));
    const receiver = await client.acceptSession('sessions', 'a', { maxAutoLockRenewalDurationInMs: 0 });
    const m = await one(receiver);
    await bus.advance(61_000);
    // A settlement that crosses the detach gets no answer, and the client would wait a minute for it.
    await until(() => receiver.isClosed, 'the end of the link');
    await fails(receiver.completeMessage(m), 'SessionLockLost');
    await fails(receiver.renewSessionLock(), 'SessionLockLost');
    const again = await one(await client.acceptSession('sessions', 'a'));
    assert.equal(again.deliveryCount, 1);
  },

  'peek sees the session alone': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 2), ...in_('b', 2));
    const receiver = await client.acceptSession('sessions', 'b');
    assert.deepEqual((await receiver.peekMessages(10)).map((m) => m.sessionId), ['b', 'b']);
  },

  'subscribe in a session': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 5));
    const receiver = await client.acceptNextSession('sessions');
    const got = [];
    const subscription = receiver.subscribe({ processMessage: async (m) => got.push(m.body), processError: async ({ error }) => got.push(error) });
    await until(async () => (await bus.counts('sessions')).Active === 0);
    await subscription.close();
    assert.deepEqual(got, [0, 1, 2, 3, 4]);
  },

  'receiveAndDelete in a session': async (bus) => {
    const client = connect(bus);
    await send(client, 'sessions', ...in_('a', 3));
    const receiver = await client.acceptSession('sessions', 'a', { receiveMode: 'receiveAndDelete' });
    assert.equal((await receive(receiver, 3)).length, 3);
    assert.deepEqual(await bus.peek('sessions'), []);
  },

  'a message without a session is refused': async (bus) => {
    const client = connect(bus);
    await fails(send(client, 'sessions', { body: 'x' }), 'GeneralError', /The SessionId was not set on a message/);
    assert.deepEqual(await bus.peek('sessions'), []);
  },

  'a receiver without sessions is refused': async (bus) => {
    const client = connect(bus);
    await fails(client.createReceiver('sessions').receiveMessages(1), 'GeneralError', /requires sessions to create a non-sessionful/);
    await fails(client.acceptNextSession('queue'), 'GeneralError', /does not require sessions/);
    // The client looks at the error only when it asked for the next session.
    await fails(client.acceptSession('queue', 'a'), 'SessionCannotBeLocked');
  },

  'sessions of a subscription': async (bus) => {
    const client = connect(bus);
    await send(client, 'topic', ...in_('a', 2));
    const receiver = await client.acceptSession('topic', 'sessions', 'a');
    assert.deepEqual((await receive(receiver, 2)).map((m) => m.body), [0, 1]);
    await receiver.close();
    assert.equal((await client.acceptNextSession('topic', 'sessions')).sessionId, 'a');
    await send(client, 'topic', { body: 'no session' });
    const dead = client.createReceiver('topic', 'sessions', { subQueueType: 'deadLetter' });
    assert.equal((await one(dead)).deadLetterReason, 'Session ID is null.');
  },
});
