//! A target that misbehaves, as its environment tells it.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Behaviours by the number of the run, separated by blanks; the last one is for all further runs.
const BEHAVIOURS: &str = "HOSTILE";

/// Characters that steer a terminal, turn the line round, or must not be in XML.
const NASTY: &str = "bad\u{1b}[2J\u{202e}day\u{9b}31m\u{1}\u{fffe}]]>";

/// How this process is to behave, if it is the hostile target at all.
pub(crate) fn asked_for() -> Option<String> {
    let behaviours = std::env::var(BEHAVIOURS).ok()?;
    let prefix = std::env::var("PREFIX").ok()?;
    let run: usize = prefix.trim_start_matches("run_").trim_end_matches('.').parse().ok()?;
    let behaviours: Vec<_> = behaviours.split_whitespace().collect();
    behaviours.get(run - 1).or(behaviours.last()).map(|behaviour| (*behaviour).to_owned())
}

/// Is the target until it is killed.
pub(crate) fn behave(behaviour: &str) -> ExitCode {
    println!("{behaviour}: {}", std::env::var("INSTANCE").unwrap_or_default());
    match behaviour {
        "exits" => {
            println!("cannot read the configuration\n{NASTY}");
            return ExitCode::from(7);
        }
        "never-ready" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        "starts-once" if !is_first_start() => {
            println!("the lock file is still there");
            return ExitCode::from(8);
        }
        "chatty" => {
            std::thread::spawn(|| {
                loop {
                    println!("{}", "x".repeat(60_000));
                }
            });
        }
        // Two orphans: one in the process group, one in a session of its own.
        "leaves-children" => {
            let shell = Command::new("/bin/sh").args(["-c", "sleep 600 & setsid sleep 600 &"]).status();
            shell.expect("children");
        }
        _ => {}
    }
    serve(behaviour);
    ExitCode::SUCCESS
}

/// Whether no instance of this name was started before in this run.
fn is_first_start() -> bool {
    let marker = format!("{}{}.started", variable("PREFIX"), variable("INSTANCE"));
    std::fs::File::create_new(Path::new(&marker)).is_ok()
}

fn variable(name: &str) -> String {
    std::env::var(name).expect(name)
}

fn serve(behaviour: &str) {
    let port: u16 = variable("PORT").parse().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    std::thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            // A caller that hangs up is no reason to stop.
            scope.spawn(|| drop(converse(behaviour, stream)));
        }
    });
}

/// Answers one request after the other.
fn converse(behaviour: &str, stream: TcpStream) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let found =
                head.iter().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
            found.map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let request = head.first().cloned().unwrap_or_default();
        if request.starts_with("GET /health") {
            reply(&mut output, 200, "text/plain", "ok")?;
            continue;
        }
        match behaviour {
            "garbage" => return output.write_all(&[0xff, 0x00, b'\n', 0x1b, b'[', b'2', b'J'].repeat(50)),
            "mute" => std::thread::sleep(Duration::from_secs(600)),
            "html" => reply(&mut output, 200, "text/html", "<html><body>Welcome to nginx!</body></html>")?,
            "errors" => reply(&mut output, 500, "application/json", r#"{"error": "out of cheese"}"#)?,
            "endless" => {
                output.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[")?;
                loop {
                    output.write_all(&[b'1'; 8192])?;
                }
            }
            "nasty" => {
                let error = serde_json::json!({ "error": NASTY });
                reply(&mut output, 422, "application/json", &error.to_string())?;
            }
            _ => obey(&mut output, &request, header("idempotency-key"), &body)?,
        }
    }
}

/// A ledger that says yes to everything and keeps no books.
fn obey(output: &mut impl Write, request: &str, key: Option<String>, body: &[u8]) -> std::io::Result<()> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let (status, answer) = match request.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["POST", "/accounts"] => (201, body),
        ["POST", _] => (201, serde_json::json!({ "id": format!("t-{}", key.unwrap_or_default()), "status": "posted" })),
        ["GET", "/journal"] => (200, serde_json::json!({ "entries": [] })),
        _ => (200, serde_json::json!({ "balance": 0, "entries": [] })),
    };
    reply(output, status, "application/json", &answer.to_string())
}

fn reply(output: &mut impl Write, status: u16, kind: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(output, "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}
