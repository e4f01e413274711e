# Apache Qpid Proton against minibus: the side of the conversation that script_test.go describes, and the cases.
import base64
import hashlib
import hmac
import json
import re
import sys
import time
import traceback
import uuid
from urllib.parse import quote

from proton import (
    ConnectionException,
    Data,
    Delivery,
    Endpoint,
    Message,
    byte,
    char,
    decimal32,
    decimal64,
    decimal128,
    float32,
    int32,
    short,
    symbol,
    timestamp,
    ubyte,
    uint,
    ulong,
    ushort,
    Array,
    Described,
)
from proton.reactor import LinkOption
from proton.utils import BlockingConnection, LinkDetached, SendException

LIMIT = 20  # seconds; a client that waits longer gives up


def ask(question):
    print(json.dumps(question), flush=True)
    line = sys.stdin.readline()
    if not line:
        raise SystemExit("the test does not answer")
    return json.loads(line)


class Bus:
    """The broker of a case."""

    def __init__(self, given):
        self.address = re.search(r"Endpoint=sb://([^;/]*)", given["connectionString"]).group(1)
        self.harmed = given.get("harmed", False)
        self.connections = []

    def advance(self, ms):
        ask({"advance": ms})

    def peek(self, entity):
        return ask({"peek": entity}).get("messages") or []

    def counts(self, entity):
        return ask({"counts": entity})["counts"]

    def step(self, act):
        """step does something with a client. Before it the test may harm the broker; then connections are made again."""
        if self.harmed and ask({"step": True}).get("struck"):
            for connection in self.connections:
                connection.mend()
        return act()

    def connect(self, *entities, **options):
        """connect opens a connection and shows tokens for entities."""
        connection = Connection(self, entities, options)
        self.step(connection.open)
        self.connections.append(connection)
        return connection

    def close(self):
        for connection in self.connections:
            connection.now.close()


class Connection:
    """A connection, and one after another where the broker is harmed, with the links that are open."""

    def __init__(self, bus, entities, options):
        self.bus, self.entities, self.options, self.links = bus, entities, options, []

    def open(self):
        self.now = BlockingConnection("amqp://" + self.bus.address, timeout=LIMIT, allowed_mechs="ANONYMOUS", heartbeat=30, **self.options)
        if self.entities:
            sender = self.now.create_sender("$cbs")
            receiver = self.now.create_receiver("$cbs", credit=10)
            for entity in self.entities:
                sender.send(put_token(f"amqp://{self.bus.address}/{entity}"))
                answer = receiver.receive(timeout=LIMIT)
                same(answer.properties["status-code"], 202)
            sender.close()
            receiver.close()

    def mend(self):
        try:
            self.now.wait(lambda: False, msg="end of a connection")
        except ConnectionException:
            self.now.close()
        self.open()
        for link in self.links:
            link.attach()

    def create_sender(self, address):
        return Link(self, lambda: self.now.create_sender(address))

    def create_receiver(self, address, **options):
        return Link(self, lambda: self.now.create_receiver(address, **options))

    def wait(self, *args, **options):
        return self.now.wait(*args, **options)


class Link:
    """A link, and what is attached in its place."""

    def __init__(self, connection, make):
        self.connection, self.make = connection, make
        connection.bus.step(self.attach)
        connection.links.append(self)

    def attach(self):
        self.now = self.make()

    def send(self, message):
        return self.connection.bus.step(lambda: self.now.send(message))

    def receive(self, **options):
        return self.connection.bus.step(lambda: self.now.receive(**options))

    def close(self):
        self.connection.links.remove(self)
        self.now.close()

    def __getattr__(self, name):
        return getattr(self.now, name)


def put_token(audience):
    resource, expires = quote(audience, safe=""), int(time.time()) + 600
    digest = hmac.new(b"SAS_KEY_VALUE", f"{resource}\n{expires}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(digest), safe="")
    return Message(
        id=str(uuid.uuid4()),
        reply_to="replies",
        body=f"SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn=RootManageSharedAccessKey",
        properties={"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience},
    )


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def stored(connection, entity, *bodies):
    sender = connection.create_sender(entity)
    rare = 1 + len(bodies) // 20  # of many messages, not each is a step
    for i, body in enumerate(bodies):
        send = sender.now.send if i % rare else sender.send
        same(send(Message(body=body)).remote_state, Delivery.ACCEPTED)
    sender.close()


class PeekLock(LinkOption):
    """The client settles after the broker."""

    def apply(self, link):
        link.rcv_settle_mode = link.RCV_SECOND


class TakesAll(LinkOption):
    """Receive and delete."""

    def apply(self, link):
        link.snd_settle_mode = link.SND_SETTLED


def take(receiver, n):
    """take gives credit for n messages, and receives each with its delivery."""
    receiver.link.flow(n)
    got = []
    for _ in range(n):
        message = receiver.receive(timeout=LIMIT)
        got.append((message, receiver.fetcher.unsettled[-1]))
    return got


def answered(connection, delivery, state):
    """answered says what has become of a message, and waits until the broker has settled it."""

    def settle():
        delivery.update(state)
        connection.wait(lambda: delivery.settled, msg="settlement", timeout=LIMIT)

    connection.bus.step(settle)
    same(delivery.remote_state, state)
    delivery.settle()


def send_receive_accept(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "one", "two")
    receiver = connection.create_receiver("queue", credit=0, options=PeekLock())
    (a, da), (b, db) = take(receiver, 2)
    same([a.body, b.body], ["one", "two"])
    same(a.delivery_count, 0)
    same(a.annotations["x-opt-sequence-number"], 1)
    assert a.id, "the broker names a message without an id"
    answered(connection, da, Delivery.ACCEPTED)
    answered(connection, db, Delivery.ACCEPTED)
    same(bus.peek("queue"), [])


def outcomes(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "released", "modified", "deferred", "rejected")
    receiver = connection.create_receiver("queue", credit=0, options=PeekLock())
    got = [delivery for _, delivery in take(receiver, 4)]
    answered(connection, got[0], Delivery.RELEASED)
    got[1].local.failed = True
    answered(connection, got[1], Delivery.MODIFIED)
    got[2].local.undeliverable = True
    answered(connection, got[2], Delivery.MODIFIED)
    answered(connection, got[3], Delivery.REJECTED)
    same([m["DeliveryCount"] for m in bus.peek("queue")], [0, 1, 0])
    same(bus.counts("queue")["Deferred"], 1)
    same(len(bus.peek("queue/$DeadLetterQueue")), 1)


def settled_at_once(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "a", "b")
    receiver = connection.create_receiver("queue", credit=0)
    receiver.receive(timeout=LIMIT)
    receiver.accept()
    receiver.receive(timeout=LIMIT)
    receiver.release(delivered=False)
    receiver.close()
    same([m["DeliveryCount"] for m in bus.peek("queue")], [0])


def drain(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "a", "b")
    receiver = connection.create_receiver("queue", credit=0)
    for left in (2, 0):
        receiver.link.drain(10)
        connection.wait(lambda: receiver.link.credit == 0, msg="drain", timeout=LIMIT)
        same(len(receiver.fetcher.incoming), left)
        for _ in range(left):
            receiver.fetcher.pop()  # receive would give credit
            receiver.accept()
    stored(connection, "queue", "c")
    same(bus.counts("queue")["Locked"], 0)
    receiver.link.flow(1)
    same(receiver.receive(timeout=LIMIT).body, "c")


def receive_and_delete(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "a")
    receiver = connection.create_receiver("queue", credit=0, options=TakesAll())
    same(receiver.receive(timeout=LIMIT).body, "a")
    same(bus.peek("queue"), [])


def many_frames(bus):
    connection = bus.connect("queue", max_frame_size=4096)
    body = b"xyz" * 80_000
    stored(connection, "queue", body)
    receiver = connection.create_receiver("queue", credit=0)
    assert bytes(receiver.receive(timeout=LIMIT).body) == body


def too_large(bus):
    connection = bus.connect("queue")
    sender = connection.create_sender("queue")
    try:
        sender.send(Message(body=b"x" * 300_000))
    except SendException:
        sender.close()  # proton names links after their addresses
    else:
        raise AssertionError("300 kB were accepted")
    stored(connection, "queue", "small")
    same(len(bus.peek("queue")), 1)


def every_type(bus):
    connection = bus.connect("queue")
    values = {
        "null": None,
        "true": True,
        "ubyte": ubyte(255),
        "ushort": ushort(65535),
        "uint": uint(4294967295),
        "ulong": ulong(18446744073709551615),
        "byte": byte(-128),
        "short": short(-32768),
        "int": int32(-2147483648),
        "long": -9223372036854775808,
        "float": float32(0.5),
        "double": 0.1,
        "decimal32": decimal32(0x22500001),
        "decimal64": decimal64(0x2238000000000001),
        "decimal128": decimal128(bytes(range(16))),
        "char": char("\U0001f600"),
        "timestamp": timestamp(1700000000123),
        "uuid": uuid.UUID(int=7),
        "binary": b"\x00\xff",
        "string": "\U0001f600",
        "symbol": symbol("a:b"),
    }
    nested = {"list": [1, "x", None, [symbol("s")]], "map": {"k": {"deep": True}}, "described": Described(symbol("my:type"), [1, 2])}
    sent = Message(
        body={**values, **nested, "array": Array(None, Data.INT, int32(1), int32(2), int32(3))},
        properties=values,
        id=ulong(7),
        correlation_id=uuid.UUID(int=9),
        user_id=b"me",
        content_type="a/b",
        subject="s",
        group_id="g",
        group_sequence=3,
        creation_time=1700000000.5,
        durable=True,
        priority=7,
        ttl=60,
    )
    same(connection.create_sender("queue").send(sent).remote_state, Delivery.ACCEPTED)
    got = connection.create_receiver("queue", credit=0).receive(timeout=LIMIT)
    for part in ("body", "properties"):
        there, here = getattr(got, part), getattr(sent, part)
        same(set(there), set(here))
        for name in here:
            same((name, typed(there[name])), (name, typed(here[name])))
    for field in ("id", "correlation_id", "user_id", "content_type", "subject", "group_id", "group_sequence", "creation_time", "durable", "priority", "ttl"):
        same((field, getattr(got, field)), (field, getattr(sent, field)))


def typed(value):
    """typed shows a value with its types: proton's integers are equal whatever their types are."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [typed(v) for v in value]
    return f"{type(value).__name__} {bytes(value) if isinstance(value, memoryview) else value!r}"


def refused(bus):
    connection = bus.connect()
    for open_link in (connection.create_sender, connection.create_receiver):
        try:
            open_link("queue")
        except LinkDetached as e:
            same(e.condition, "amqp:unauthorized-access")
        else:
            raise AssertionError("there was no token")
    assert connection.now.conn.state & Endpoint.REMOTE_ACTIVE, "the connection lives on"


def lock_lost(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", "x")
    receiver = connection.create_receiver("queue", credit=0, options=PeekLock())
    [(_, delivery)] = take(receiver, 1)
    bus.advance(61_000)
    delivery.update(Delivery.ACCEPTED)
    connection.wait(lambda: delivery.settled, msg="settlement", timeout=LIMIT)
    same(delivery.remote_state, Delivery.REJECTED)
    same(delivery.remote.condition.name, "com.microsoft:message-lock-lost")
    same(bus.peek("queue")[0]["DeliveryCount"], 1)


def thousand(bus):
    connection = bus.connect("queue")
    stored(connection, "queue", *range(1000))
    receiver = connection.create_receiver("queue", credit=50)
    got = []
    for _ in range(1000):
        got.append(receiver.now.receive(timeout=LIMIT).body)
        receiver.accept()
    receiver.close()
    same(got, list(range(1000)))
    same(bus.peek("queue"), [])


CASES = {
    "send, receive, accept": send_receive_accept,
    "outcomes: released, modified, rejected": outcomes,
    "settled at once": settled_at_once,
    "drain": drain,
    "receive and delete": receive_and_delete,
    "a message in many frames": many_frames,
    "a message that is too large": too_large,
    "every AMQP type": every_type,
    "without a token there is no link": refused,
    "a lock that is lost": lock_lost,
    "a thousand messages": thousand,
}

for name, play in CASES.items():
    bus, done = Bus(ask({"begin": name})), {"done": name}
    try:
        play(bus)
    except Exception:
        done["error"] = traceback.format_exc()
    try:
        bus.close()
    except Exception:
        done["error"] = done.get("error", "") + traceback.format_exc()
    print(json.dumps(done), flush=True)
print(json.dumps({"end": len(CASES)}), flush=True)
