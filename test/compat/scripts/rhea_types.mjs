// Messages of hand-written bytes: what the broker does not own comes out as it went in, whatever its encoding.
import assert from 'node:assert/strict';
import { run } from './cases.mjs';
import { accepted, answered, connect, is, sent, take, takeBytes } from './rhea.mjs';

const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const string8 = (text) => Buffer.concat([Buffer.from([0xa1, text.length]), Buffer.from(text)]);
const section = (code, value) => Buffer.concat([Buffer.from([0x00, 0x53, code]), value]);

// long is a list, map (of count values) or array in its 32-bit form.
function long(code, count, content) {
  const head = Buffer.alloc(9);
  head[0] = code;
  head.writeUInt32BE(content.length + 4, 1);
  head.writeUInt32BE(count, 5);
  return Buffer.concat([head, content]);
}

const mapOf = (entries) => long(0xd1, 2 * entries.length, Buffer.concat(entries.flatMap(([key, value]) => [string8(key), value])));

const simple = {
  null: '40',
  true: '41',
  false: '42',
  boolean: '56 01',
  ubyte: '50 ff',
  ushort: '60 ffff',
  uint: '70 ffffffff',
  smalluint: '52 ff',
  uint0: '43',
  ulong: '80 ffffffffffffffff',
  smallulong: '53 ff',
  ulong0: '44',
  byte: '51 80',
  short: '61 8000',
  int: '71 80000000',
  smallint: '54 80',
  long: '81 8000000000000000',
  smalllong: '55 80',
  float: '72 7fc00001', // a NaN with a payload
  double: '82 8000000000000000', // minus zero
  decimal32: '74 22500001',
  decimal64: '84 2238000000000001',
  decimal128: '94 22080000000000000000000000000001',
  char: '73 0001f600',
  timestamp: '83 ffffffffffffff85',
  uuid: '98 000102030405060708090a0b0c0d0e0f',
  binary8: 'a0 03 00ff7f',
  binary32: 'b0 00000003 00ff7f',
  string8: 'a1 04 f09f9880',
  string32: 'b1 00000004 f09f9880',
  symbol8: 'a3 03 61 3a 62',
  symbol32: 'b3 00000003 61 3a 62',
};

const compound = {
  list0: '45',
  list8: 'c0 04 03 41 42 40',
  list32: 'd0 00000006 00000002 41 42',
  map8: 'c1 07 04 a3 01 61 41 43 42',
  'map with a map as its key': 'c1 07 02 c1 03 02 41 42 40',
  array8: 'e0 04 02 50 01 02',
  array32: 'f0 00000007 00000002 50 01 02',
  'empty array': 'e0 02 00 40',
  'array of symbols': 'e0 06 02 a3 01 61 01 62',
  'array of described values': 'e0 07 02 00 53 01 52 05 06',
  'array of lists': 'e0 07 02 c0 02 01 41 01 00',
  described: '00 53 01 52 07',
  'described by a symbol': '00 a3 06 6d793a747970 c0 03 02 41 42',
  'described twice': '00 80 0000001370000006 00 44 a1 01 78',
};

const properties = section(0x73, hex('c0 04 01 a1 01 6d')); // message-id "m"
const value = (bytes) => section(0x77, bytes);

async function untouched(bus, messages) {
  const client = await connect(bus, ['queue']);
  const [sender, receiver] = [await client.sender('queue'), await client.receiver('queue')];
  for (const [name, bytes] of messages) {
    const state = await sent(sender, bytes, undefined, 0);
    is('accepted', state, name);
    const [{ message, delivery }] = await takeBytes(receiver);
    assert.equal(message.bytes.subarray(-bytes.length).toString('hex'), bytes.toString('hex'), name);
    await answered(receiver, delivery, accepted().described());
  }
  assert.deepEqual(await bus.peek('queue'), []);
}

const all = Object.entries({ ...simple, ...compound }).map(([name, text]) => [name, hex(text)]);

await run({
  'amqp-value of every type': (bus) => untouched(bus, all.map(([name, bytes]) => [name, Buffer.concat([properties, value(bytes)])])),

  'application properties of every simple type': (bus) => {
    const entries = Object.entries(simple).map(([name, text]) => [name, hex(text)]);
    return untouched(bus, [['all', Buffer.concat([properties, section(0x74, mapOf(entries)), value(hex('40'))])]]);
  },

  'a list, a map and a sequence of everything': (bus) => {
    const content = Buffer.concat(all.map(([, bytes]) => bytes));
    return untouched(bus, [
      ['list', Buffer.concat([properties, value(long(0xd0, all.length, content))])],
      ['map', Buffer.concat([properties, value(mapOf(all))])],
      ['sequence', Buffer.concat([properties, section(0x76, long(0xd0, all.length, content))])],
    ]);
  },

  'bodies of several sections, of none, and footers': (bus) =>
    untouched(
      bus,
      Object.entries({
        'two data sections': [section(0x75, hex('a0 01 61')), section(0x75, hex('b0 00000001 62'))],
        'an empty data section': [section(0x75, hex('a0 00'))],
        'two sequences': [section(0x76, hex('45')), section(0x76, hex('c0 02 01 41'))],
        'no body': [],
        footer: [value(hex('40')), section(0x78, hex('c1 06 02 a3 01 61 52 07'))],
      }).map(([name, sections]) => [name, Buffer.concat([properties, ...sections])]),
    ),

  'nesting': (bus) => {
    let nested = hex('41');
    for (let i = 0; i < 20; i++) nested = long(0xd0, 1, nested);
    return untouched(bus, [['lists', Buffer.concat([properties, value(nested)])]]);
  },

  'section descriptors in their long form': async (bus) => {
    const client = await connect(bus, ['queue']);
    const state = await sent(await client.sender('queue'), hex('00 80 0000000000000077 a1 01 78'), undefined, 0);
    is('accepted', state);
    const [{ message }] = await take(await client.receiver('queue'));
    assert.equal(message.body, 'x');
  },

  'bytes that are no message are rejected, and the link lives on': async (bus) => {
    const client = await connect(bus, ['queue']);
    const sender = await client.sender('queue');
    for (const text of ['ff', '00 53', '00 53 77', '00 53 77 a1 05 61', '00 53 77 c0 ff ff', '00 53 99 40', '40 40']) {
      const state = await sent(sender, hex(text), undefined, 0);
      is('rejected', state, text);
      assert.ok(state.error.condition, text);
    }
    is('accepted', await sent(sender, { body: 'x' }));
    assert.equal((await bus.peek('queue')).length, 1);
  },
});
