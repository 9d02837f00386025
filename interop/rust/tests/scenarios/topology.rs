//! Exchanges of all four types, queues that go by themselves.

use crate::client::{Client, next, reason};
use lapin::ExchangeKind;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};

async fn exchange(client: &Client, name: &str, kind: ExchangeKind) {
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    client.channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await.unwrap();
}

async fn bind(client: &Client, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
    let bind = client.channel.queue_bind(queue.into(), exchange.into(), key.into(), Default::default(), arguments);
    bind.await.unwrap();
}

async fn publish(client: &Client, exchange: &str, key: &str, headers: FieldTable) {
    let properties = lapin::BasicProperties::default().with_headers(headers);
    let body = key.as_bytes();
    let publish = client.channel.basic_publish(exchange.into(), key.into(), Default::default(), body, properties);
    publish.await.unwrap().await.unwrap();
}

/// Declare, bind with `key`, publish with each of `keys`; those that came.
async fn routed(kind: ExchangeKind, key: &str, keys: &[&str]) -> Vec<String> {
    let client = Client::confirming().await;
    let name = format!("interop.rust.{kind:?}");
    let queue = client.queue(FieldTable::default()).await;
    exchange(&client, &name, kind).await;
    bind(&client, &queue, &name, key, FieldTable::default()).await;
    for key in keys {
        publish(&client, &name, key, FieldTable::default()).await;
    }
    let mut came = Vec::new();
    while let Some(body) = client.get(&queue).await {
        came.push(String::from_utf8(body).unwrap());
    }
    came
}

#[tokio::test]
async fn direct_exchange() {
    assert_eq!(routed(ExchangeKind::Direct, "a", &["a", "b", "a"]).await, ["a", "a"]);
}

#[tokio::test]
async fn fanout_exchange() {
    assert_eq!(routed(ExchangeKind::Fanout, "a", &["a", "b"]).await, ["a", "b"]);
}

#[tokio::test]
async fn topic_exchange() {
    let came = routed(ExchangeKind::Topic, "order.*.#", &["order", "order.new", "order.new.eu", "bill.new"]).await;
    assert_eq!(came, ["order.new", "order.new.eu"]);
}

#[tokio::test]
async fn headers_exchange() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    exchange(&client, "interop.rust.headers", ExchangeKind::Headers).await;
    let mut wanted = FieldTable::default();
    wanted.insert("x-match".into(), AMQPValue::LongString("all".into()));
    wanted.insert("size".into(), AMQPValue::LongInt(3));
    bind(&client, &queue, "interop.rust.headers", "", wanted).await;
    for (key, size) in [("three", 3), ("four", 4)] {
        let mut headers = FieldTable::default();
        headers.insert("size".into(), AMQPValue::LongInt(size));
        publish(&client, "interop.rust.headers", key, headers).await;
    }
    assert_eq!(client.get(&queue).await.unwrap(), b"three");
    assert_eq!(client.get(&queue).await, None);
}

#[tokio::test]
async fn an_exchange_binds_to_an_exchange() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    exchange(&client, "interop.rust.first", ExchangeKind::Fanout).await;
    exchange(&client, "interop.rust.second", ExchangeKind::Fanout).await;
    let options = ExchangeBindOptions::default();
    let (second, first) = ("interop.rust.second".into(), "interop.rust.first".into());
    client.channel.exchange_bind(second, first, "".into(), options, FieldTable::default()).await.unwrap();
    bind(&client, &queue, "interop.rust.second", "", FieldTable::default()).await;
    publish(&client, "interop.rust.first", "through", FieldTable::default()).await;
    assert_eq!(client.get(&queue).await.unwrap(), b"through");
}

/// With its last consumer.
#[tokio::test]
async fn an_auto_delete_queue_goes() {
    let client = Client::confirming().await;
    let options = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    let name = "interop.rust.auto-delete";
    client.channel.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
    client.publish(name, b"one").await;
    let mut consumer = client.consume(name, BasicConsumeOptions::default()).await;
    next(&mut consumer).await;
    client.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.unwrap();
    let passive = QueueDeclareOptions::default().passive();
    let gone = client.channel.queue_declare(name.into(), passive, FieldTable::default()).await;
    assert_eq!(reason(&gone.unwrap_err()).get_id(), 404);
}

/// With its connection.
#[tokio::test]
async fn an_exclusive_queue_goes() {
    let (first, second) = (Client::new().await, Client::new().await);
    let name = first.queue(FieldTable::default()).await;
    first.connection.close(200, "".into()).await.unwrap();
    let passive = QueueDeclareOptions::default().passive();
    let gone = second.channel.queue_declare(name.into(), passive, FieldTable::default()).await;
    assert_eq!(reason(&gone.unwrap_err()).get_id(), 404);
}
