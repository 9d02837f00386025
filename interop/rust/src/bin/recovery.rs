//! lapin's own recovery: says "connected", waits for the broker to go and come, has its topology again.

use futures_lite::{Stream, StreamExt};
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Event, ExchangeKind, Result};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const NAME: &str = "interop.rust.recovery";

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("AMQP_URL").expect("AMQP_URL names the broker");
    let connection = Connection::connect(&url, ConnectionProperties::default().enable_auto_recover()).await?;
    let channel = connection.create_channel().await?;
    let events = connection.events_listener();
    let mut consumer = subscribe(&channel).await?;
    println!("connected");
    let work = async {
        back(events).await;
        published_again(&channel).await;
        assert_eq!(delivered(&mut consumer).await, b"after");
    };
    tokio::time::timeout(PATIENCE, work).await.expect("not recovered");
    println!("recovered");
    Ok(())
}

/// With confirms: a queue that goes with the broker, bound to an exchange that does too. Both have names of ours,
/// since the client declares them again by their names.
async fn subscribe(channel: &Channel) -> Result<Consumer> {
    let (exchange, options) = (NAME.into(), ExchangeDeclareOptions::default());
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.exchange_declare(exchange, ExchangeKind::Fanout, options, FieldTable::default()).await?;
    channel.queue_declare(NAME.into(), QueueDeclareOptions::exclusive(), FieldTable::default()).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(NAME.into(), NAME.into(), "".into(), options, FieldTable::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(NAME.into(), "".into(), options, FieldTable::default()).await
}

async fn back(mut events: impl Stream<Item = Event> + Unpin) {
    while !matches!(events.next().await.expect("no more events"), Event::Connected) {}
}

/// Until the broker confirms it.
async fn published_again(channel: &Channel) {
    loop {
        let (exchange, key, options) = (NAME.into(), "".into(), BasicPublishOptions::default());
        let publish = channel.basic_publish(exchange, key, options, b"after", BasicProperties::default());
        if let Ok(confirm) = publish.await
            && confirm.await.is_ok_and(|answer| answer.is_ack())
        {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The next body; the loss of the connection may come first, as an error.
async fn delivered(consumer: &mut Consumer) -> Vec<u8> {
    loop {
        if let Ok(delivery) = consumer.next().await.expect("the consumer ended") {
            return delivery.data;
        }
    }
}
