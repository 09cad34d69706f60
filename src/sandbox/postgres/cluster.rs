//! The files of a Postgres server: data directory, settings, log.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{SERVER, USER};
use crate::sandbox::needs::PostgresPrograms;
use crate::sandbox::place::Place;
use crate::sandbox::service::{plain_env, write};
use crate::sandbox::{Port, ProcessSpec, Processes, SpawnError, StartError};

/// `initdb` takes a third of a second in memory; a slow disk and a busy machine need more.
const INITDB_DEADLINE: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 15;

/// A data directory that has been made, without a port yet.
#[derive(Clone, Debug)]
pub(super) struct Initialised {
    folder: PathBuf,
    postgres: PathBuf,
    user: Option<(u32, u32)>,
    password: String,
    name: String,
}

/// A data directory and the port of its server.
#[derive(Debug)]
pub(super) struct Cluster {
    files: Initialised,
    port: Port,
}

/// Runs `initdb`, as another user when we are root, because Postgres refuses to run as root.
pub(super) async fn initialise(
    programs: &PostgresPrograms,
    place: &Place,
    processes: &Processes,
) -> Result<Initialised, StartError> {
    let folder = place.path().join("postgres");
    let user = programs.user.as_ref().map(|user| (user.uid, user.gid));
    // Whoever is a superuser of Postgres can run programs as its user. Others on this machine must not be.
    let password = format!("{:032x}", rand::random::<u128>());
    let name = place.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = Initialised { folder: folder.clone(), postgres: programs.postgres.clone(), user, password, name };
    let unwritable = |why| StartError::Files { server: SERVER, path: folder.clone(), why };

    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(unwritable)?;
    let password_file = folder.join("password");
    write(SERVER, &password_file, &files.password)?;
    if let Some((uid, gid)) = user {
        chown(&folder, Some(uid), Some(gid))
            .and_then(|()| chown(&password_file, Some(uid), Some(gid)))
            .map_err(unwritable)?;
    }

    let args = [
        "--pgdata=data",
        "--pwfile=password",
        &format!("--username={USER}"),
        // Checked against a stored hash like any other, but costs the client nothing: with SCRAM, an unoptimised
        // client spends tens of milliseconds on each connection, and a restart makes all of them reconnect.
        "--auth=password",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ];
    let initdb = ProcessSpec {
        name: "initdb".to_owned(),
        program: programs.initdb.clone(),
        args: args.map(str::to_owned).to_vec(),
        log: folder.join("initdb.log"),
        ..files.spec()
    };
    // Already initdb runs a server for a moment.
    processes.guard_postmaster(&files.data().join("postmaster.pid"));
    let process = processes.spawn(&initdb).map_err(|error| match error {
        // Usually the temporary directory is below a folder that only root may enter.
        SpawnError::Refused { why, .. } if why.kind() == ErrorKind::PermissionDenied => unwritable(why),
        error => error.into(),
    })?;
    let log = || process.log_tail(LOG_LINES);
    match process.wait(INITDB_DEADLINE).await {
        Some(status) if status.success() => Ok(files),
        Some(status) => Err(StartError::Ended { server: "initdb", status, log: log() }),
        None => {
            let probe = "it still runs".to_owned();
            Err(StartError::NotReady { server: "initdb", within: INITDB_DEADLINE, probe, log: log() })
        }
    }
}

impl Cluster {
    /// Writes the settings, replacing those of an earlier try with another port.
    pub(super) fn configure(files: &Initialised, port: Port) -> Result<Self, StartError> {
        let settings = format!(
            "listen_addresses = '127.0.0.1'\n\
             port = {port}\n\
             unix_socket_directories = ''\n\
             cluster_name = '{name}'\n\
             # Several instances of several sandboxes, each with a pool.\n\
             max_connections = 300\n\
             shared_buffers = 64MB\n\
             # Survives the death of every process, not of the machine. synchronous_commit stays on: without it\n\
             # a kill loses acknowledged commits, and the service would be blamed.\n\
             fsync = off\n\
             full_page_writes = off\n\
             max_wal_size = 1GB\n\
             # In files of the data directory, so that a kill leaves nothing elsewhere.\n\
             dynamic_shared_memory_type = mmap\n",
            port = port.number(),
            name = files.name,
        );
        // Read after postgresql.conf and always there.
        write(SERVER, &files.data().join("postgresql.auto.conf"), &settings)?;
        Ok(Self { files: files.clone(), port })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(super) fn password(&self) -> &str {
        &self.files.password
    }

    /// How the titles of all its processes but the first begin.
    pub(super) fn title(&self) -> String {
        format!("postgres: {}: ", self.files.name)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.files.log()
    }

    pub(super) fn spec(&self) -> ProcessSpec {
        self.files.spec()
    }
}

impl Initialised {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        // Beside the folder, which belongs to another user.
        self.folder.with_extension("log")
    }

    fn spec(&self) -> ProcessSpec {
        ProcessSpec {
            name: SERVER.to_owned(),
            program: self.postgres.clone(),
            args: vec!["-D".to_owned(), text(&self.data())],
            env: plain_env(),
            clear_env: true,
            directory: self.folder.clone(),
            log: self.log(),
            user: self.user,
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
