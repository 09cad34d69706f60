//! The one thread that forks.
//!
//! The parent-death signal is tied to the thread that forked, not to the process. A child started from a worker thread
//! of the async runtime would be killed when that thread is retired. So one thread starts every child and lives on.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

#[derive(Debug)]
pub(super) struct Spawner {
    /// The thread ends when this is dropped.
    orders: Sender<Order>,
}

#[derive(Debug)]
struct Order {
    command: Command,
    reply: SyncSender<io::Result<Child>>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (orders, incoming) = channel::<Order>();
        let serve = move || {
            for mut order in incoming {
                let _ = order.reply.send(order.command.spawn());
            }
        };
        thread::Builder::new().name("spawner".to_owned()).spawn(serve)?;
        Ok(Self { orders })
    }

    /// Starts `command` and drops it, and with it our copies of the child's ends of pipes.
    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let ended = || io::Error::other("the thread that starts processes has ended");
        let (reply, answer) = sync_channel(1);
        self.orders.send(Order { command, reply }).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}
