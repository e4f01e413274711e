# Microsoft's azure-servicebus for Python against minibus: the side of the conversation that script_test.go describes, and
# what the cases of pybus_*.py share. A case is a function, or a coroutine, that takes a Bus; its docstring is its name.
import asyncio
import contextlib
import inspect
import json
import logging
import os
import sys
import tempfile
import threading
import time
import traceback

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.management import ServiceBusAdministrationClient

LIMIT = 20  # seconds for a case
HARMED_LIMIT = 180
HARMED_RETRIES = {"retry_total": 3, "retry_mode": "fixed", "retry_backoff_factor": 0.05}
logging.getLogger("azure").setLevel(logging.CRITICAL)

turn = threading.Lock()
cases = []


def ask(question):
    with turn:
        print(json.dumps(question), flush=True)
        line = sys.stdin.readline()
    if not line:
        raise SystemExit("the test does not answer")
    return json.loads(line)


class Bus:
    """The broker of a case, and what is to be closed with it."""

    def __init__(self, given):
        self.connection = given["connectionString"]
        self.address = self.connection.split("sb://")[1].split(";")[0].strip("/")
        self.certificate = given["certificate"]
        self.harmed = given.get("harmed", False)
        self.retries = HARMED_RETRIES if self.harmed else {"retry_total": 0}
        self.soon = 5 if self.harmed else 1  # seconds in which nothing comes; a link that is opened again takes of them
        self.closers = []
        self.steps = 0  # that go on
        self.between = threading.Lock()

    def advance(self, seconds):
        ask({"advance": seconds * 1000})

    def peek(self, entity):
        return ask({"peek": entity}).get("messages") or []

    def counts(self, entity):
        return ask({"counts": entity})["counts"]

    @contextlib.contextmanager
    def step(self):
        """step is around each call of a client. Before it, unless another goes on, the test may harm the broker."""
        with self.between:
            if self.steps == 0:
                ask({"step": True})
            self.steps += 1
        try:
            yield
        finally:
            with self.between:
                self.steps -= 1

    def stepping(self, client):
        return Stepping(client, self) if self.harmed else client

    def client(self, connection=None, **options):
        client = ServiceBusClient.from_connection_string(connection or self.connection, **self.retries, **options)
        self.closers.append(client)
        return self.stepping(client)

    def secure_client(self, *transport):
        """secure_client insists on TLS. It takes a port from an endpoint address only."""
        options = {"transport_type": transport[0]} if transport else {}
        secure = self.connection.replace("UseDevelopmentEmulator=true", "")
        return self.client(secure, custom_endpoint_address="sb://" + self.address, connection_verify=self.pem(), **options)

    def async_client(self, **options):
        return self.stepping(AsyncClient.from_connection_string(self.connection, **self.retries, **options))

    def pem(self):
        """pem is a file with the broker's certificate."""
        file = tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False)
        file.write(self.certificate)
        file.close()
        return file.name

    def admin(self, connection=None):
        client = ServiceBusAdministrationClient.from_connection_string(connection or self.connection, connection_verify=self.pem(), **(self.retries if self.harmed else {}))
        self.closers.append(client)
        return self.stepping(client)

    def send(self, entity, *bodies, **properties):
        """send puts messages into a queue or topic."""
        client = self.client()
        sender = client.get_topic_sender(entity) if entity == "topic" else client.get_queue_sender(entity)
        with sender:
            sender.send_messages([ServiceBusMessage(body, **properties) for body in bodies])

    def close(self):
        for it in reversed(self.closers):
            it.close()


class Stepping:
    """A client, or what it makes: each call that asks the broker is a step."""

    def __init__(self, it, bus):
        self.it, self.bus = it, bus

    def __getattr__(self, name):
        member = getattr(self.it, name)
        if name == "session":
            return Stepping(member, self.bus)
        if not callable(member) or name.startswith(("_", "list_", "close")):
            return member
        if name.startswith("get_") and name.endswith(("_sender", "_receiver")):
            return lambda *args, **options: Stepping(member(*args, **options), self.bus)
        return self.call(member)

    def call(self, member):
        if inspect.iscoroutinefunction(member):

            async def call(*args, **options):
                with self.bus.step():
                    return await member(*args, **options)
        else:

            def call(*args, **options):
                with self.bus.step():
                    return member(*args, **options)

        return call

    def __enter__(self):
        self.call(self.it.__enter__)()
        return self

    def __exit__(self, *error):
        self.it.__exit__(*error)

    async def __aenter__(self):
        await self.call(self.it.__aenter__)()
        return self

    async def __aexit__(self, *error):
        await self.it.__aexit__(*error)

    def __iter__(self):
        return self

    def __next__(self):
        return self.call(self.it.__next__)()

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.call(self.it.__anext__)()


def case(play):
    cases.append(play)
    return play


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def fails(kind, do, text=""):
    """fails wants an error of a kind, with a text in it."""
    try:
        do()
    except kind as error:
        if text not in str(error):
            raise AssertionError(f"{text!r} is not in {error}") from error
        return error
    raise AssertionError(f"no {kind.__name__}")


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the condition does not come true")
        time.sleep(0.01)


def bodies(messages):
    return [str(m) for m in messages]


def play(one, bus, result):
    try:
        if inspect.iscoroutinefunction(one):
            asyncio.run(one(bus))
        else:
            one(bus)
        bus.close()
        result["ok"] = True
    except BaseException:  # also what ends a thread
        result["error"] = traceback.format_exc()


def run():
    """run plays all cases and ends the process. PLAY, a part of a name, chooses among them."""
    chosen = [c for c in cases if os.environ.get("PLAY", "") in c.__doc__]
    for one in chosen:
        name, result = one.__doc__, {}
        bus = Bus(ask({"begin": name}))
        thread = threading.Thread(target=play, args=(one, bus, result), daemon=True)
        thread.start()
        limit = HARMED_LIMIT if bus.harmed else LIMIT
        thread.join(limit)
        done = {"done": name}
        if "ok" not in result:
            done["error"] = result.get("error", f"the case takes more than {limit} s")
        print(json.dumps(done), flush=True)
    print(json.dumps({"end": len(chosen)}), flush=True)
    os._exit(0)
