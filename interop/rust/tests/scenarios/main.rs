//! lapin against mambaamqp. AMQP_URL names the broker.

mod client;
mod connecting;
mod consuming;
mod publishing;
mod refusals;
mod topology;
