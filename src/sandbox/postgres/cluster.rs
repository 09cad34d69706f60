//! The files of a Postgres server: data directory, settings, log.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{SERVER, USER, kept};
use crate::link::Upstream;
use crate::sandbox::needs::PostgresPrograms;
use crate::sandbox::place::Place;
use crate::sandbox::service::{plain_env, socket_path, write};
use crate::sandbox::{Port, Process, ProcessSpec, Processes, SpawnError, StackConfig, StartError};

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

/// Makes a data directory: a copy of one that is kept, else by `initdb`.
pub(super) async fn initialise(
    config: &StackConfig,
    programs: &PostgresPrograms,
    place: &Place,
    processes: &Processes,
) -> Result<Initialised, StartError> {
    let folder = place.path().join("postgres");
    let user = programs.user.as_ref().map(|user| (user.uid, user.gid));
    // Whoever is a superuser of Postgres can run programs as its user. Others on this machine must not be.
    let password = format!("{:032x}", rand::random::<u128>());
    let name = place.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Initialised { folder: folder.clone(), postgres: programs.postgres.clone(), user, password, name };

    let kept = kept::folder(config, programs);
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
        let restored = kept::restore(kept, &folder, user).and_then(|()| std::fs::read_to_string(files.password_file()));
        if let Ok(password) = restored {
            files.password = password;
            processes.guard_postmaster(&files.lock_file());
            return Ok(files);
        }
        // Half a copy, perhaps. If it cannot be removed, initdb says so.
        let _ = std::fs::remove_dir_all(&folder);
    }
    processes.guard_postmaster(&files.lock_file());
    initdb(&files, programs, processes).await?;
    if let Some(kept) = kept {
        let _ = kept::keep(&folder, &kept);
    }
    Ok(files)
}

/// Runs `initdb`, as another user when we are root, because Postgres refuses to run as root.
async fn initdb(files: &Initialised, programs: &PostgresPrograms, processes: &Processes) -> Result<(), StartError> {
    let (folder, password_file) = (&files.folder, files.password_file());
    let unwritable = |why| StartError::Files { server: SERVER, path: folder.clone(), why };
    DirBuilder::new().mode(0o700).create(folder).map_err(unwritable)?;
    write(SERVER, &password_file, &files.password)?;
    if let Some((uid, gid)) = files.user {
        chown(folder, Some(uid), Some(gid))
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
    let process = processes.spawn(&initdb).map_err(|error| files.not_spawned(error))?;
    let log = || process.log_tail(LOG_LINES);
    match process.wait(INITDB_DEADLINE).await {
        Some(status) if status.success() => Ok(()),
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
             unix_socket_directories = '{socket}'\n\
             cluster_name = '{name}'\n\
             # Several instances of several sandboxes, each with a pool.\n\
             max_connections = 300\n\
             deadlock_timeout = 200ms\n\
             shared_buffers = 64MB\n\
             # Survives the death of every process, not of the machine. synchronous_commit stays on: without it\n\
             # a kill loses acknowledged commits, and the service would be blamed.\n\
             fsync = off\n\
             full_page_writes = off\n\
             max_wal_size = 1GB\n\
             # With who met which error in which database, to see what became of a fault.
             log_line_prefix = '%m [%p] %a %e %d '
             # In files of the data directory, so that a kill leaves nothing elsewhere.\n\
             dynamic_shared_memory_type = mmap\n",
            port = port.number(),
            name = files.name,
            // Seen from its data directory.
            socket = if files.socket(&port).is_some() { "." } else { "" },
        );
        // Read after postgresql.conf and always there.
        write(SERVER, &files.data().join("postgresql.auto.conf"), &settings)?;
        Ok(Self { files: files.clone(), port })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(super) fn upstream(&self) -> Upstream {
        self.files.socket(&self.port).map_or_else(|| self.address().into(), Upstream::Unix)
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

    /// Starts the server; it is not ready yet.
    pub(super) fn spawn(&self, processes: &Processes) -> Result<Process, StartError> {
        processes.spawn(&self.files.spec()).map_err(|error| self.files.not_spawned(error))
    }
}

impl Initialised {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its local socket, where its path is short enough for one.
    fn socket(&self, port: &Port) -> Option<PathBuf> {
        socket_path(self.data().join(format!(".s.PGSQL.{}", port.number())))
    }

    fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    fn lock_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// A refusal for want of permission mostly means that the temporary directory is below a folder that only root may enter.
    fn not_spawned(&self, error: SpawnError) -> StartError {
        match error {
            SpawnError::Refused { why, .. } if why.kind() == ErrorKind::PermissionDenied => {
                StartError::Files { server: SERVER, path: self.folder.clone(), why }
            }
            error => error.into(),
        }
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
