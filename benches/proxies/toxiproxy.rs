//! A toxiproxy server without a toxic.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fireassay::sandbox::{Port, Process, ProcessSpec, Stack, StackConfig};

use crate::Failure;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/toxiproxy");

const READY_DEADLINE: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_millis(5);

/// A server, until it is dropped.
pub(crate) struct Toxiproxy {
    process: Process,
    api: Port,
    client: reqwest::Client,
}

/// Installs it if it is not there, and says where it is.
pub(crate) fn install() -> Result<PathBuf, Failure> {
    // What it has to say of a failure it says itself.
    let done = Command::new(INSTALL).stderr(std::process::Stdio::inherit()).output()?;
    let text = String::from_utf8(done.stdout)?;
    let server = text.lines().last().filter(|_| done.status.success());
    Ok(server.ok_or("without toxiproxy there is nothing to compare with")?.into())
}

impl Toxiproxy {
    pub(crate) async fn start(server: &Path, stack: &Stack, config: &StackConfig) -> Result<Self, Failure> {
        let api = Port::reserve(&config.ports)?;
        let process = stack.processes().spawn(&ProcessSpec {
            name: "toxiproxy".to_owned(),
            program: server.to_owned(),
            args: ["-host", "127.0.0.1", "-port", &api.number().to_string()].map(str::to_owned).to_vec(),
            // It need not write down each connection.
            env: vec![("LOG_LEVEL".to_owned(), "warn".to_owned())],
            clear_env: false,
            directory: stack.directory().to_owned(),
            log: stack.directory().join("toxiproxy.log"),
            user: None,
        })?;
        let client = reqwest::Client::builder().no_proxy().timeout(READY_DEADLINE).build()?;
        let toxiproxy = Self { process, api, client };
        let end = Instant::now() + READY_DEADLINE;
        while let Err(why) = toxiproxy.client.get(toxiproxy.url("version")).send().await {
            if Instant::now() > end {
                return Err(format!("toxiproxy does not answer: {why}").into());
            }
            tokio::time::sleep(PROBE_EVERY).await;
        }
        Ok(toxiproxy)
    }

    /// Makes a proxy to `upstream`, and says where it listens.
    pub(crate) async fn proxy(&self, name: &str, upstream: SocketAddr) -> Result<SocketAddr, Failure> {
        let wanted =
            serde_json::json!({ "name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true });
        let answer = self.client.post(self.url("proxies")).body(wanted.to_string()).send().await?;
        let text = answer.error_for_status()?.text().await?;
        let made: serde_json::Value = serde_json::from_str(&text)?;
        Ok(made["listen"].as_str().ok_or("toxiproxy does not say where it listens")?.parse()?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.api.address())
    }
}
