// The administration client. It wants https on the endpoint's own port, and has it there; or its requests are led to where
// the administration interface listens, as the emulator's samples do it.
import assert from 'node:assert/strict';
import { run } from './cases.mjs';
import { connect, one, retries, sdk, send } from './servicebus.mjs';

function administer(bus, connectionString = bus.connectionString) {
  const client = new sdk.ServiceBusAdministrationClient(connectionString, { retryOptions: retries(bus) });
  const toAdmin = {
    name: 'toAdmin',
    sendRequest: (request, next) => {
      const url = new URL(request.url);
      request.url = `http://${bus.admin}${url.pathname}${url.search}`;
      request.allowInsecureConnection = true;
      return next(request);
    },
  };
  client.pipeline.addPolicy(toAdmin, { afterPhase: 'Sign' });
  return bus.steps(client);
}

// unchanged has been told nothing but whom to trust.
const unchanged = (bus) =>
  bus.steps(new sdk.ServiceBusAdministrationClient(bus.connectionString, { retryOptions: retries(bus), tlsOptions: { ca: bus.certificate } }));

async function listed(pages) {
  const all = [];
  for await (const it of pages) all.push(it);
  return all;
}

await run({
  'namespace': async (bus) => {
    const properties = await administer(bus).getNamespaceProperties();
    assert.ok(properties.name);
    assert.ok(properties.messagingSku);
  },

  'over https on the port of AMQP': async (bus) => {
    const admin = unchanged(bus);
    await admin.createQueue('made', { maxDeliveryCount: 7 });
    await send(connect(bus), 'made', { body: 1 });
    assert.equal((await admin.getQueue('made')).maxDeliveryCount, 7);
    assert.equal((await admin.getQueueRuntimeProperties('made')).activeMessageCount, 1);
    await admin.deleteQueue('made');
    assert.equal(await admin.queueExists('made'), false);
  },

  'properties of queues, topics, subscriptions and rules': async (bus) => {
    const client = administer(bus);
    const quick = await client.getQueue('quick');
    assert.equal(quick.name, 'quick');
    assert.equal(quick.lockDuration, 'PT5S');
    assert.equal(quick.maxDeliveryCount, 10);
    assert.equal(quick.requiresSession, false);
    assert.equal((await client.getQueue('sessions')).requiresSession, true);
    assert.equal((await client.getQueue('late')).deadLetteringOnMessageExpiration, true);
    assert.equal((await client.getTopic('topic')).name, 'topic');
    assert.equal((await client.getSubscription('topic', 'all')).maxDeliveryCount, 3);
    assert.equal((await client.getRule('topic', 'sql', 'expensive')).filter.sqlExpression, "price > 100 AND sys.Label LIKE 'order%'");
    const { filter } = await client.getRule('topic', 'correlation', 'blue');
    assert.equal(filter.subject, 'order');
    assert.equal(filter.applicationProperties.colour, 'blue');
  },

  'lists': async (bus) => {
    const client = administer(bus);
    const queues = (await listed(client.listQueues())).map((q) => q.name);
    assert.deepEqual(queues.sort(), ['first', 'late', 'once', 'queue', 'quick', 'sessions']);
    assert.deepEqual((await listed(client.listTopics())).map((t) => t.name), ['topic']);
    assert.equal((await listed(client.listSubscriptions('topic'))).length, 5);
    assert.deepEqual((await listed(client.listRules('topic', 'all'))).map((r) => r.name), ['$Default']);
  },

  'true counts': async (bus) => {
    const client = connect(bus);
    await send(client, 'queue', { body: 1 }, { body: 2 }, { body: 3 }, { body: 4, scheduledEnqueueTimeUtc: new Date(Date.now() + 60_000) });
    const receiver = client.createReceiver('queue');
    await receiver.deadLetterMessage(await one(receiver));
    await one(receiver);
    const counts = await administer(bus).getQueueRuntimeProperties('queue');
    assert.equal(counts.totalMessageCount, 4);
    assert.equal(counts.activeMessageCount, 2);
    assert.equal(counts.deadLetterMessageCount, 1);
    assert.equal(counts.scheduledMessageCount, 1);
    assert.equal(counts.transferMessageCount, 0);
    assert.ok(counts.sizeInBytes > 0);
    assert.ok(counts.createdAt instanceof Date && !Number.isNaN(counts.createdAt.getTime()));
    await send(client, 'topic', { body: 1 });
    const subscription = await administer(bus).getSubscriptionRuntimeProperties('topic', 'all');
    assert.equal(subscription.activeMessageCount, 1);
    assert.equal((await administer(bus).getTopicRuntimeProperties('topic')).subscriptionCount, 5);
  },

  'what does not exist': async (bus) => {
    const client = administer(bus);
    await assert.rejects(client.getQueue('absent'), { code: 'MessageEntityNotFoundError' });
    assert.equal(await client.queueExists('absent'), false);
    assert.equal(await client.queueExists('queue'), true);
    assert.equal(await client.subscriptionExists('topic', 'absent'), false);
    assert.equal(await client.ruleExists('topic', 'all', '$Default'), true);
  },

  'a wrong key': async (bus) => {
    const client = administer(bus, bus.connectionString.replace('SAS_KEY_VALUE', 'wrong'));
    await assert.rejects(client.getQueue('queue'), { statusCode: 401 });
  },

  'a queue is created, updated, used and deleted': async (bus) => {
    const admin = administer(bus);
    const made = await admin.createQueue('made', { lockDuration: 'PT10S', maxDeliveryCount: 7, requiresSession: false });
    assert.equal(made.name, 'made');
    assert.equal(made.lockDuration, 'PT10S');
    assert.equal(made.maxDeliveryCount, 7);
    await assert.rejects(admin.createQueue('made'), { code: 'MessageEntityAlreadyExistsError' });
    const client = connect(bus);
    await send(client, 'made', { body: 'x' });
    assert.equal((await one(client.createReceiver('made'))).body, 'x');
    const updated = await admin.updateQueue({ ...(await admin.getQueue('made')), maxDeliveryCount: 8 });
    assert.equal(updated.maxDeliveryCount, 8);
    await admin.deleteQueue('made');
    assert.equal(await admin.queueExists('made'), false);
  },

  'a topic, a subscription and a rule are created, used and deleted': async (bus) => {
    const admin = administer(bus);
    await admin.createTopic('made');
    await admin.createSubscription('made', 'sub', { defaultRuleOptions: { name: 'big', filter: { sqlExpression: 'n > 1' } } });
    await admin.createRule('made', 'sub', 'blue', { applicationProperties: { colour: 'blue' } }, { sqlExpression: "SET seen = 'yes'" });
    assert.deepEqual((await listed(admin.listRules('made', 'sub'))).map((r) => r.name).sort(), ['big', 'blue']);
    const client = connect(bus);
    await send(client, 'made', { body: 1, applicationProperties: { n: 1 } }, { body: 2, applicationProperties: { n: 2 } }, { body: 3, applicationProperties: { colour: 'blue' } });
    const peeked = await bus.peek('made/Subscriptions/sub');
    assert.deepEqual(peeked.map((m) => m.Properties), [{ n: 2 }, { colour: 'blue', seen: 'yes', RuleName: 'blue' }]);
    await admin.deleteRule('made', 'sub', 'blue');
    await admin.deleteSubscription('made', 'sub');
    await admin.deleteTopic('made');
    assert.equal(await admin.topicExists('made'), false);
  },
});
