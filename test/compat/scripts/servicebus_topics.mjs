// Topics, and the rules of their subscriptions.
import assert from 'node:assert/strict';
import { run } from './cases.mjs';
import { connect, fails, none, numbered, one, receive, send } from './servicebus.mjs';

const names = async (bus, subscription) => (await bus.peek(`topic/Subscriptions/${subscription}`)).map((m) => m.MessageID);

// listed are the rules of a manager, those without a name of their own included.
async function listed(manager) {
  const rules = [];
  for await (const rule of manager.listRules()) {
    if (rule) rules.push(rule); // an empty page is an undefined rule in 7.9.5
  }
  return rules;
}

await run({
  'each subscription has a copy of its own': async (bus) => {
    const client = connect(bus);
    await send(client, 'topic', ...numbered(3, { sessionId: 's' }));
    const all = client.createReceiver('topic', 'all');
    const messages = await receive(all, 3);
    assert.deepEqual(messages.map((m) => m.body), [0, 1, 2]);
    for (const m of messages) await all.completeMessage(m);
    assert.deepEqual(await bus.peek('topic/Subscriptions/all'), []);
    assert.equal((await bus.peek('topic/Subscriptions/sessions')).length, 3);
    assert.equal((await bus.peek('topic/Subscriptions/sql')).length, 0);
  },

  'SQL filter': async (bus) => {
    const client = connect(bus);
    const order = (messageId, price, subject = 'order-1') => ({ body: 0, messageId, subject, applicationProperties: { price } });
    await send(client, 'topic', order('cheap', 50), order('dear', 101), order('dearer', 100.5), order('other', 500, 'offer'), order('text', 'x'), {
      body: 0,
      messageId: 'none',
    });
    assert.deepEqual(await names(bus, 'sql'), ['dear', 'dearer']);
  },

  'correlation filter': async (bus) => {
    const client = connect(bus);
    const message = (messageId, subject, correlationId, colour) => ({ body: 0, messageId, subject, correlationId, applicationProperties: { colour } });
    await send(
      client,
      'topic',
      message('match', 'order', '7', 'blue'),
      message('label', 'Order', '7', 'blue'),
      message('id', 'order', '8', 'blue'),
      message('colour', 'order', '7', 'Blue'),
    );
    assert.deepEqual(await names(bus, 'correlation'), ['match']);
  },

  'action': async (bus) => {
    const client = connect(bus);
    await send(client, 'topic', { body: 'x', subject: 'raw', applicationProperties: { price: 21, colour: 'red' } });
    const m = await one(client.createReceiver('topic', 'action'));
    assert.equal(m.subject, 'marked');
    assert.deepEqual({ ...m.applicationProperties }, { price: 21, tax: 42, RuleName: 'mark' });
    const original = await one(client.createReceiver('topic', 'all'));
    assert.equal(original.subject, 'raw');
    assert.deepEqual({ ...original.applicationProperties }, { price: 21, colour: 'red' });
  },

  'the dead-letter queue of a subscription': async (bus) => {
    const client = connect(bus);
    await send(client, 'topic', { body: 'x' });
    const receiver = client.createReceiver('topic', 'all');
    await receiver.deadLetterMessage(await one(receiver), { deadLetterReason: 'r' });
    const m = await one(client.createReceiver('topic', 'all', { subQueueType: 'deadLetter' }));
    assert.equal(m.deadLetterReason, 'r');
    assert.match(m.deadLetterSource, /^topic\/Subscriptions\/all$/i);
  },

  'receiving from a topic, sending to a subscription': async (bus) => {
    const client = connect(bus);
    await assert.rejects(client.createReceiver('topic').receiveMessages(1, { maxWaitTimeInMs: 500 }));
    await assert.rejects(client.createSender('topic/Subscriptions/all').sendMessages({ body: 0 }));
  },

  'rule manager: list what Config.json has made': async (bus) => {
    const client = connect(bus);
    const [all] = await listed(client.createRuleManager('topic', 'all'));
    assert.equal(all.name, '$Default');
    assert.equal(all.filter.sqlExpression, '1=1');
    const [sql] = await listed(client.createRuleManager('topic', 'sql'));
    assert.equal(sql.name, 'expensive');
    assert.equal(sql.filter.sqlExpression, "price > 100 AND sys.Label LIKE 'order%'");
    const [blue] = await listed(client.createRuleManager('topic', 'correlation'));
    assert.equal(blue.filter.subject, 'order');
    assert.equal(blue.filter.correlationId, '7');
    assert.equal(blue.filter.messageId ?? undefined, undefined);
    assert.deepEqual({ ...blue.filter.applicationProperties }, { colour: 'blue' });
    const [mark] = await listed(client.createRuleManager('topic', 'action'));
    assert.match(mark.action.sqlExpression, /SET sys.Label = 'marked'/);
  },

  'rule manager: $Default removed, rules created, what they do': async (bus) => {
    const client = connect(bus);
    const manager = client.createRuleManager('topic', 'all');
    await manager.deleteRule('$Default');
    assert.deepEqual(await listed(manager), []);
    await send(client, 'topic', { body: 0, messageId: 'nobody wants it' });
    await manager.createRule('sql', { sqlExpression: 'price > 10' });
    await manager.createRule('colour', { applicationProperties: { colour: 'blue' }, subject: 'order' });
    await manager.createRule('mark', { sqlExpression: "city = 'Ulm'" }, { sqlExpression: 'SET price = price + 1' });
    assert.deepEqual((await listed(manager)).map((r) => r.name).sort(), ['colour', 'mark', 'sql']);
    await send(
      client,
      'topic',
      { body: 0, messageId: 'cheap', applicationProperties: { price: 5 } },
      { body: 0, messageId: 'dear', applicationProperties: { price: 11 } },
      { body: 0, messageId: 'blue', subject: 'order', applicationProperties: { colour: 'blue' } },
      { body: 0, messageId: 'Ulm', applicationProperties: { city: 'Ulm', price: 1 } },
    );
    assert.deepEqual(await names(bus, 'all'), ['dear', 'blue', 'Ulm']);
    const last = (await receive(client.createReceiver('topic', 'all'), 3))[2];
    assert.deepEqual({ ...last.applicationProperties }, { city: 'Ulm', price: 2, RuleName: 'mark' });
    await manager.deleteRule('sql');
    await send(client, 'topic', { body: 0, messageId: 'again', applicationProperties: { price: 11 } });
    assert.ok(!(await names(bus, 'all')).includes('again'));
  },

  'rule manager: a correlation rule comes back as it was made': async (bus) => {
    const client = connect(bus);
    const manager = client.createRuleManager('topic', 'all');
    const filter = {
      correlationId: 'c',
      messageId: 'm',
      to: 't',
      replyTo: 'r',
      subject: 's',
      sessionId: 'i',
      replyToSessionId: 'ri',
      contentType: 'ct',
      applicationProperties: { text: 'x', yes: true, number: 7 },
    };
    await manager.createRule('full', filter);
    const rule = (await listed(manager)).find((r) => r.name === 'full');
    const { applicationProperties, ...fields } = rule.filter;
    assert.deepEqual({ ...fields }, Object.fromEntries(Object.entries(filter).filter(([name]) => name !== 'applicationProperties')));
    assert.deepEqual({ ...applicationProperties }, filter.applicationProperties);
    await send(client, 'topic', { body: 0 });
    assert.equal((await bus.peek('topic/Subscriptions/all')).length, 1, '$Default still takes everything');
  },

  'rule manager: a name that exists, one that does not, SQL that is none': async (bus) => {
    const client = connect(bus);
    const manager = client.createRuleManager('topic', 'all');
    await manager.createRule('twice', { sqlExpression: 'a = 1' });
    await fails(manager.createRule('twice', { sqlExpression: 'a = 2' }), 'MessagingEntityAlreadyExists');
    await fails(manager.deleteRule('absent'), 'MessagingEntityNotFound');
    await assert.rejects(manager.createRule('bad', { sqlExpression: 'a = = 2' }), { name: 'ServiceBusError' });
    assert.deepEqual((await listed(manager)).map((r) => r.name).sort(), ['$Default', 'twice']);
  },

  'rule manager: more rules than a page holds': async (bus) => {
    const client = connect(bus);
    const manager = client.createRuleManager('topic', 'all');
    for (let i = 0; i < 119; i++) await manager.createRule(`rule ${i}`, { sqlExpression: `a = ${i}` });
    assert.equal((await listed(manager)).length, 120);
  },
});
