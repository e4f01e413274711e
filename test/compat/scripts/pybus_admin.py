# The administration client.
import datetime

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    FalseRuleFilter,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from pybus_cases import case, fails, run, same

minute = datetime.timedelta(minutes=1)


@case
def _(bus):
    """a queue is created with its settings, changed and deleted"""
    admin = bus.admin()
    made = admin.create_queue(
        "made", lock_duration=minute, max_delivery_count=7, requires_session=True, default_message_time_to_live=5 * minute,
        dead_lettering_on_message_expiration=True, requires_duplicate_detection=True, duplicate_detection_history_time_window=2 * minute,
        max_size_in_megabytes=2048, enable_batched_operations=False, user_metadata="note",
    )
    got = admin.get_queue("made")
    for q in (made, got):
        same((q.lock_duration, q.max_delivery_count, q.requires_session, q.default_message_time_to_live), (minute, 7, True, 5 * minute))
        same((q.dead_lettering_on_message_expiration, q.duplicate_detection_history_time_window, q.user_metadata), (True, 2 * minute, "note"))
        same((q.max_size_in_megabytes, q.enable_batched_operations), (2048, False))
    got.max_delivery_count = 9
    got.lock_duration = 2 * minute
    admin.update_queue(got)
    again = admin.get_queue("made")
    same((again.max_delivery_count, again.lock_duration), (9, 2 * minute))
    admin.delete_queue("made")
    fails(ResourceNotFoundError, lambda: admin.get_queue("made"))


@case
def _(bus):
    """an update names its changes as keywords"""
    admin = bus.admin()
    queue = admin.get_queue("queue")
    admin.update_queue(queue, max_delivery_count=5)
    same(admin.get_queue("queue").max_delivery_count, 5)


@case
def _(bus):
    """what is there is not created again, and what is not is not deleted"""
    admin = bus.admin()
    fails(ResourceExistsError, lambda: admin.create_queue("queue"))
    fails(ResourceNotFoundError, lambda: admin.delete_queue("nowhere"))
    fails(ResourceNotFoundError, lambda: admin.get_topic("nowhere"))
    fails(ResourceNotFoundError, lambda: admin.get_subscription("topic", "nowhere"))


@case
def _(bus):
    """settings that make no sense are refused"""
    fails(HttpResponseError, lambda: bus.admin().create_queue("odd", lock_duration=datetime.timedelta(days=1)))


@case
def _(bus):
    """a topic and a subscription are created, changed and deleted"""
    admin = bus.admin()
    admin.create_topic("made", default_message_time_to_live=5 * minute)
    topic = admin.get_topic("made")
    same(topic.default_message_time_to_live, 5 * minute)
    topic.default_message_time_to_live = 6 * minute
    admin.update_topic(topic)
    same(admin.get_topic("made").default_message_time_to_live, 6 * minute)
    admin.create_subscription("made", "sub", requires_session=True, max_delivery_count=4)
    sub = admin.get_subscription("made", "sub")
    same((sub.requires_session, sub.max_delivery_count), (True, 4))
    sub.max_delivery_count = 5
    admin.update_subscription("made", sub)
    same(admin.get_subscription("made", "sub").max_delivery_count, 5)
    admin.delete_subscription("made", "sub")
    same(list(admin.list_subscriptions("made")), [])
    admin.delete_topic("made")


@case
def _(bus):
    """queues that forward name where to"""
    admin = bus.admin()
    admin.create_queue("forwards", forward_to="queue", forward_dead_lettered_messages_to="late")
    got = admin.get_queue("forwards")
    same((got.forward_to.endswith("/queue"), got.forward_dead_lettered_messages_to.endswith("/late")), (True, True))
    bus.send("forwards", "x")
    same(bus.counts("queue")["Active"], 1)


@case
def _(bus):
    """rules of every kind are created, listed, changed and deleted"""
    admin = bus.admin()
    filters = {
        "true": TrueRuleFilter(), "false": FalseRuleFilter(), "sql": SqlRuleFilter("price > @least", parameters={"@least": 5}),
        "correlation": CorrelationRuleFilter(correlation_id="1", label="l", properties={"text": "t", "number": 3, "flag": True, "real": 1.5}),
    }
    for name, rule_filter in filters.items():
        admin.create_rule("topic", "all", name, filter=rule_filter, action=SqlRuleAction("SET sys.Label = 'x'"))
    same(sorted(r.name for r in admin.list_rules("topic", "all")), sorted(["$Default", *filters]))
    got = admin.get_rule("topic", "all", "correlation").filter
    same((got.correlation_id, got.label, got.properties), ("1", "l", {"text": "t", "number": 3, "flag": True, "real": 1.5}))
    sql = admin.get_rule("topic", "all", "sql")
    same((sql.filter.sql_expression, sql.filter.parameters, sql.action.sql_expression), ("price > @least", {"@least": 5}, "SET sys.Label = 'x'"))
    sql.filter = SqlRuleFilter("price > 6")
    admin.update_rule("topic", "all", sql)
    same(admin.get_rule("topic", "all", "sql").filter.sql_expression, "price > 6")
    for name in filters:
        admin.delete_rule("topic", "all", name)
    same([r.name for r in admin.list_rules("topic", "all")], ["$Default"])


@case
def _(bus):
    """times and durations are parameters and properties of rules"""
    admin = bus.admin()
    moment = datetime.datetime(2020, 7, 5, 11, 12, 13)
    span = datetime.timedelta(days=1, hours=2, minutes=3)
    admin.create_rule("topic", "all", "sql", filter=SqlRuleFilter("at > @at", parameters={"@at": moment, "@span": span}))
    admin.create_rule("topic", "all", "correlation", filter=CorrelationRuleFilter(properties={"at": moment, "span": span}))
    same(admin.get_rule("topic", "all", "sql").filter.parameters, {"@at": moment, "@span": span})
    same(admin.get_rule("topic", "all", "correlation").filter.properties, {"at": moment, "span": span})


@case
def _(bus):
    """a rule that cannot be read is refused"""
    fails(HttpResponseError, lambda: bus.admin().create_rule("topic", "all", "odd", filter=SqlRuleFilter("this is no SQL")))


@case
def _(bus):
    """every list is whole, however long"""
    admin = bus.admin()
    for i in range(105):
        admin.create_queue(f"q{i:03}")
    same(len([q for q in admin.list_queues() if q.name.startswith("q0") or q.name.startswith("q1")]), 105)
    same(len([q for q in admin.list_queues_runtime_properties() if q.name[:2] in ("q0", "q1")]), 105)
    same([t.name for t in admin.list_topics()], ["topic"])
    same(len(list(admin.list_subscriptions("topic"))), 5)
    same(len(list(admin.list_subscriptions_runtime_properties("topic"))), 5)


@case
def _(bus):
    """runtime properties count messages"""
    bus.send("queue", "a", "b")
    admin = bus.admin()
    got = admin.get_queue_runtime_properties("queue")
    same((got.total_message_count, got.active_message_count, got.dead_letter_message_count, got.scheduled_message_count), (2, 2, 0, 0))
    same(got.size_in_bytes > 0, True)
    topic = admin.get_topic_runtime_properties("topic")
    same(topic.subscription_count, 5)
    bus.send("topic", "x")
    same(admin.get_subscription_runtime_properties("topic", "all").active_message_count, 1)


@case
def _(bus):
    """the namespace tells of itself"""
    same(bus.admin().get_namespace_properties().messaging_sku, "Standard")


@case
def _(bus):
    """who may only listen does not administer"""
    listener = bus.connection.replace("RootManageSharedAccessKey", "listener").replace("SAS_KEY_VALUE", "listens")
    fails(HttpResponseError, lambda: bus.admin(listener).create_queue("x"))


run()
