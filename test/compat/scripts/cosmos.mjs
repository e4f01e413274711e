// What the service does, as its client for JavaScript sees it.
import assert from 'node:assert/strict';
import { run, on, code, bare, ChangeFeedStartFrom, BulkOperationType, PatchOperationType } from './cosmos_cases.mjs';

const same = assert.deepEqual;
const put = (c, ...documents) => documents.reduce((last, d) => last.then(() => c.items.upsert(d)), Promise.resolve());
const all = async (iterator) => (await iterator.fetchAll()).resources;
const inside = { partitionKey: 'a' };

const people = (c) =>
  put(
    c,
    { id: '1', pk: 'a', name: 'Ann', age: 31, city: 'Oslo', tags: ['x', 'y'] },
    { id: '2', pk: 'a', name: 'Bob', age: 25, city: 'Rome', tags: [] },
    { id: '3', pk: 'a', name: 'Cid', age: 31, city: 'Oslo', tags: ['y'] },
    { id: '4', pk: 'a', name: 'Dot', city: 'Oslo' },
    { id: '5', pk: 'b', name: 'Eve', age: 40, city: 'Rome' },
  );

// pages drains a change feed; a 304 ends it.
async function pages(iterator) {
  const list = [];
  let token;
  while (iterator.hasMoreResults) {
    const page = await iterator.readNext();
    token = page.continuationToken;
    if (page.statusCode === 304 || page.result.length === 0) break;
    list.push(page.result.map((d) => d.id));
  }
  return { list, ids: list.flat(), token };
}

await run({
  'databases and containers': async (c, db, client) => {
    same(await code(client.databases.create({ id: 'cases' })), 409);
    same(await code(db.containers.create({ id: c.id, partitionKey: { paths: ['/pk'] } })), 409);
    const { resource } = await c.read();
    same(resource.partitionKey, { paths: ['/pk'], version: 2, kind: 'Hash' });
    assert(resource.indexingPolicy.includedPaths.length > 0);
    same((await client.databases.readAll().fetchAll()).resources.map((d) => d.id), ['cases']);
    const named = await all(db.containers.query({ query: 'SELECT * FROM c WHERE c.id = @id', parameters: [{ name: '@id', value: c.id }] }));
    same(named.length, 1);
    const changed = await c.replace({ ...resource, defaultTtl: 60 });
    same(changed.resource.defaultTtl, 60);
    await c.delete();
    same(await code(c.read()), 404);
    same(await code(db.containers.create({ id: 'bad/name', partitionKey: { paths: ['/pk'] } }).catch((e) => { if (e.code === undefined) e.code = 400; throw e; })), 400);
  },

  'create, read, replace, upsert, delete': async (c) => {
    const made = await c.items.create({ id: '1', pk: 'a', n: 1 });
    same(made.statusCode, 201);
    same(bare(made.resource), { id: '1', pk: 'a', n: 1 });
    assert(made.requestCharge > 0);
    assert(made.etag);
    same(await code(c.items.create({ id: '1', pk: 'a' })), 409);
    const item = c.item('1', 'a');
    same(bare((await item.read()).resource), { id: '1', pk: 'a', n: 1 });
    same((await c.item('1', 'b').read()).statusCode, 404);
    same((await item.replace({ id: '1', pk: 'a', n: 2 })).statusCode, 200);
    same(await code(c.item('9', 'a').replace({ id: '9', pk: 'a' })), 404);
    same((await c.items.upsert({ id: '2', pk: 'a' })).statusCode, 201);
    same((await c.items.upsert({ id: '2', pk: 'a', n: 1 })).statusCode, 200);
    same((await item.delete()).statusCode, 204);
    same(await code(item.delete()), 404);
    same(await code(c.items.create({ id: '3', pk: 'a', ttl: 0 })), 400);
  },

  'If-Match and If-None-Match': async (c) => {
    const { etag } = await c.items.create({ id: '1', pk: 'a' });
    const item = c.item('1', 'a');
    const stale = { accessCondition: { type: 'IfMatch', condition: etag } };
    await item.replace({ id: '1', pk: 'a', n: 1 }, stale);
    same(await code(item.replace({ id: '1', pk: 'a', n: 2 }, stale)), 412);
    same(await code(item.delete(stale)), 412);
    same(await code(c.items.upsert({ id: '1', pk: 'a' }, stale)), 412);
    const now = await item.read();
    same((await item.read({ accessCondition: { type: 'IfNoneMatch', condition: now.etag } })).statusCode, 304);
  },

  'patch': async (c) => {
    await put(c, { id: '1', pk: 'a', n: 1, list: [1, 3], old: true, from: 'x' });
    const { resource } = await c.item('1', 'a').patch([
      { op: PatchOperationType.add, path: '/added', value: { deep: 1 } },
      { op: PatchOperationType.set, path: '/added/more', value: null },
      { op: PatchOperationType.replace, path: '/n', value: 5 },
      { op: PatchOperationType.incr, path: '/n', value: -2 },
      { op: PatchOperationType.add, path: '/list/1', value: 2 },
      { op: PatchOperationType.remove, path: '/old' },
    ]);
    same(bare(resource), { id: '1', pk: 'a', n: 3, list: [1, 2, 3], from: 'x', added: { deep: 1, more: null } });
    const condition = 'from c where c.n = 4';
    same(await code(c.item('1', 'a').patch({ condition, operations: [{ op: 'set', path: '/n', value: 9 }] })), 412);
    same(await code(c.item('1', 'a').patch([{ op: 'replace', path: '/none', value: 1 }])), 400);
    same(await code(c.item('1', 'a').patch([{ op: 'set', path: '/pk', value: 'b' }])), 400);
    same(await code(c.item('9', 'a').patch([{ op: 'set', path: '/n', value: 1 }])), 404);
    same(await code(c.item('1', 'a').patch(Array.from({ length: 11 }, () => ({ op: 'incr', path: '/n', value: 1 })))), 400);
  },

  'a batch is stored whole': async (c) => {
    await put(c, { id: 'old', pk: 'a' }, { id: 'gone', pk: 'a' });
    const { code: status, result } = await c.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: '1', pk: 'a' } },
        { operationType: BulkOperationType.Upsert, resourceBody: { id: '2', pk: 'a' } },
        { operationType: BulkOperationType.Replace, id: 'old', resourceBody: { id: 'old', pk: 'a', n: 1 } },
        { operationType: BulkOperationType.Patch, id: 'old', resourceBody: { operations: [{ op: 'incr', path: '/n', value: 1 }] } },
        { operationType: BulkOperationType.Read, id: 'old' },
        { operationType: BulkOperationType.Delete, id: 'gone' },
      ],
      'a',
    );
    same(status, 200);
    same(result.map((r) => r.statusCode), [201, 201, 200, 200, 200, 204]);
    same(bare(result[4].resourceBody), { id: 'old', pk: 'a', n: 2 });
    assert(result.every((r) => r.requestCharge > 0));
    same((await all(c.items.readAll())).length, 3);
  },

  'a batch is stored not at all': async (c) => {
    await put(c, { id: 'there', pk: 'a' });
    const { code: status, result } = await c.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: '1', pk: 'a' } },
        { operationType: BulkOperationType.Create, resourceBody: { id: 'there', pk: 'a' } },
        { operationType: BulkOperationType.Delete, id: 'there' },
      ],
      'a',
    );
    same(status, 207);
    same(result.map((r) => r.statusCode), [424, 409, 424]);
    same((await all(c.items.readAll())).map((d) => d.id), ['there']);
    const foreign = await c.items.batch([{ operationType: BulkOperationType.Create, resourceBody: { id: '1', pk: 'b' } }], 'a').catch((e) => e);
    assert(foreign.code === 400 || foreign.result[0].statusCode === 400, 'another partition key');
  },

  'bulk': async (c) => {
    const creates = Array.from({ length: 150 }, (_, i) => ({ operationType: BulkOperationType.Create, partitionKey: `k${i % 7}`, resourceBody: { id: `${i}`, pk: `k${i % 7}` } }));
    const made = await c.items.executeBulkOperations(creates);
    same(made.length, 150);
    assert(made.every((r) => r.response?.statusCode === 201), JSON.stringify(made.find((r) => r.response?.statusCode !== 201)));
    const mixed = await c.items.executeBulkOperations([
      { operationType: BulkOperationType.Read, id: '0', partitionKey: 'k0' },
      { operationType: BulkOperationType.Upsert, partitionKey: 'k1', resourceBody: { id: '1', pk: 'k1', n: 1 } },
      { operationType: BulkOperationType.Delete, id: '2', partitionKey: 'k2' },
      { operationType: BulkOperationType.Create, partitionKey: 'k3', resourceBody: { id: '3', pk: 'k3' } },
      { operationType: BulkOperationType.Delete, id: 'none', partitionKey: 'k4' },
    ]);
    same(mixed.map((r) => r.response?.statusCode ?? r.error?.code), [200, 200, 204, 409, 404]);
  },

  'queries inside a partition': async (c) => {
    await people(c);
    const ask = (query, parameters) => all(c.items.query({ query, parameters }, inside));
    same(await ask('SELECT VALUE c.name FROM c WHERE c.age = @age ORDER BY c.name DESC', [{ name: '@age', value: 31 }]), ['Cid', 'Ann']);
    same(await ask('SELECT c.id, c.age FROM c WHERE c.age > 26 AND c.city = "Oslo"'), [{ id: '1', age: 31 }, { id: '3', age: 31 }]);
    same(await ask('SELECT TOP 2 VALUE c.id FROM c ORDER BY c.id'), ['1', '2']);
    same(await ask('SELECT VALUE c.id FROM c ORDER BY c.id OFFSET 1 LIMIT 2'), ['2', '3']);
    same((await ask('SELECT DISTINCT VALUE c.city FROM c')).sort(), ['Oslo', 'Rome']);
    same(await ask('SELECT VALUE COUNT(1) FROM c'), [4]);
    same(await ask('SELECT VALUE SUM(c.age) FROM c WHERE IS_DEFINED(c.age)'), [87]);
    same(await ask('SELECT VALUE t FROM c JOIN t IN c.tags'), ['x', 'y', 'y']);
    same(await ask("SELECT VALUE c.id FROM c WHERE c.name LIKE 'B%' OR c.name IN ('Dot') OR NOT IS_DEFINED(c.age)"), ['2', '4']);
    same(await ask('SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, "y") AND c.age BETWEEN 30 AND 32'), ['1', '3']);
    same(await ask('SELECT VALUE UPPER(c.name) || "!" FROM c WHERE STARTSWITH(c.name, "A")'), ['ANN!']);
    same(await code(ask('SELECT FROM WHERE')), 400);
  },

  'GROUP BY inside a partition': async (c) => {
    await people(c);
    const list = await all(c.items.query('SELECT c.city, COUNT(1) AS n, MAX(c.age) AS oldest FROM c GROUP BY c.city', inside));
    same(list.sort((a, b) => (a.city < b.city ? -1 : 1)), [{ city: 'Oslo', n: 3, oldest: 31 }, { city: 'Rome', n: 1, oldest: 25 }]);
  },

  'ORDER BY two paths': on(
    {
      indexingPolicy: {
        indexingMode: 'consistent', automatic: true, includedPaths: [{ path: '/*' }], excludedPaths: [],
        compositeIndexes: [[{ path: '/age', order: 'descending' }, { path: '/name', order: 'ascending' }]],
      },
    },
    async (c) => {
      await people(c);
      same(await all(c.items.query('SELECT VALUE c.name FROM c WHERE IS_DEFINED(c.age) ORDER BY c.age DESC, c.name', inside)), ['Ann', 'Cid', 'Bob']);
      same((await c.read()).resource.indexingPolicy.compositeIndexes[0][0].path, '/age');
    },
  ),

  'pages and their continuation': async (c) => {
    await put(c, ...Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, pk: 'a' })));
    const first = await c.items.query('SELECT VALUE c.id FROM c ORDER BY c.id', { ...inside, maxItemCount: 4 }).fetchNext();
    same(first.resources, ['0', '1', '2', '3']);
    assert(first.hasMoreResults);
    const rest = await all(c.items.query('SELECT VALUE c.id FROM c ORDER BY c.id', { ...inside, maxItemCount: 4, continuationToken: first.continuationToken }));
    same(rest, ['4', '5', '6', '7', '8', '9']);
  },

  'a filter across partitions': async (c) => {
    await people(c);
    same((await all(c.items.query('SELECT VALUE c.id FROM c WHERE c.age > 30'))).sort(), ['1', '3', '5']);
    same((await all(c.items.readAll())).length, 5);
  },

  'the change feed, pulled': async (c) => {
    await people(c);
    const start = { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(), maxItemCount: 2 };
    const { list, ids, token } = await pages(c.items.getChangeFeedIterator(start));
    same(ids, ['1', '2', '3', '4', '5']);
    assert(list.every((page) => page.length <= 2));
    await put(c, { id: '2', pk: 'a', again: true });
    await c.item('1', 'a').delete();
    same((await pages(c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(token) }))).ids, ['2']);
    same((await pages(c.items.getChangeFeedIterator(start))).ids, ['3', '4', '5', '2']);
  },

  'the change feed of a partition key': async (c) => {
    await people(c);
    same((await pages(c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning('b') }))).ids, ['5']);
  },

  'the change feed from now, and from a time': async (c) => {
    await people(c);
    const now = c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Now() });
    const nothing = await pages(now);
    same(nothing.ids, []);
    await put(c, { id: '9', pk: 'a' });
    same((await pages(c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(nothing.token) }))).ids, ['9']);
    same((await pages(c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Time(new Date(Date.now() - 3600e3)) }))).ids.length, 6);
    same((await pages(c.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Time(new Date(Date.now() + 3600e3)) }))).ids, []);
  },

  'a hierarchical partition key': on({ partitionKey: { paths: ['/tenant', '/user'], kind: 'MultiHash', version: 2 } }, async (c) => {
    await put(c, { id: '1', tenant: 't', user: 'u' }, { id: '1', tenant: 't', user: 'v' }, { id: '1', tenant: 's', user: 'u' });
    same(bare((await c.item('1', ['t', 'v']).read()).resource), { id: '1', tenant: 't', user: 'v' });
    same((await all(c.items.query('SELECT VALUE c.user FROM c', { partitionKey: ['t', 'v'] }))), ['v']);
    same((await c.item('1', ['s', 'v']).read()).statusCode, 404);
  }),

  'a time to live': on({ defaultTtl: -1 }, async (c) => {
    await put(c, { id: 'short', pk: 'a', ttl: 1 }, { id: 'long', pk: 'a', ttl: 600 }, { id: 'ever', pk: 'a' });
    const give = Date.now() + 5000;
    while ((await c.item('short', 'a').read()).statusCode !== 404) assert(Date.now() < give, 'it never expires');
    same((await all(c.items.readAll())).map((d) => d.id), ['long', 'ever']);
  }),

  'unique keys': on({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] } }, async (c) => {
    await put(c, { id: '1', pk: 'a', email: 'x' });
    same(await code(c.items.create({ id: '2', pk: 'a', email: 'x' })), 409);
    await c.items.create({ id: '2', pk: 'b', email: 'x' });
  }),

  'throughput': async (c, db) => {
    const { container } = await db.containers.create({ id: 'sold', partitionKey: { paths: ['/pk'] }, throughput: 600 });
    const { resource } = await container.readOffer();
    same(resource.content.offerThroughput, 600);
    same((await c.readOffer()).resource.content.offerThroughput, 400);
  },

  'policies are echoed': on(
    {
      vectorEmbeddingPolicy: { vectorEmbeddings: [{ path: '/v', dataType: 'float32', dimensions: 3, distanceFunction: 'cosine' }] },
      conflictResolutionPolicy: { mode: 'LastWriterWins', conflictResolutionPath: '/_ts' },
    },
    async (c) => {
      const { resource } = await c.read();
      same(resource.vectorEmbeddingPolicy.vectorEmbeddings[0].path, '/v');
      same(resource.conflictResolutionPolicy.mode, 'LastWriterWins');
    },
  ),

  'what would be echoed and not done is refused': async (c, db) => {
    const make = (settings) => code(db.containers.create({ id: 'refused', partitionKey: { paths: ['/pk'] }, ...settings }));
    same(await make({ computedProperties: [{ name: 'lower', query: 'SELECT VALUE LOWER(c.name) FROM c' }] }), 400);
    same(await make({ geospatialConfig: { type: 'Geometry' } }), 400);
    same(await code(c.items.create({ id: '1', pk: 'a' }, { preTriggerInclude: ['t'] })), 400);
    same(await code(c.scripts.storedProcedures.create({ id: 's', body: 'function () {}' })), 405);
    same((await c.conflicts.readAll().fetchAll()).resources, []);
    same((await db.users.readAll().fetchAll()).resources, []);
    await put(c, { id: '1', pk: 'a', a: 1, b: 1 });
    same(await code(all(c.items.query('SELECT * FROM c ORDER BY c.a, c.b', inside))), 400);
  },

  'documents that are refused': async (c) => {
    same(await code(c.items.create({ id: 'big', pk: 'a', data: 'x'.repeat(2 ** 21) })), 413);
    same(await code(c.items.create({ id: 'x'.repeat(1024), pk: 'a' })), 400);
    same(await code(c.items.create({ id: 5, pk: 'a' }).catch((e) => { e.code ??= 400; throw e; })), 400);
    same((await all(c.items.readAll())).length, 0);
  },
});
