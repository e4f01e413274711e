// What two servers can be asked alike. A case returns what it has seen; cosmos_test.go compares.
import { run, on, code, bare } from './cosmos_cases.mjs';

const inside = { partitionKey: 'a' };
const all = async (iterator) => bare((await iterator.fetchAll()).resources);
const status = (promise) => promise.then((r) => r.statusCode ?? r.code, (e) => e.code);
const put = (c, ...documents) => documents.reduce((last, d) => last.then(() => c.items.upsert(d)), Promise.resolve());
const people = (c) =>
  put(c, { id: '1', pk: 'a', n: 3, name: 'Ann' }, { id: '2', pk: 'a', n: 1, name: 'Bob' }, { id: '3', pk: 'a', n: 2, name: 'Cid' });
const ask = (query, parameters) => async (c) => {
  await people(c);
  return all(c.items.query({ query, parameters }, inside));
};

await run({
  'create a database twice': (c, db, client) => code(client.databases.create({ id: 'cases' })),
  'create a container twice': (c, db) => code(db.containers.create({ id: c.id, partitionKey: { paths: ['/pk'] } })),
  'create': async (c) => {
    const r = await c.items.create({ id: '1', pk: 'a', deep: { list: [1, null, 'x'] } });
    return [r.statusCode, bare(r.resource)];
  },
  'create twice': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    return status(c.items.create({ id: '1', pk: 'a' }));
  },
  'one id under two keys': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    return status(c.items.create({ id: '1', pk: 'b' }));
  },
  'read': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    const r = await c.item('1', 'a').read();
    return [r.statusCode, bare(r.resource)];
  },
  'read what is not there': (c) => status(c.item('none', 'a').read()),
  'read under another key': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    return status(c.item('1', 'b').read());
  },
  'replace': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    const r = await c.item('1', 'a').replace({ id: '1', pk: 'a', n: 1 });
    return [r.statusCode, bare(r.resource)];
  },
  'replace what is not there': (c) => status(c.item('none', 'a').replace({ id: 'none', pk: 'a' })),
  'replace a stale version': async (c) => {
    const { etag } = await c.items.create({ id: '1', pk: 'a' });
    await c.item('1', 'a').replace({ id: '1', pk: 'a', n: 1 });
    return status(c.item('1', 'a').replace({ id: '1', pk: 'a', n: 2 }, { accessCondition: { type: 'IfMatch', condition: etag } }));
  },
  'upsert twice': async (c) => [await status(c.items.upsert({ id: '1', pk: 'a' })), await status(c.items.upsert({ id: '1', pk: 'a' }))],
  'delete': async (c) => {
    await put(c, { id: '1', pk: 'a' });
    return [await status(c.item('1', 'a').delete()), await status(c.item('1', 'a').delete())];
  },
  'patch': async (c) => {
    await put(c, { id: '1', pk: 'a', n: 1, old: true });
    const r = await c.item('1', 'a').patch([
      { op: 'add', path: '/list', value: [1] },
      { op: 'incr', path: '/n', value: 2 },
      { op: 'remove', path: '/old' },
    ]);
    return [r.statusCode, bare(r.resource)];
  },
  'patch under a condition that fails': async (c) => {
    await put(c, { id: '1', pk: 'a', n: 1 });
    return status(c.item('1', 'a').patch({ condition: 'from c where c.n = 2', operations: [{ op: 'set', path: '/n', value: 3 }] }));
  },
  'unique key': on({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] } }, async (c) => {
    await put(c, { id: '1', pk: 'a', email: 'x' });
    return status(c.items.create({ id: '2', pk: 'a', email: 'x' }));
  }),
  'a batch that fails': async (c) => {
    await put(c, { id: 'there', pk: 'a' });
    await c.items.batch([{ operationType: 'Create', resourceBody: { id: '1', pk: 'a' } }, { operationType: 'Create', resourceBody: { id: 'there', pk: 'a' } }], 'a').catch(() => {});
    return all(c.items.readAll());
  },
  'query: filter': ask('SELECT * FROM c WHERE c.n > 1'),
  'query: parameters': ask('SELECT VALUE c.name FROM c WHERE c.n = @n', [{ name: '@n', value: 2 }]),
  'query: ORDER BY': ask('SELECT VALUE c.name FROM c ORDER BY c.n DESC'),
  'query: TOP': ask('SELECT TOP 1 c.id FROM c ORDER BY c.n'),
  'query: both quotes': ask(`SELECT VALUE c.id FROM c WHERE c.name = 'Ann' OR c.name = "Bob"`),
  'query: functions': ask('SELECT UPPER(c.name) AS u, LENGTH(c.name) AS l FROM c WHERE STARTSWITH(c.name, "A")'),
  'query: COUNT': ask('SELECT VALUE COUNT(1) FROM c'),
  'query: an unknown function': (c) => code(c.items.query('SELECT NOPE(1) FROM c', inside).fetchAll()),
  'query: of its partition only': async (c) => {
    await put(c, { id: '1', pk: 'a' }, { id: '2', pk: 'b' });
    return all(c.items.query('SELECT VALUE c.id FROM c', inside));
  },
  'query: pages': async (c) => {
    await people(c);
    const first = await c.items.query('SELECT VALUE c.id FROM c', { ...inside, maxItemCount: 2 }).fetchNext();
    const rest = await c.items.query('SELECT VALUE c.id FROM c', { ...inside, maxItemCount: 2, continuationToken: first.continuationToken }).fetchAll();
    return [first.resources, rest.resources];
  },
  'query: across partitions': async (c) => {
    await put(c, { id: '1', pk: 'a', n: 1 }, { id: '2', pk: 'b', n: 1 });
    return (await all(c.items.query('SELECT VALUE c.id FROM c WHERE c.n = 1'))).sort();
  },
});
