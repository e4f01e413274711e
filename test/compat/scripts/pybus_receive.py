# Receiving, settling, locks, and the dead-letter queue.
import datetime
import threading

from azure.servicebus import AutoLockRenewer, ServiceBusMessage, ServiceBusMessageState, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError, ServiceBusError

from pybus_cases import bodies, case, fails, run, same, until

DEAD = ServiceBusSubQueue.DEAD_LETTER


def queue(bus, name="queue", **options):
    return bus.client().get_queue_receiver(name, **options)


def one(receiver):
    got = receiver.receive_messages(1, max_wait_time=5)
    same(len(got), 1)
    return got[0]


@case
def _(bus):
    """an empty queue gives nothing, in time"""
    with queue(bus) as receiver:
        same(receiver.receive_messages(10, max_wait_time=bus.soon), [])


@case
def _(bus):
    """a message that comes while one waits is received"""
    with queue(bus) as receiver:
        timer = threading.Timer(1, lambda: bus.send("queue", "late"))
        timer.start()
        same(bodies([one(receiver)]), ["late"])
        timer.join()


@case
def _(bus):
    """iterating over a receiver ends when nothing comes"""
    bus.send("queue", "a", "b", "c")
    got = []
    with queue(bus, max_wait_time=2) as receiver:
        for m in receiver:
            got.append(str(m))
            receiver.complete_message(m)
    same(got, ["a", "b", "c"])


@case
def _(bus):
    """receive and delete takes messages at once"""
    bus.send("queue", "a", "b")
    with queue(bus, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        got = receiver.receive_messages(1, max_wait_time=5)
        fails((ServiceBusError, ValueError), lambda: receiver.complete_message(got[0]))
    same(bus.counts("queue")["Active"], 1)


@case
def _(bus):
    """a receiver that prefetches gives all, and back what it has not given"""
    bus.send("queue", *"abcdef")
    with queue(bus, prefetch_count=10) as receiver:
        receiver.complete_message(one(receiver))
    same(bus.counts("queue")["Active"] + bus.counts("queue")["Locked"] > 0, True)
    bus.advance(61)
    same(bus.counts("queue")["Locked"], 0)
    same(bus.counts("queue")["Active"], 5)


@case
def _(bus):
    """what a delivery tells of itself"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        m = one(receiver)
        same((m.sequence_number, m.delivery_count, m.state), (1, 0, ServiceBusMessageState.ACTIVE))
        same(m.locked_until_utc > datetime.datetime.now(datetime.timezone.utc), True)
        same(len(str(m.lock_token)), 36)
        receiver.complete_message(m)


@case
def _(bus):
    """abandon gives a message back at once, and counts"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        receiver.abandon_message(one(receiver))
        m = one(receiver)
        same(m.delivery_count, 1)
        receiver.complete_message(m)


@case
def _(bus):
    """a message that is abandoned too often is dead-lettered"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        for _ in range(3):
            receiver.abandon_message(one(receiver))
        same(receiver.receive_messages(1, max_wait_time=bus.soon), [])
    with queue(bus, sub_queue=DEAD) as dead:
        m = one(dead)
        same(m.dead_letter_reason, "MaxDeliveryCountExceeded")
        dead.complete_message(m)


@case
def _(bus):
    """dead-letter moves a message with a reason"""
    bus.send("queue", "x", application_properties={"kept": "yes"})
    with queue(bus) as receiver:
        receiver.dead_letter_message(one(receiver), reason="reason", error_description="description")
    with queue(bus, sub_queue=DEAD) as dead:
        m = one(dead)
        same((m.dead_letter_reason, m.dead_letter_error_description, m.dead_letter_source), ("reason", "description", "queue"))
        same(m.application_properties[b"kept"], b"yes")
        dead.complete_message(m)
    same(bus.counts("queue")["DeadLetter"], 0)


@case
def _(bus):
    """dead-letter without a reason"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        receiver.dead_letter_message(one(receiver))
    same(bus.counts("queue")["DeadLetter"], 1)


@case
def _(bus):
    """a dead letter is abandoned, and comes again"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        receiver.dead_letter_message(one(receiver), reason="r")
    with queue(bus, sub_queue=DEAD) as dead:
        dead.abandon_message(one(dead))
        dead.complete_message(one(dead))


@case
def _(bus):
    """a deferred message is received by its number, and completed"""
    bus.send("queue", "a", "b")
    with queue(bus) as receiver:
        first = one(receiver)
        receiver.defer_message(first)
        same(bodies([one(receiver)]), ["b"])
        deferred = receiver.receive_deferred_messages(first.sequence_number)
        same((bodies(deferred), deferred[0].state), (["a"], ServiceBusMessageState.DEFERRED))
        receiver.complete_message(deferred[0])
    same(bus.counts("queue")["Deferred"], 0)


@case
def _(bus):
    """deferred messages are abandoned, dead-lettered and deferred again"""
    bus.send("queue", "a", "b", "c")
    with queue(bus) as receiver:
        numbers = []
        for _ in range(3):
            m = one(receiver)
            numbers.append(m.sequence_number)
            receiver.defer_message(m)
        a, b, c = receiver.receive_deferred_messages(numbers)
        receiver.abandon_message(a)
        receiver.dead_letter_message(b, reason="r")
        receiver.defer_message(c)
    same(bus.counts("queue"), {"Active": 0, "DeadLetter": 1, "Scheduled": 0, "Deferred": 2, "Locked": 0})


@case
def _(bus):
    """a deferred message is received and deleted"""
    bus.send("queue", "a")
    with queue(bus) as receiver:
        m = one(receiver)
        receiver.defer_message(m)
    with queue(bus, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        same(bodies(receiver.receive_deferred_messages([m.sequence_number])), ["a"])
    same(bus.counts("queue")["Deferred"], 0)


@case
def _(bus):
    """a number that nothing is deferred under is told"""
    with queue(bus) as receiver:
        fails(ServiceBusError, lambda: receiver.receive_deferred_messages([77]))


@case
def _(bus):
    """a message is settled once"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        m = one(receiver)
        receiver.complete_message(m)
        fails(MessageAlreadySettled, lambda: receiver.complete_message(m))


@case
def _(bus):
    """a lock that has ended is told, and the message comes again"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        m = one(receiver)
        bus.advance(61)
        fails((MessageLockLostError, ServiceBusError), lambda: receiver.complete_message(m))
        again = one(receiver)
        same(again.delivery_count, 1)
        receiver.complete_message(again)


@case
def _(bus):
    """a lock is renewed"""
    bus.send("queue", "x")
    with queue(bus) as receiver:
        m = one(receiver)
        before = m.locked_until_utc
        bus.advance(30)
        after = receiver.renew_message_lock(m)
        same((after - before).total_seconds() > 25, True)
        bus.advance(40)
        receiver.complete_message(m)


@case
def _(bus):
    """a renewer keeps a lock"""
    bus.send("quick", "x")
    with queue(bus, "quick") as receiver, AutoLockRenewer() as renewer:
        m = one(receiver)
        first = m.locked_until_utc
        renewer.register(receiver, m, max_lock_renewal_duration=30)
        until(lambda: m.locked_until_utc > first)
        receiver.complete_message(m)


@case
def _(bus):
    """peek shows what there is, and changes nothing"""
    bus.send("queue", "a", "b", "c")
    with queue(bus) as receiver:
        same(bodies(receiver.peek_messages(2)), ["a", "b"])
        same(bodies(receiver.peek_messages(5)), ["c"])
        same(bodies(receiver.peek_messages(1, sequence_number=2)), ["b"])
        same(receiver.peek_messages(1, sequence_number=99), [])
    same(bus.counts("queue")["Active"], 3)


@case
def _(bus):
    """peek shows dead letters"""
    bus.send("queue", "a")
    with queue(bus) as receiver:
        receiver.dead_letter_message(one(receiver), reason="r")
    with queue(bus, sub_queue=DEAD) as dead:
        same([m.dead_letter_reason for m in dead.peek_messages(5)], ["r"])


@case
def _(bus):
    """an expired message is gone"""
    bus.send("queue", "x", time_to_live=datetime.timedelta(seconds=30))
    bus.advance(31)
    with queue(bus) as receiver:
        same(receiver.receive_messages(1, max_wait_time=bus.soon), [])


@case
def _(bus):
    """a message lives as long as it was given, wherever its sender is"""
    import os
    import time

    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    bus.send("queue", "x", time_to_live=datetime.timedelta(seconds=60))
    os.environ["TZ"] = "UTC"
    time.tzset()
    bus.advance(30)
    same(bus.counts("queue")["Active"], 1)
    bus.advance(31)
    same(bus.counts("queue")["Active"], 0)


@case
def _(bus):
    """an expired message is dead-lettered where that is wanted"""
    bus.send("late", "x", time_to_live=datetime.timedelta(seconds=5))
    bus.advance(6)
    with queue(bus, "late", sub_queue=DEAD) as dead:
        m = one(dead)
        same(m.dead_letter_reason, "TTLExpiredException")
        dead.complete_message(m)


@case
def _(bus):
    """two receivers share a queue, each message once"""
    bus.send("queue", *[str(i) for i in range(20)])
    got = []
    with queue(bus) as a, queue(bus) as b:
        while len(got) < 20:
            for receiver in (a, b):
                for m in receiver.receive_messages(3, max_wait_time=2):
                    got.append(str(m))
                    receiver.complete_message(m)
    same(sorted(got, key=int), [str(i) for i in range(20)])


@case
def _(bus):
    """a queue that forwards passes messages on"""
    bus.send("first", "x")
    with queue(bus) as receiver:
        receiver.complete_message(one(receiver))


@case
def _(bus):
    """a message is settled through another link once its own has gone"""
    bus.send("queue", "x")
    client = bus.client()
    with client.get_queue_receiver("queue") as receiver:
        m = one(receiver)
    with client.get_queue_receiver("queue") as other:
        fails((ValueError, ServiceBusError, AttributeError, TypeError), lambda: receiver.complete_message(m))
        bus.advance(61)
        other.complete_message(one(other))


run()
