# The client for asyncio.
import asyncio
import datetime

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue, TransportType
from azure.servicebus.aio import AutoLockRenewer
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.exceptions import MessageLockLostError, OperationTimeoutError, ServiceBusError, SessionCannotBeLockedError

from pybus_cases import bodies, case, run, same


async def put(client, entity, *messages):
    async with client.get_queue_sender(entity) as sender:
        await sender.send_messages([m if isinstance(m, ServiceBusMessage) else ServiceBusMessage(m) for m in messages])


async def one(receiver):
    got = await receiver.receive_messages(1, max_wait_time=5)
    same(len(got), 1)
    return got[0]


async def fails(kind, doing, text=""):
    try:
        await doing
    except kind as error:
        if text not in str(error):
            raise AssertionError(f"{text!r} is not in {error}") from error
        return
    raise AssertionError("no error")


@case
async def _(bus):
    """async: messages arrive and are completed"""
    async with bus.async_client() as client:
        await put(client, "queue", "a", "b")
        async with client.get_queue_receiver("queue") as receiver:
            got = await receiver.receive_messages(2, max_wait_time=5)
            for m in got:
                await receiver.complete_message(m)
    same(bodies(got), ["a", "b"])
    same(bus.counts("queue")["Active"], 0)


@case
async def _(bus):
    """async: a batch arrives"""
    async with bus.async_client() as client:
        async with client.get_queue_sender("queue") as sender:
            batch = await sender.create_message_batch()
            for i in range(10):
                batch.add_message(ServiceBusMessage(str(i)))
            await sender.send_messages(batch)
    same(bus.counts("queue")["Active"], 10)


@case
async def _(bus):
    """async: iterating ends when nothing comes"""
    got = []
    async with bus.async_client() as client:
        await put(client, "queue", "a", "b")
        async with client.get_queue_receiver("queue", max_wait_time=2) as receiver:
            async for m in receiver:
                got.append(str(m))
                await receiver.complete_message(m)
    same(got, ["a", "b"])


@case
async def _(bus):
    """async: every verdict is done and told"""
    async with bus.async_client() as client:
        await put(client, "queue", "a", "b", "c")
        async with client.get_queue_receiver("queue") as receiver:
            a, b, c = [await one(receiver) for _ in range(3)]
            await receiver.abandon_message(a)
            await receiver.dead_letter_message(b, reason="r", error_description="d")
            await receiver.defer_message(c)
            await receiver.complete_message(await one(receiver))
            deferred = await receiver.receive_deferred_messages(c.sequence_number)
            await receiver.complete_message(deferred[0])
        async with client.get_queue_receiver("queue", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
            m = await one(dead)
            same((m.dead_letter_reason, m.dead_letter_error_description), ("r", "d"))
            await dead.complete_message(m)
    same(bus.counts("queue"), {"Active": 0, "DeadLetter": 0, "Scheduled": 0, "Deferred": 0, "Locked": 0})


@case
async def _(bus):
    """async: receive and delete"""
    async with bus.async_client() as client:
        await put(client, "queue", "a")
        async with client.get_queue_receiver("queue", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
            same(str(await one(receiver)), "a")
    same(bus.counts("queue")["Active"], 0)


@case
async def _(bus):
    """async: a refused send is told, and the sender goes on"""
    async with bus.async_client() as client:
        async with client.get_queue_sender("sessions") as sender:
            await fails(ServiceBusError, sender.send_messages(ServiceBusMessage("x")), "SessionId was not set")
            await sender.send_messages(ServiceBusMessage("x", session_id="s"))
    same(bus.counts("sessions")["Active"], 1)


@case
async def _(bus):
    """async: a lock that has ended is told; one that is renewed holds"""
    async with bus.async_client() as client:
        await put(client, "queue", "a")
        async with client.get_queue_receiver("queue") as receiver:
            m = await one(receiver)
            bus.advance(30)
            await receiver.renew_message_lock(m)
            bus.advance(40)
            await receiver.complete_message(m)
            await put(client, "queue", "b")
            m = await one(receiver)
            bus.advance(61)
            await fails((MessageLockLostError, ServiceBusError), receiver.complete_message(m))


@case
async def _(bus):
    """async: a renewer keeps a lock"""
    async with bus.async_client() as client, AutoLockRenewer() as renewer:
        await put(client, "quick", "a")
        async with client.get_queue_receiver("quick") as receiver:
            m = await one(receiver)
            first = m.locked_until_utc
            renewer.register(receiver, m, max_lock_renewal_duration=30)
            while m.locked_until_utc == first:
                await asyncio.sleep(0.05)
            await receiver.complete_message(m)


@case
async def _(bus):
    """async: sessions: order, state, owner, none in time"""
    async with bus.async_client() as client:
        await put(client, "sessions", ServiceBusMessage("a", session_id="s"), ServiceBusMessage("b", session_id="s"))
        async with client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
            same(receiver.session.session_id, "s")
            await receiver.session.set_state("state")
            same(await receiver.session.get_state(), b"state")
            await receiver.session.renew_lock()
            second = client.get_queue_receiver("sessions", session_id="s")
            await fails(SessionCannotBeLockedError, second.__aenter__())
            await second.close()
            for want in ("a", "b"):
                m = await one(receiver)
                same(str(m), want)
                await receiver.complete_message(m)
        none = client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=2)
        await fails(OperationTimeoutError, none.__aenter__())
        await none.close()


@case
async def _(bus):
    """async: schedules are made and cancelled"""
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    async with bus.async_client() as client:
        async with client.get_queue_sender("queue") as sender:
            numbers = await sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], soon)
            await sender.cancel_scheduled_messages(numbers[0])
        bus.advance(3601)
        async with client.get_queue_receiver("queue") as receiver:
            m = await one(receiver)
            same(str(m), "b")
            await receiver.complete_message(m)


@case
async def _(bus):
    """async: peek"""
    async with bus.async_client() as client:
        await put(client, "queue", "a", "b")
        async with client.get_queue_receiver("queue") as receiver:
            same(bodies(await receiver.peek_messages(5)), ["a", "b"])


@case
async def _(bus):
    """async: a topic and its subscription"""
    async with bus.async_client() as client:
        async with client.get_topic_sender("topic") as sender:
            await sender.send_messages(ServiceBusMessage("x"))
        async with client.get_subscription_receiver("topic", "all") as receiver:
            m = await one(receiver)
            same(str(m), "x")
            await receiver.complete_message(m)


@case
async def _(bus):
    """async: ten senders and receivers at once"""
    async with bus.async_client() as client:

        async def work(i):
            await put(client, "queue", str(i))
            async with client.get_queue_receiver("queue") as receiver:
                await receiver.complete_message(await one(receiver))

        await asyncio.gather(*[work(i) for i in range(10)])
    same(bus.counts("queue")["Active"], 0)


@case
async def _(bus):
    """async: over WebSockets"""
    secure = bus.connection.replace("UseDevelopmentEmulator=true", "")
    client = AsyncClient.from_connection_string(
        secure, custom_endpoint_address="sb://" + bus.address, connection_verify=bus.pem(), transport_type=TransportType.AmqpOverWebsocket, **bus.retries
    )
    async with bus.stepping(client) as client:
        await put(client, "queue", "a")
        async with client.get_queue_receiver("queue") as receiver:
            await receiver.complete_message(await one(receiver))


@case
async def _(bus):
    """async: the administration"""
    client = ServiceBusAdministrationClient.from_connection_string(bus.connection, connection_verify=bus.pem(), **bus.retries)
    async with bus.stepping(client) as admin:
        await admin.create_queue("made")
        same("made" in [q.name async for q in admin.list_queues()], True)
        same((await admin.get_queue_runtime_properties("made")).total_message_count, 0)
        await admin.create_rule("topic", "all", "rule")
        same([r.name async for r in admin.list_rules("topic", "all")], ["$Default", "rule"])
        await admin.delete_queue("made")


run()
