# Writes what confluent-python.json holds, with the serializers of Confluent's client for Python.
#
#   pip install 'confluent-kafka[avro,protobuf,json]' grpcio-tools
#   python -m grpc_tools.protoc -I. --python_out=. order.proto
#   python confluent-python.py URL      # of an empty schema registry
import datetime, decimal, json, sys, uuid
import confluent_kafka
import order_pb2
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

registry = SchemaRegistryClient({"url": sys.argv[1]})
schema = open("order.avsc").read()
latest = {"schema.id.serializer": header_schema_id_serializer, "auto.register.schemas": False, "use.latest.version": True}
old = {"use.deprecated.format": False}
records = {}


def write(name, serializer, value, topic):
    headers = []
    data = serializer(value, SerializationContext(topic, MessageField.VALUE, headers))
    records[name] = {"value": data.hex()} | {"header": v.hex() for _, v in headers}


at = datetime.datetime(2026, 11, 29, 7, 22, 49, 123456, tzinfo=datetime.timezone.utc)
event = {
    "event_id": uuid.UUID("0199d8f2-1111-7222-8333-444455556666"), "event_type": "order.partially_filled", "occurred_at": at,
    "side": "SELL", "sequence": 9007199254740993, "limit_price": decimal.Decimal("189.5000"), "reason": None,
    "fills": [{"execution_id": "x-1", "qty": decimal.Decimal("0.0000000001"), "day": at.date()}],
    "slippage_bps": -1.25, "latency_ms": 0.1, "tags": {"desk": "zürich"}, "raw": b"\x00\xff",
}
order = order_pb2.Order(
    event_id="0199d8f2-1111-7222-8333-444455556666", event_type="order.rejected", side=order_pb2.Order.SIDE_SELL,
    sequence=9007199254740993, limit_price="189.50", slippage_bps=-1.25, tags={"desk": "zürich"}, reject_code=0,
)
order.occurred_at.FromDatetime(at)
order.fills.add(execution_id="x-1", qty=3)
write("avro", AvroSerializer(registry, schema), event, "trade-executions")
write("protobuf", ProtobufSerializer(order_pb2.Order, registry, old), order, "portfolio-updates")
write("nested", ProtobufSerializer(order_pb2.Order.Fill, registry, old), order.fills[0], "nested")
write("first", ProtobufSerializer(order_pb2.Head, registry, old), order_pb2.Head(event_id="h-1"), "head")
write("json", JSONSerializer('{"title": "Order", "type": "object"}', registry), {"event_id": "j-1", "event_type": "order.rejected"}, "forward-test-events")
write("avro in header", AvroSerializer(registry, schema, conf=latest), event, "trade-executions")
write("protobuf in header", ProtobufSerializer(order_pb2.Order, registry, old | latest), order, "portfolio-updates")
print(json.dumps({"by": "confluent-kafka-python " + confluent_kafka.__version__, "records": records}, indent=1))
