//! What every scenario needs: a channel on a connection of its own, a queue, a message within ten seconds.

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, Error};
use lapin::{ErrorKind, protocol::AMQPError};
use std::future::Future;
use std::time::Duration;

pub const WAIT: Duration = Duration::from_secs(10);

/// A channel, and the connection that must live as long.
pub struct Client {
    pub connection: Connection,
    pub channel: Channel,
}

/// The broker's URL, with what may follow the virtual host.
pub fn url(more: &str) -> String {
    std::env::var("AMQP_URL").expect("AMQP_URL names the broker") + more
}

pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT, work).await.expect("nothing came")
}

impl Client {
    pub async fn new() -> Self {
        let connection = Connection::connect(&url(""), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self { connection, channel }
    }

    /// With publisher confirms.
    pub async fn confirming() -> Self {
        let client = Self::new().await;
        client.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        client
    }

    /// An exclusive queue with the broker's name.
    pub async fn queue(&self, arguments: FieldTable) -> String {
        let queue = self.channel.queue_declare("".into(), QueueDeclareOptions::exclusive(), arguments).await;
        queue.unwrap().name().to_string()
    }

    /// To the default exchange; the broker's answer.
    pub async fn publish(&self, queue: &str, body: &[u8]) -> Confirmation {
        self.publish_with(queue, body, BasicProperties::default()).await
    }

    pub async fn publish_with(&self, queue: &str, body: &[u8], properties: BasicProperties) -> Confirmation {
        let options = BasicPublishOptions::default();
        let publish = self.channel.basic_publish("".into(), queue.into(), options, body, properties);
        within(async { publish.await.unwrap().await.unwrap() }).await
    }

    pub async fn consume(&self, queue: &str, options: BasicConsumeOptions) -> Consumer {
        let consume = self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        consume.await.unwrap()
    }

    /// Take one message from the queue; its body.
    pub async fn get(&self, queue: &str) -> Option<Vec<u8>> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap();
        got.map(|message| message.delivery.data)
    }

    pub async fn count(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions::exclusive().passive();
        let state = self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
        state.unwrap().message_count()
    }
}

pub async fn next(consumer: &mut Consumer) -> Delivery {
    within(consumer.next()).await.expect("the consumer ended").unwrap()
}

/// What the broker closed the channel or connection with.
pub fn reason(error: &Error) -> &AMQPError {
    match error.kind() {
        ErrorKind::ProtocolError(reason) => reason,
        other => panic!("{other:?}"),
    }
}
