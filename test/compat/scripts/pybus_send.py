# Sending, and what arrives.
import datetime
import uuid

from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType, AmqpMessageHeader, AmqpMessageProperties
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from pybus_cases import bodies, case, fails, run, same


def received(bus, entity="queue", n=1, **options):
    with bus.client().get_queue_receiver(entity, **options) as receiver:
        got = []
        while len(got) < n:
            some = receiver.receive_messages(n - len(got), max_wait_time=5)
            if not some:
                break
            got += some
        for m in got:
            receiver.complete_message(m)
    return got


@case
def _(bus):
    """a message arrives"""
    bus.send("queue", "hello")
    same(bodies(received(bus)), ["hello"])
    same(bus.counts("queue")["Active"], 0)


@case
def _(bus):
    """a list of messages arrives in order"""
    bus.send("queue", *[str(i) for i in range(50)])
    same(bodies(received(bus, n=50)), [str(i) for i in range(50)])


@case
def _(bus):
    """a batch is filled and arrives whole"""
    with bus.client().get_queue_sender("queue") as sender:
        batch = sender.create_message_batch()
        for i in range(20):
            batch.add_message(ServiceBusMessage(f"{i}"))
        sender.send_messages(batch)
    same(bodies(received(bus, n=20)), [f"{i}" for i in range(20)])


@case
def _(bus):
    """a batch knows the broker's limit, and takes no more"""
    with bus.client().get_queue_sender("queue") as sender:
        batch = sender.create_message_batch()
        same(batch.max_size_in_bytes, 262144)
        for _ in range(3):
            batch.add_message(ServiceBusMessage("x" * 80_000))
        fails(ValueError, lambda: batch.add_message(ServiceBusMessage("x" * 80_000)))
        sender.send_messages(batch)
    same(bus.counts("queue")["Active"], 3)


@case
def _(bus):
    """a batch may be made smaller by its sender"""
    with bus.client().get_queue_sender("queue") as sender:
        batch = sender.create_message_batch(max_size_in_bytes=1000)
        fails(ValueError, lambda: batch.add_message(ServiceBusMessage("x" * 1000)))


@case
def _(bus):
    """a message of many frames arrives"""
    bus.send("queue", "y" * 200_000)
    same(len(str(received(bus)[0])), 200_000)


@case
def _(bus):
    """a message that is too large is refused, and the sender goes on"""
    with bus.client().get_queue_sender("queue") as sender:
        fails((MessageSizeExceededError, ValueError, ServiceBusError), lambda: sender.send_messages(ServiceBusMessage("x" * 300_000)))
        sender.send_messages(ServiceBusMessage("small"))
    same(bodies(received(bus)), ["small"])


@case
def _(bus):
    """every property of a message arrives"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages(
            ServiceBusMessage(
                "x", message_id="id", subject="subject", correlation_id="correlation", content_type="text/plain", to="to", reply_to="reply",
                reply_to_session_id="replies", session_id="s", partition_key="s", time_to_live=datetime.timedelta(minutes=5),
            )
        )
    m = received(bus)[0]
    same(
        (m.message_id, m.subject, m.correlation_id, m.content_type, m.to, m.reply_to, m.reply_to_session_id, m.session_id, m.partition_key),
        ("id", "subject", "correlation", "text/plain", "to", "reply", "replies", "s", "s"),
    )
    same(m.time_to_live, datetime.timedelta(minutes=5))
    same(m.expires_at_utc, m.enqueued_time_utc + m.time_to_live)


@case
def _(bus):
    """application properties of every type arrive"""
    sent = {
        "text": "grüße", "bytes": b"\x00\x01", "int": 5, "negative": -7, "float": 1.5, "true": True, "false": False,
        "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"), "none": None,
    }
    bus.send("queue", "x", application_properties=sent)
    got = {(k.decode() if isinstance(k, bytes) else k): v for k, v in received(bus)[0].application_properties.items()}
    for name, want in sent.items():
        value = got[name]
        if isinstance(value, bytes) and isinstance(want, str):
            value = value.decode()
        same((name, value), (name, want))


@case
def _(bus):
    """a message without an id gets none from the client, and one from the broker"""
    bus.send("queue", "x")
    assert received(bus)[0].message_id


@case
def _(bus):
    """an empty body arrives"""
    bus.send("queue", "")
    same(str(received(bus)[0]), "")


@case
def _(bus):
    """bytes arrive as they were"""
    bus.send("queue", bytes(range(256)))
    same(b"".join(received(bus)[0].body), bytes(range(256)))


@case
def _(bus):
    """an annotated message with a value body arrives"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages(AmqpAnnotatedMessage(value_body={"key": [1, 2, "three"]}))
    m = received(bus)[0]
    same(m.body_type, AmqpMessageBodyType.VALUE)
    assert b"key" in str(m.body).encode()


@case
def _(bus):
    """an annotated message with a sequence body arrives"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages(AmqpAnnotatedMessage(sequence_body=[[1, 2], ["a"]]))
    m = received(bus)[0]
    same(m.body_type, AmqpMessageBodyType.SEQUENCE)
    same(len(list(m.body)), 2)


@case
def _(bus):
    """an annotated message with several data sections arrives"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages(AmqpAnnotatedMessage(data_body=[b"one", b"two"]))
    same(list(received(bus)[0].body), [b"one", b"two"])


@case
def _(bus):
    """header, annotations of both kinds and footer of an annotated message arrive"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages(
            AmqpAnnotatedMessage(
                data_body=b"x", header=AmqpMessageHeader(priority=7, durable=True), properties=AmqpMessageProperties(subject="s", group_sequence=3),
                annotations={"note": "n"}, delivery_annotations={"delivery": "d"}, footer={"foot": "f"}, application_properties={"a": 1},
            )
        )
    raw = received(bus)[0].raw_amqp_message
    same(raw.header.priority, 7)
    same(raw.annotations[b"note"], b"n")
    same(raw.delivery_annotations[b"delivery"], b"d")
    same(raw.footer[b"foot"], b"f")
    same(raw.properties.group_sequence, 3)


@case
def _(bus):
    """a batch mixes plain and annotated messages"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.send_messages([ServiceBusMessage("plain"), AmqpAnnotatedMessage(data_body=b"annotated")])
    same(bodies(received(bus, n=2)), ["plain", "annotated"])


@case
def _(bus):
    """a message without a session id is refused by a queue with sessions, and the sender goes on"""
    with bus.client().get_queue_sender("sessions") as sender:
        fails(ServiceBusError, lambda: sender.send_messages(ServiceBusMessage("x")), "SessionId was not set")
        sender.send_messages(ServiceBusMessage("x", session_id="s"))
    same(bus.counts("sessions")["Active"], 1)


@case
def _(bus):
    """a batch with one message without a session id is refused whole"""
    with bus.client().get_queue_sender("sessions") as sender:
        fails(ServiceBusError, lambda: sender.send_messages([ServiceBusMessage("a", session_id="s"), ServiceBusMessage("b")]))
    same(bus.counts("sessions")["Active"], 0)


@case
def _(bus):
    """a queue that does not exist is told as this client tells it: its token is not taken"""
    with bus.client() as client:
        fails((MessagingEntityNotFoundError, ServiceBusAuthenticationError), lambda: client.get_queue_sender("nowhere").send_messages(ServiceBusMessage("x")))


@case
def _(bus):
    """a wrong key is told"""
    client = bus.client(bus.connection.replace("SAS_KEY_VALUE", "wrong"))
    fails((ServiceBusAuthenticationError, ServiceBusError), lambda: client.get_queue_sender("queue").send_messages(ServiceBusMessage("x")))


@case
def _(bus):
    """who may only listen does not send"""
    listener = bus.connection.replace("RootManageSharedAccessKey", "listener").replace("SAS_KEY_VALUE", "listens")
    client = bus.client(listener)
    fails((ServiceBusAuthorizationError, ServiceBusAuthenticationError), lambda: client.get_queue_sender("queue").send_messages(ServiceBusMessage("x")))
    same(client.get_queue_receiver("queue").receive_messages(max_wait_time=bus.soon), [])


@case
def _(bus):
    """a disabled queue is told of"""
    admin = bus.admin()
    queue = admin.get_queue("queue")
    queue.status = "SendDisabled"
    admin.update_queue(queue)
    fails(MessagingEntityDisabledError, lambda: bus.client().get_queue_sender("queue").send_messages(ServiceBusMessage("x")))


@case
def _(bus):
    """a message with the id of one before is dropped"""
    bus.send("once", "first", message_id="same")
    bus.send("once", "second", message_id="same")
    bus.send("once", "third", message_id="other")
    same(bodies(received(bus, "once", n=2)), ["first", "third"])


@case
def _(bus):
    """a message that is received is sent again as it is"""
    bus.send("queue", "x", subject="kept", application_properties={"a": 1})
    m = received(bus)[0]
    with bus.client().get_queue_sender("once") as sender:
        sender.send_messages(m)
    again = received(bus, "once")[0]
    same((str(again), again.subject), ("x", "kept"))


@case
def _(bus):
    """one client has many senders"""
    client = bus.client()
    senders = [client.get_queue_sender("queue") for _ in range(5)]
    for i, sender in enumerate(senders):
        sender.send_messages(ServiceBusMessage(str(i)))
    for sender in senders:
        sender.close()
    same(bus.counts("queue")["Active"], 5)


@case
def _(bus):
    """a client over TLS sends and receives"""
    client = bus.secure_client(TransportType.Amqp)
    with client.get_queue_sender("queue") as sender:
        sender.send_messages(ServiceBusMessage("secret"))
    same(bodies(received(bus)), ["secret"])


@case
def _(bus):
    """a client over WebSockets sends and receives"""
    client = bus.secure_client()  # what it uses unless it is told otherwise
    with client.get_queue_sender("queue") as sender, client.get_queue_receiver("queue") as receiver:
        sender.send_messages([ServiceBusMessage("z" * 100_000), ServiceBusMessage("small")])
        got = receiver.receive_messages(2, max_wait_time=5)
        for m in got:
            receiver.complete_message(m)
    same([len(str(m)) for m in got], [100_000, 5])


run()
