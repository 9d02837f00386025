//! Connections: tuning, heartbeats, alarms.

use crate::client::{Client, url, within};
use futures_lite::StreamExt;
use lapin::options::*;
use lapin::{Connection, ConnectionProperties, Event};
use std::time::Duration;

#[tokio::test]
async fn the_smaller_figure_counts() {
    let asked = url("?frame_max=8192&channel_max=7&heartbeat=20");
    let connection = Connection::connect(&asked, ConnectionProperties::default()).await.unwrap();
    let tuned = connection.configuration();
    assert_eq!((tuned.frame_max(), tuned.channel_max(), tuned.heartbeat()), (8192, 7, 20));
}

#[tokio::test]
async fn the_brokers_figures_without_a_wish() {
    let client = Client::new().await;
    let tuned = client.connection.configuration();
    assert_eq!((tuned.frame_max(), tuned.channel_max(), tuned.heartbeat()), (131_072, 2047, 60));
}

/// Longer than the client or the broker waits for a heartbeat that does not come.
#[tokio::test]
async fn heartbeats_keep_an_idle_connection() {
    let connection = Connection::connect(&url("?heartbeat=1"), ConnectionProperties::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(connection.status().connected());
    connection.create_channel().await.unwrap();
}

/// AMQP_URL_FULL names a broker whose disk is too full.
#[tokio::test]
#[ignore = "needs a broker with an alarm"]
async fn a_publisher_is_told_that_it_is_blocked() {
    let full = std::env::var("AMQP_URL_FULL").unwrap();
    let connection = Connection::connect(&full, ConnectionProperties::default()).await.unwrap();
    let mut events = connection.events_listener();
    let channel = connection.create_channel().await.unwrap();
    let (exchange, key) = ("amq.fanout".into(), "".into());
    let publish = channel.basic_publish(exchange, key, BasicPublishOptions::default(), b"x", Default::default());
    publish.await.unwrap().await.unwrap();
    loop {
        match within(events.next()).await {
            // Whether the listener was there in time for it is a race inside the client.
            Some(Event::Connected) => continue,
            Some(Event::ConnectionBlocked(why)) => break assert_eq!(why, "low on disk"),
            other => panic!("{other:?}"),
        }
    }
}
