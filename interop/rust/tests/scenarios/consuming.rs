//! Acknowledging, giving back, prefetch, priorities of consumers, cancelling, replies.

use crate::client::{Client, next, within};
use futures_lite::StreamExt;
use lapin::BasicProperties;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use std::time::Duration;

const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn what_is_given_back_comes_again() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    client.publish(&queue, b"one").await;
    let mut consumer = client.consume(&queue, BasicConsumeOptions::default()).await;
    let first = next(&mut consumer).await;
    assert!(!first.redelivered);
    first.nack(BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
    let second = next(&mut consumer).await;
    assert!(second.redelivered);
    second.reject(BasicRejectOptions { requeue: true }).await.unwrap();
    next(&mut consumer).await.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(client.count(&queue).await, 0);
}

#[tokio::test]
async fn what_is_rejected_goes_to_the_dead_letter_exchange() {
    let client = Client::confirming().await;
    let dead = client.queue(FieldTable::default()).await;
    let mut letters = FieldTable::default();
    letters.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    letters.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(dead.as_str().into()));
    let queue = client.queue(letters).await;
    client.publish(&queue, b"bad").await;
    let mut consumer = client.consume(&queue, BasicConsumeOptions::default()).await;
    next(&mut consumer).await.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    let mut morgue = client.consume(&dead, BasicConsumeOptions::default()).await;
    let headers = next(&mut morgue).await.properties.headers().clone().unwrap();
    let deaths = headers.inner()["x-death"].as_array().unwrap();
    let death = deaths.as_slice()[0].as_field_table().unwrap();
    assert_eq!(death.inner()["reason"], AMQPValue::LongString("rejected".into()));
    assert_eq!(death.inner()["count"], AMQPValue::LongLongInt(1));
}

#[tokio::test]
async fn prefetch_holds_back() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    for body in [b"1", b"2", b"3"] {
        client.publish(&queue, body).await;
    }
    client.channel.basic_qos(2, BasicQosOptions::default()).await.unwrap();
    let mut consumer = client.consume(&queue, BasicConsumeOptions::default()).await;
    let (_, second) = (next(&mut consumer).await, next(&mut consumer).await);
    assert!(tokio::time::timeout(SILENCE, consumer.next()).await.is_err(), "a third came");
    second.ack(BasicAckOptions { multiple: true }).await.unwrap();
    assert_eq!(next(&mut consumer).await.data, b"3");
}

#[tokio::test]
async fn get_tells_how_many_are_left() {
    let client = Client::confirming().await;
    let queue = client.queue(FieldTable::default()).await;
    client.publish(&queue, b"1").await;
    client.publish(&queue, b"2").await;
    let got = client.channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!((got.message_count, got.delivery.data.as_slice()), (1, b"1".as_slice()));
    client.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    assert_eq!(client.get(&queue).await.unwrap(), b"1");
    assert_eq!(client.get(&queue).await.unwrap(), b"2");
    assert_eq!(client.get(&queue).await, None);
}

#[tokio::test]
async fn a_consumer_is_told_when_its_queue_goes() {
    let (client, other) = (Client::new().await, Client::new().await);
    let name = "interop.rust.cancelled";
    client.channel.queue_declare(name.into(), Default::default(), FieldTable::default()).await.unwrap();
    let mut consumer = client.consume(name, BasicConsumeOptions::default()).await;
    other.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    assert!(within(consumer.next()).await.is_none());
    assert!(client.channel.status().connected());
}

#[tokio::test]
async fn replies_come_without_a_queue() {
    let (client, service) = (Client::new().await, Client::new().await);
    let queue = "interop.rust.service";
    let options = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    service.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
    let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut questions = service.consume(queue, no_ack).await;
    let mut replies = client.consume("amq.rabbitmq.reply-to", no_ack).await;
    let properties = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    client.publish_with(queue, b"hello", properties).await;
    let question = next(&mut questions).await;
    let address = question.properties.reply_to().clone().unwrap();
    assert!(address.as_str().starts_with("amq.rabbitmq.reply-to."));
    service.publish(address.as_str(), &question.data.to_ascii_uppercase()).await;
    assert_eq!(next(&mut replies).await.data, b"HELLO");
}
