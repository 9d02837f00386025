//! What the broker refuses, with RabbitMQ's codes and texts.

use crate::client::{Client, reason, url, within};
use futures_lite::StreamExt;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Error};

/// The code and the text; only the channel is closed.
fn refused<T: std::fmt::Debug>(client: &Client, answer: Result<T, Error>, code: u16, text: &str) {
    let error = answer.unwrap_err();
    let reason = reason(&error);
    assert_eq!((reason.get_id(), reason.get_message().as_str()), (code, text));
    assert!(client.connection.status().connected());
}

async fn declare(client: &Client, name: &str, options: QueueDeclareOptions) -> Result<lapin::Queue, Error> {
    client.channel.queue_declare(name.into(), options, FieldTable::default()).await
}

#[tokio::test]
async fn a_missing_queue() {
    let client = Client::new().await;
    let answer = declare(&client, "interop.rust.nowhere", QueueDeclareOptions::default().passive()).await;
    refused(&client, answer, 404, "NOT_FOUND - no queue 'interop.rust.nowhere' in vhost '/'");
}

#[tokio::test]
async fn another_declaration() {
    let client = Client::new().await;
    let name = "interop.rust.declared";
    let plain = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    declare(&client, name, plain).await.unwrap();
    let answer = declare(&client, name, QueueDeclareOptions { durable: true, ..plain }).await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'interop.rust.declared' in vhost '/': \
                received 'true' but current is 'false'";
    refused(&client, answer, 406, text);
    let again = client.connection.create_channel().await.unwrap();
    again.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_exclusive_queue() {
    let (client, owner) = (Client::new().await, Client::new().await);
    let name = owner.queue(FieldTable::default()).await;
    let answer = declare(&client, &name, QueueDeclareOptions::default().passive()).await;
    let text = format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be \
         originally declared on another connection or the exclusive property value does not match that of the \
         original declaration."
    );
    refused(&client, answer, 405, &text);
}

#[tokio::test]
async fn a_reserved_name() {
    let client = Client::new().await;
    let answer = declare(&client, "amq.interop", QueueDeclareOptions::default()).await;
    refused(&client, answer, 403, "ACCESS_REFUSED - queue name 'amq.interop' contains reserved prefix 'amq.*'");
}

#[tokio::test]
async fn an_unknown_delivery_tag() {
    let client = Client::new().await;
    let queue = client.queue(FieldTable::default()).await;
    let mut consumer = client.consume(&queue, BasicConsumeOptions::default()).await;
    client.channel.basic_ack(9, BasicAckOptions::default()).await.unwrap();
    let answer = within(consumer.next()).await.unwrap();
    refused(&client, answer, 406, "PRECONDITION_FAILED - unknown delivery tag 9");
}

#[tokio::test]
async fn a_wrong_password() {
    let wrong = url("").replace("guest:guest", "guest:wrong");
    let error = Connection::connect(&wrong, ConnectionProperties::default()).await.err().unwrap();
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                For details see the broker logfile.";
    assert_eq!((reason(&error).get_id(), reason(&error).get_message().as_str()), (403, text));
}

#[tokio::test]
async fn a_missing_virtual_host() {
    let error = Connection::connect(&url("/nowhere"), ConnectionProperties::default()).await.err().unwrap();
    let text = "NOT_ALLOWED - vhost nowhere not found";
    assert_eq!((reason(&error).get_id(), reason(&error).get_message().as_str()), (530, text));
}
