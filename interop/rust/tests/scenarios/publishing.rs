//! Confirms, returns, transactions, properties, bodies of many frames.

use crate::client::{Client, next, within};
use lapin::options::*;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};

const MANY_FRAMES: usize = 20 * 131_072 + 1;

#[tokio::test]
async fn confirms_in_order() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    for number in 0..200 {
        let answer = client.publish_with(&queue, number.to_string().as_bytes(), persistent()).await;
        assert_eq!(answer, Confirmation::Ack(None));
    }
    let mut consumer = client.consume(&queue, BasicConsumeOptions::default()).await;
    for number in 0..200 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.data, number.to_string().as_bytes());
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    assert_eq!(client.count(&queue).await, 0);
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

#[tokio::test]
async fn a_full_queue_nacks() {
    let client = Client::confirming().await;
    let mut limits = FieldTable::default();
    limits.insert("x-max-length".into(), AMQPValue::LongInt(1));
    limits.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let queue = client.queue(limits).await;
    assert!(client.publish(&queue, b"one").await.is_ack());
    assert!(client.publish(&queue, b"two").await.is_nack());
}

#[tokio::test]
async fn a_mandatory_message_without_a_way_is_returned() {
    let client = Client::confirming().await;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let (exchange, key) = ("".into(), "interop.rust.nowhere".into());
    let publish = client.channel.basic_publish(exchange, key, options, b"lost", persistent());
    let back = within(publish.await.unwrap()).await.unwrap().take_message().unwrap();
    assert_eq!((back.reply_code, back.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(back.delivery.routing_key.as_str(), "interop.rust.nowhere");
    assert_eq!(back.delivery.data, b"lost");
}

#[tokio::test]
async fn a_transaction_commits_and_rolls_back() {
    let (client, other) = (Client::new().await, Client::new().await);
    let name = "interop.rust.transaction";
    let options = QueueDeclareOptions::default();
    client.channel.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
    client.channel.tx_select().await.unwrap();
    client.publish(name, b"dropped").await;
    client.channel.tx_rollback().await.unwrap();
    client.publish(name, b"kept").await;
    assert_eq!(other.get(name).await, None);
    client.channel.tx_commit().await.unwrap();
    assert_eq!(other.get(name).await.unwrap(), b"kept");
    client.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_body_of_many_frames() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    let body: Vec<u8> = (0..MANY_FRAMES).map(|place| (place % 251) as u8).collect();
    assert!(client.publish(&queue, &body).await.is_ack());
    assert!(client.get(&queue).await.unwrap() == body);
    client.publish(&queue, b"").await;
    assert_eq!(client.get(&queue).await.unwrap(), b"");
}

#[tokio::test]
async fn properties_and_every_type_of_field() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    let sent = every_property().with_headers(every_field());
    client.publish_with(&queue, b"", sent.clone()).await;
    let got = client.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
    assert_eq!(got.delivery.properties, sent);
}

fn every_property() -> BasicProperties {
    BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("gzip".into())
        .with_delivery_mode(2)
        .with_priority(9)
        .with_correlation_id("correlation".into())
        .with_reply_to("reply".into())
        .with_expiration("60000".into())
        .with_message_id("message".into())
        .with_timestamp(1_700_000_000)
        .with_type("type".into())
        .with_user_id("guest".into())
        .with_app_id("app".into())
}

fn every_field() -> FieldTable {
    let mut inner = FieldTable::default();
    inner.insert("ключ".into(), AMQPValue::LongString("Wert ✓".into()));
    let items = vec![AMQPValue::LongInt(1), AMQPValue::Void, AMQPValue::FieldTable(inner.clone())];
    let fields = [
        ("t", AMQPValue::Boolean(true)),
        ("b", AMQPValue::ShortShortInt(i8::MIN)),
        ("B", AMQPValue::ShortShortUInt(u8::MAX)),
        ("s", AMQPValue::ShortInt(i16::MIN)),
        ("u", AMQPValue::ShortUInt(u16::MAX)),
        ("I", AMQPValue::LongInt(i32::MIN)),
        ("i", AMQPValue::LongUInt(u32::MAX)),
        ("l", AMQPValue::LongLongInt(i64::MIN)),
        ("f", AMQPValue::Float(1.5)),
        ("d", AMQPValue::Double(-2.25)),
        ("D", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 31_415 })),
        ("S", AMQPValue::LongString("text".into())),
        ("A", AMQPValue::FieldArray(FieldArray::from(items))),
        ("T", AMQPValue::Timestamp(1_700_000_000)),
        ("F", AMQPValue::FieldTable(inner)),
        ("x", AMQPValue::ByteArray(ByteArray::from(vec![0u8, 255, 128]))),
        ("V", AMQPValue::Void),
    ];
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(ShortString::from(name), value);
    }
    table
}
