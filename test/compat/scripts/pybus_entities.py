# Sessions, schedules, topics.
import datetime

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusMessageState
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusError, SessionCannotBeLockedError, SessionLockLostError

from pybus_cases import bodies, case, fails, run, same


def session(bus, id="s", **options):
    return bus.client().get_queue_receiver("sessions", session_id=id, **options)


def take(receiver, n=1):
    got = []
    while len(got) < n:
        some = receiver.receive_messages(n - len(got), max_wait_time=5)
        if not some:
            break
        got += some
    for m in got:
        receiver.complete_message(m)
    return bodies(got)


def subscription(bus, name="all", **options):
    return bus.client().get_subscription_receiver("topic", name, **options)


def in_hours(n):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=n)


@case
def _(bus):
    """a session gives its own messages, in order"""
    for i in range(3):
        bus.send("sessions", f"a{i}", session_id="a")
        bus.send("sessions", f"b{i}", session_id="b")
    with session(bus, "b") as receiver:
        same(receiver.session.session_id, "b")
        same(take(receiver, 3), ["b0", "b1", "b2"])


@case
def _(bus):
    """the next session is the one that waits"""
    bus.send("sessions", "x", session_id="waiting")
    with session(bus, NEXT_AVAILABLE_SESSION) as receiver:
        same(receiver.session.session_id, "waiting")
        same(take(receiver), ["x"])


@case
def _(bus):
    """no session in time is told"""
    receiver = bus.client().get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=2)
    fails(OperationTimeoutError, receiver.__enter__)
    receiver.close()


@case
def _(bus):
    """a session has one owner"""
    with session(bus):
        second = session(bus)
        fails(SessionCannotBeLockedError, second.__enter__)
        second.close()
    with session(bus) as third:
        same(third.session.session_id, "s")


@case
def _(bus):
    """a session keeps a state"""
    with session(bus) as receiver:
        same(receiver.session.get_state(), None)
        receiver.session.set_state("half")
        same(receiver.session.get_state(), b"half")
    with session(bus) as receiver:
        same(receiver.session.get_state(), b"half")
        receiver.session.set_state(None)
        same(receiver.session.get_state(), None)


@case
def _(bus):
    """a session's lock is renewed"""
    with session(bus) as receiver:
        before = receiver.session.locked_until_utc
        bus.advance(30)
        same(receiver.session.renew_lock() > before, True)
        bus.advance(40)
        receiver.session.set_state("still mine")


@case
def _(bus):
    """a session's lock that has ended is told"""
    bus.send("sessions", "x", session_id="s")
    receiver = session(bus)
    with receiver:
        m = receiver.receive_messages(1, max_wait_time=5)[0]
        bus.advance(61)
        fails((SessionLockLostError, ServiceBusError), lambda: receiver.complete_message(m))


@case
def _(bus):
    """messages of a session are deferred, abandoned and dead-lettered"""
    bus.send("sessions", "a", "b", "c", session_id="s")
    with session(bus) as receiver:
        a, b, c = receiver.receive_messages(3, max_wait_time=5)
        receiver.defer_message(a)
        receiver.dead_letter_message(b, reason="r")
        receiver.abandon_message(c)
        same(take(receiver), ["c"])
        deferred = receiver.receive_deferred_messages(a.sequence_number)
        receiver.complete_message(deferred[0])
    same(bus.counts("sessions"), {"Active": 0, "DeadLetter": 1, "Scheduled": 0, "Deferred": 0, "Locked": 0})


@case
def _(bus):
    """peek through a session shows that session"""
    bus.send("sessions", "a", session_id="a")
    bus.send("sessions", "b", session_id="b")
    with session(bus, "b") as receiver:
        same(bodies(receiver.peek_messages(10)), ["b"])


@case
def _(bus):
    """a queue with sessions wants a session"""
    receiver = bus.client().get_queue_receiver("sessions")
    fails(ServiceBusError, receiver.__enter__)
    receiver.close()


@case
def _(bus):
    """a queue without sessions has none"""
    receiver = bus.client().get_queue_receiver("queue", session_id="s")
    fails(ServiceBusError, receiver.__enter__)
    receiver.close()


@case
def _(bus):
    """a subscription with sessions"""
    bus.send("topic", "x", session_id="s")
    with subscription(bus, "sessions", session_id="s") as receiver:
        same(take(receiver), ["x"])


@case
def _(bus):
    """scheduled messages come when they are due"""
    with bus.client().get_queue_sender("queue") as sender:
        numbers = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], in_hours(1))
        same(len(numbers), 2)
    same(bus.counts("queue")["Scheduled"], 2)
    bus.advance(3601)
    with bus.client().get_queue_receiver("queue") as receiver:
        same(take(receiver, 2), ["a", "b"])


@case
def _(bus):
    """a scheduled message with a life shorter than its delay comes"""
    with bus.client().get_queue_sender("queue") as sender:
        sender.schedule_messages(ServiceBusMessage("a", time_to_live=datetime.timedelta(seconds=60)), in_hours(1))
    bus.advance(3610)
    with bus.client().get_queue_receiver("queue") as receiver:
        same(take(receiver), ["a"])


@case
def _(bus):
    """a message that is sent with its time is scheduled"""
    bus.send("queue", "x", scheduled_enqueue_time_utc=in_hours(1))
    with bus.client().get_queue_receiver("queue") as receiver:
        peeked = receiver.peek_messages(1)
        same((bodies(peeked), peeked[0].state), (["x"], ServiceBusMessageState.SCHEDULED))
        same(receiver.receive_messages(1, max_wait_time=bus.soon), [])


@case
def _(bus):
    """a schedule is cancelled"""
    with bus.client().get_queue_sender("queue") as sender:
        numbers = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], in_hours(1))
        sender.cancel_scheduled_messages(numbers[0])
        fails(ServiceBusError, lambda: sender.cancel_scheduled_messages([999]))
        sender.cancel_scheduled_messages(numbers[1:])
    same(bus.counts("queue")["Scheduled"], 0)


@case
def _(bus):
    """a message is scheduled for a session"""
    with bus.client().get_queue_sender("sessions") as sender:
        sender.schedule_messages(ServiceBusMessage("x", session_id="s"), in_hours(1))
    bus.advance(3601)
    with session(bus) as receiver:
        same(take(receiver), ["x"])


@case
def _(bus):
    """each subscription has a copy"""
    bus.send("topic", "x", session_id="s")
    with subscription(bus) as a, subscription(bus, "sessions", session_id="s") as b:
        same((take(a), take(b)), (["x"], ["x"]))


@case
def _(bus):
    """a topic takes schedules"""
    with bus.client().get_topic_sender("topic") as sender:
        sender.schedule_messages(ServiceBusMessage("x"), in_hours(1))
    bus.advance(3601)
    with subscription(bus) as receiver:
        same(take(receiver), ["x"])


@case
def _(bus):
    """SQL chooses"""
    bus.send("topic", "cheap", subject="order", application_properties={"price": 50})
    bus.send("topic", "other", subject="offer", application_properties={"price": 150})
    bus.send("topic", "right", subject="order", application_properties={"price": 150})
    with subscription(bus, "sql") as receiver:
        same(take(receiver), ["right"])
    same(bus.counts("topic/Subscriptions/sql")["Active"], 0)


@case
def _(bus):
    """a correlation filter chooses"""
    for colour in ("blue", "red"):
        bus.send("topic", colour, subject="order", correlation_id="7", application_properties={"colour": colour})
    with subscription(bus, "correlation") as receiver:
        same(take(receiver), ["blue"])


@case
def _(bus):
    """an action changes its copy"""
    bus.send("topic", "x", subject="order", application_properties={"price": 21, "colour": "red"})
    with subscription(bus, "action") as receiver:
        m = receiver.receive_messages(1, max_wait_time=5)[0]
        same((m.subject, m.application_properties), ("marked", {b"price": 21, b"tax": 42, b"RuleName": b"mark"}))
        receiver.complete_message(m)


@case
def _(bus):
    """dead letters of a subscription name it"""
    bus.send("topic", "x")
    with subscription(bus) as receiver:
        receiver.dead_letter_message(receiver.receive_messages(1, max_wait_time=5)[0], reason="r")
    with subscription(bus, sub_queue="deadletter") as dead:
        m = dead.receive_messages(1, max_wait_time=5)[0]
        same((m.dead_letter_reason, m.dead_letter_source.lower()), ("r", "topic/subscriptions/all"))
        dead.complete_message(m)


run()
